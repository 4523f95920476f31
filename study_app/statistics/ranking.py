"""Plackett-Luce with a normal prior: from ranked picks to the probability that an item is the best.

Strengths u ~ N(0, prior_sd^2 I). A ballot picks c_1, c_2 .. one after the other, each from what is left of the
items shown, with probability exp(u_c) / sum of exp(u_j). The posterior is a normal distribution at its mode.
Everything is a pure function of the set of ballots: they are sorted first, and the draws are always the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

PRIOR_SD = 1.5
DELTA = 0.5  # logit: items within it of the best are near-best (62:38 in a duel)
RANKED_WEIGHT = 0.7  # of a ballot with more than one pick: its stages are not independent opinions
MOST_PICKS = 3
DRAWS = 4000
DRAWS_SEED = 20260101
CHUNK = 500  # draws multiplied at once: few enough for BLAS to stay on one thread, so any machine adds alike
LONGEST_STEP = 1.5
TOLERANCE = 1e-10
MOST_STEPS = 60


@dataclass(frozen=True)
class Ballot:
    """One counted vote: item indices, best first, one to three of them, chosen from `shown`."""

    picks: tuple[int, ...]
    shown: tuple[int, ...] | None = None  # None: all items


@dataclass(frozen=True)
class Posterior:
    """Normal approximation N(mean, covariance) of the strengths of K items, and what its draws say."""

    mean: NDArray[np.float64]  # K
    covariance: NDArray[np.float64]  # KxK
    p_best: NDArray[np.float64]  # K; share of draws in which the item is the largest
    p_near: NDArray[np.float64]  # K; share of draws within `delta` of the largest
    regret: NDArray[np.float64]  # K; expected shortfall to the largest
    leader: int  # argmax of p_best, the first on a tie


@dataclass(frozen=True)
class Likelihood:
    """All ballots as sums: stages with the same remaining items are one row."""

    wins: NDArray[np.float64]  # K; weighted number of stages that an item won
    remaining: NDArray[np.bool_]  # RxK; the items of a stage
    weight: NDArray[np.float64]  # R; sum of the weights of such stages
    prior_sd: float

    def log_posterior(self, strengths: NDArray[np.float64]) -> float:
        """log post(u) = sum_r w_r log L_r - |u|^2 / (2 tau^2), up to a constant."""
        largest = strengths.max()
        sums = np.log(self.remaining @ np.exp(strengths - largest)) + largest
        prior = strengths @ strengths / (2 * self.prior_sd**2)
        return float(self.wins @ strengths - self.weight @ sums - prior)

    def gradient_and_precision(
        self, strengths: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """sum w (e_c - p) - u / tau^2, and H = sum w (diag p - p p^T) + I / tau^2."""
        powers = self.remaining * np.exp(strengths - strengths.max())
        chances = powers / powers.sum(axis=1, keepdims=True)
        expected = self.weight @ chances
        tightness = 1 / self.prior_sd**2
        precision = np.diag(expected + tightness) - (chances.T * self.weight) @ chances
        return self.wins - expected - strengths * tightness, precision


def posterior(
    item_count: int, ballots: Sequence[Ballot], *, prior_sd: float = PRIOR_SD, delta: float = DELTA
) -> Posterior:
    """Fit the model to all ballots and draw from the posterior with a fixed seed."""
    mean, precision = fit_strengths(item_count, ballots, prior_sd=prior_sd)
    covariance = np.linalg.inv(precision)
    covariance = (covariance + covariance.T) / 2
    # CHUNKSxKxCHUNK, about 0: the mean is added after
    draws = np.linalg.cholesky(covariance) @ _standard_normals(item_count) + mean[:, np.newaxis]
    largest = draws.max(axis=1, keepdims=True)
    best_draws = np.count_nonzero(draws == largest, axis=(0, 2))
    near_draws = np.count_nonzero(draws >= largest - delta, axis=(0, 2))
    return Posterior(
        mean=mean,
        covariance=covariance,
        p_best=best_draws / DRAWS,
        p_near=near_draws / DRAWS,
        regret=(largest - draws).mean(axis=(0, 2)),
        leader=int(best_draws.argmax()),
    )


def fit_strengths(
    item_count: int,
    ballots: Iterable[Ballot],
    *,
    prior_sd: float = PRIOR_SD,
    ranked_weight: float = RANKED_WEIGHT,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mode (K) and precision (KxK) of the posterior, by Newton's method."""
    likelihood = likelihood_of(item_count, ballots, prior_sd=prior_sd, ranked_weight=ranked_weight)
    strengths = np.zeros(item_count)
    for _ in range(MOST_STEPS):
        gradient, precision = likelihood.gradient_and_precision(strengths)
        step = np.linalg.solve(precision, gradient)
        longest = float(np.abs(step).max())
        strengths = strengths + step * (LONGEST_STEP / longest if longest > LONGEST_STEP else 1.0)
        if longest < TOLERANCE:
            return strengths, precision
    raise ArithmeticError(
        f"strengths of {item_count} items: no convergence in {MOST_STEPS} Newton steps, the last moved one by "
        f"{longest:.1e}; report the ballots, this should not happen"
    )


def likelihood_of(
    item_count: int, ballots: Iterable[Ballot], *, prior_sd: float = PRIOR_SD, ranked_weight: float
) -> Likelihood:
    """Sum the ballots up, in an order that does not depend on theirs."""
    if item_count < 1:
        raise ValueError(f"item_count is {item_count}; ranking needs at least one item")
    everything = tuple(range(item_count))
    wins = np.zeros(item_count)
    stages: dict[tuple[int, ...], float] = {}
    checked = [(ballot.picks, _shown(ballot, everything)) for ballot in ballots]
    for picks, left in sorted(checked):
        weight = ranked_weight if len(picks) > 1 else 1.0
        for pick in picks:
            wins[pick] += weight
            stages[left] = stages.get(left, 0.0) + weight
            left = tuple(item for item in left if item != pick)
    remaining = np.zeros((len(stages), item_count), dtype=bool)
    for row, left in enumerate(stages):
        remaining[row, list(left)] = True
    return Likelihood(wins, remaining, np.array(list(stages.values()), dtype=float), prior_sd)


def _shown(ballot: Ballot, everything: tuple[int, ...]) -> tuple[int, ...]:
    shown = everything if ballot.shown is None else tuple(sorted(set(ballot.shown)))
    picks = ballot.picks
    if not 1 <= len(picks) <= MOST_PICKS or len(set(picks)) < len(picks):
        raise ValueError(f"ballot with picks {picks}: one to {MOST_PICKS} different items expected")
    if not set(picks) <= set(shown) <= set(everything):
        raise ValueError(f"ballot with picks {picks} of shown {shown}: not all among {len(everything)} items")
    return shown


@lru_cache(maxsize=32)
def _standard_normals(item_count: int) -> NDArray[np.float64]:
    """CHUNKSxKxCHUNK standard normals.

    Made from a bit generator's raw output, which numpy promises never to change (NEP 19); the methods of
    `Generator` carry no such promise.
    """
    shape = (DRAWS // CHUNK, item_count, CHUNK)
    raw = np.random.PCG64(DRAWS_SEED).random_raw(DRAWS * item_count)
    normals = ndtri(((raw >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(shape)
    normals.setflags(write=False)
    return normals
