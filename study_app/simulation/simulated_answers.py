"""How a simulated rater answers: Plackett-Luce with own taste and lapses. Pure; for demonstrations and tests.

Nothing here is a claim about people: the constants are assumptions until a pilot has been held.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

STRENGTH_SD = 1.5  # of true strengths within a scene, in logit: the prior of statistics/ranking.py
SOUND, DAMAGED = 2.0, -2.0  # strengths in training and gold scenes: a fault put in on purpose is seen
EASY, HARD = 3.0, -2.0  # logit of "acceptable" for the best picture of a scene
HARD_SHARE = 0.15  # of scenes whose best picture most people refuse as a reference


@dataclass(frozen=True)
class RaterModel:
    """What all simulated raters have in common."""

    spread: float = 0.7  # standard deviation between people of a picture's strength, in logit
    lapse: float = 0.03  # share of answers given without looking
    cannot_tell: float = 0.02  # share of answers "cannot tell"
    ranked: float = 0.5  # share of choices with a second and third pick
    seconds: float = 45.0  # median time of a trial

    def __post_init__(self) -> None:
        """Refuse what no population has."""
        for name in ("lapse", "cannot_tell", "ranked"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name}: a share lies between 0 and 1, found {getattr(self, name)}; give one that does"
                )
        if self.spread < 0 or self.seconds <= 0:
            raise ValueError(
                f"spread {self.spread} must not be negative and seconds {self.seconds} must be positive"
            )


@dataclass(frozen=True)
class SimulatedAnswer:
    """One answer: item indices best first, empty for "cannot tell"."""

    kind: str  # choice or cannot_tell
    picks: tuple[int, ...]
    acceptable: bool | None
    seconds: float


def strengths_from_quality(qualities: Sequence[float]) -> tuple[float, ...]:
    """True strengths in the order of an objective score: normal scores of the ranks (Blom), times STRENGTH_SD.

    Ranks, because one failed candidate would else make all the others equally good. Equal scores share a rank.
    """
    ranks = [
        sum(other < quality for other in qualities) + (sum(other == quality for other in qualities) + 1) / 2
        for quality in qualities
    ]
    return tuple(STRENGTH_SD * NormalDist().inv_cdf((rank - 0.375) / (len(ranks) + 0.25)) for rank in ranks)


def strengths_from_hash(names: Sequence[str], seed: int) -> tuple[float, ...]:
    """True strengths that follow nothing but a name and the seed: normal with STRENGTH_SD."""
    return tuple(STRENGTH_SD * NormalDist().inv_cdf(_share(f"strength:{seed}:{name}")) for name in names)


def ease_of(scene: str, seed: int) -> float:
    """Logit of "acceptable" for the scene's best picture: EASY, or HARD for HARD_SHARE of all scenes."""
    return HARD if _share(f"ease:{seed}:{scene}") < HARD_SHARE else EASY


def _share(text: str) -> float:
    """A number in (0, 1) that only the text decides."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) + 0.5) / 2**48


def simulated_answer(
    strengths: Sequence[float], ease: float, model: RaterModel, generator: np.random.Generator
) -> SimulatedAnswer:
    """One rater's answer; ranked picks by largest utility, which is Plackett-Luce (Gumbel-max)."""
    truth = np.asarray(strengths, dtype=np.float64)
    careless, silent, ranks = (
        generator.random() < share for share in (model.lapse, model.cannot_tell, model.ranked)
    )
    taste = truth + model.spread * generator.standard_normal(truth.size)
    utility = (0.0 if careless else taste) + generator.gumbel(size=truth.size)
    seconds = float(model.seconds * np.exp(0.4 * generator.standard_normal()))
    coin = generator.random()
    if silent:
        return SimulatedAnswer("cannot_tell", (), None, seconds)
    picks = tuple(int(item) for item in np.argsort(-utility, kind="stable")[: 3 if ranks else 1])
    shortfall = 0.0 if careless else float(truth.max() - truth[picks[0]])
    chance = 0.5 if careless else 1 / (1 + math.exp(shortfall - ease))
    return SimulatedAnswer("choice", picks, bool(coin < chance), seconds)
