"""The league table: how each algorithm fares over all scenes. Pure; it describes and is never a prior for a scene.

Near-identical candidates are one picture for the raters, so they share its credit: first picks and references are
split evenly, and in the model the picture's strength is the mean of its algorithms' strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study_app.statistics.ranking import PRIOR_SD, RANKED_WEIGHT

LIVE_RESAMPLES = 100
REPORT_RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # per cent
MAX_STEP = 1.5
TOLERANCE = 1e-9
MAX_ITERATIONS = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SceneVotes:
    """The counted votes of one scene and what came of it."""

    items: tuple[tuple[str, ...], ...]  # by item: the algorithms that made this picture
    ballots: tuple[tuple[int, ...], ...]  # item indices, best first
    won: int | None = None  # the item that is, or as things stand would be, the reference


@dataclass(frozen=True)
class Standing:
    """One line of the league table."""

    algorithm: str
    scenes: int  # scenes with votes that showed it
    share: float  # of first picks; every scene with votes weighs 1, so that shares sum to 1
    share_interval: tuple[float, float]
    strength: float  # Plackett-Luce, log scale, mean 0 over the algorithms
    strength_interval: tuple[float, float]
    references: float  # won; a picture of two algorithms gives each a half


@dataclass(frozen=True)
class _Stages:
    """All choices of all scenes as sums: what a fit needs, by scene, so that scenes can be drawn again."""

    design: Floats  # V x K: share of each algorithm in each kind of picture
    available: NDArray[np.bool_]  # M x V: the sets chosen from
    chosen: Floats  # S x V: weight of the choices of each kind of picture
    trials: Floats  # S x M: weight of the choices made from each set


def league_table(
    scenes: Sequence[SceneVotes], *, resamples: int = LIVE_RESAMPLES, seed: int = 0
) -> tuple[Standing, ...]:
    """Standings, strongest first, with 95 % intervals from drawing whole scenes again; empty without votes."""
    voted = [scene for scene in scenes if scene.ballots]
    if not voted:
        return ()
    algorithms = tuple(dict.fromkeys(name for scene in voted for item in scene.items for name in item))
    stages = _stages(voted, algorithms)
    shares = np.array([_shares(scene, algorithms) for scene in voted])
    once = np.ones(len(voted))
    strength = _strengths(stages, once, np.zeros(len(algorithms)))
    drawn = np.random.default_rng(seed).multinomial(len(voted), once / len(voted), size=resamples)
    strengths = np.array([_strengths(stages, weights.astype(float), strength) for weights in drawn])
    strength_ends = np.percentile(strengths, INTERVAL, axis=0)
    share_ends = np.percentile(drawn @ shares / len(voted), INTERVAL, axis=0)
    standings = [
        Standing(
            algorithm=name,
            scenes=sum(any(name in item for item in scene.items) for scene in voted),
            share=float(shares[:, k].mean()),
            share_interval=(float(share_ends[0, k]), float(share_ends[1, k])),
            strength=float(strength[k]),
            strength_interval=(float(strength_ends[0, k]), float(strength_ends[1, k])),
            references=references_won(scenes, name),
        )
        for k, name in enumerate(algorithms)
    ]
    return tuple(sorted(standings, key=lambda standing: -standing.strength))


def references_won(scenes: Sequence[SceneVotes], algorithm: str) -> float:
    """References that are this algorithm's picture; one that several made counts for its part."""
    winners = (scene.items[scene.won] for scene in scenes if scene.won is not None)
    return sum(1 / len(names) for names in winners if algorithm in names)


def _shares(scene: SceneVotes, algorithms: Sequence[str]) -> Floats:
    """K: this scene's first picks by algorithm, summing to 1."""
    shares = np.zeros(len(algorithms))
    for ballot in scene.ballots:
        names = scene.items[ballot[0]]
        for name in names:
            shares[algorithms.index(name)] += 1 / (len(names) * len(scene.ballots))
    return shares


def _stages(scenes: Sequence[SceneVotes], algorithms: Sequence[str]) -> _Stages:
    pictures = list(dict.fromkeys(item for scene in scenes for item in scene.items))
    place = {names: index for index, names in enumerate(pictures)}
    sets: dict[frozenset[int], int] = {}
    chosen = np.zeros((len(scenes), len(pictures)))
    trials: list[dict[int, float]] = []
    for row, scene in enumerate(scenes):
        weights: dict[int, float] = {}
        for ballot in scene.ballots:
            left = frozenset(place[item] for item in scene.items)
            weight = RANKED_WEIGHT if len(ballot) > 1 else 1.0
            for pick in (place[scene.items[index]] for index in ballot):
                chosen[row, pick] += weight
                column = sets.setdefault(left, len(sets))
                weights[column] = weights.get(column, 0.0) + weight
                left -= {pick}
        trials.append(weights)
    design = np.array([[(name in names) / len(names) for name in algorithms] for names in pictures])
    available = np.array([[index in members for index in range(len(pictures))] for members in sets])
    counts = np.zeros((len(scenes), len(sets)))
    for row, weights in enumerate(trials):
        counts[row, list(weights)] = list(weights.values())
    return _Stages(design, available, chosen, counts)


def _strengths(stages: _Stages, scene_weights: Floats, start: Floats) -> Floats:
    """K strengths, mean 0: the mode of the Plackett-Luce posterior with every scene counted that often.

    Newton's method on  sum_s w_s [x_c - log sum_j exp x_j] - |u|^2 / (2 tau^2),  x = design u.
    """
    design, tau2 = stages.design, PRIOR_SD**2
    chosen, trials = scene_weights @ stages.chosen, scene_weights @ stages.trials
    strength = start
    for _ in range(MAX_ITERATIONS):
        x = np.where(stages.available, design @ strength, -np.inf)  # M x V
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        gradient = design.T @ (chosen - trials @ p) - strength / tau2
        spread = np.diag(trials @ p) - (p * trials[:, None]).T @ p
        curvature = design.T @ spread @ design + np.eye(len(strength)) / tau2
        step = np.linalg.solve(curvature, gradient)
        largest = float(np.abs(step).max())
        strength = strength + step * min(1.0, MAX_STEP / max(largest, TOLERANCE))
        if largest < TOLERANCE:
            return strength - strength.mean()
    raise ArithmeticError(
        f"the league table's model did not settle after {MAX_ITERATIONS} steps; last step {largest:.2g}"
    )
