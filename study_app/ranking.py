"""Plackett-Luce with a normal prior: from ranked picks to the probability that an item is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIOR_SD = 1.5
DELTA = 0.5  # logit: items within it of the best are near-best (62:38 in a duel)
RANKED_WEIGHT = 0.7  # of a ballot with more than one pick
DRAWS = 4000


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


def posterior(
    item_count: int, ballots: Sequence[Ballot], *, prior_sd: float = PRIOR_SD, delta: float = DELTA
) -> Posterior:
    """Fit the model to all ballots and draw from the posterior with a fixed seed."""
    raise NotImplementedError
