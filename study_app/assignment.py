"""Who sees what next. Pure: numbers in, a choice out, the same for the same seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

POOL = 40
GOLD_PLACES = range(3, 16)  # one gold trial per sitting, at one of these places (1 is the first)
REPEAT_SHARE = 0.05
REPEAT_DISTANCE = 10


@dataclass(frozen=True)
class OpenScene:
    """What the choice needs to know of a scene that still takes votes."""

    key: int  # study_scene id
    answers: int  # live answers of round 1 that count toward the cap
    leases: int  # running leases of other raters
    certainty: float  # max(P_best, P_near) of the leader


def permutation(item_count: int, seed: int) -> tuple[int, ...]:
    """Item indices by position: a uniform random permutation that the seed reproduces."""
    raise NotImplementedError


def next_scene(scenes: Sequence[OpenScene], seen: Collection[int], *, cap: int, seed: int) -> int | None:
    """Key of the scene to show a rater who has seen `seen`; None if nothing is left for them."""
    raise NotImplementedError


def special_trial(place: int, sitting_seed: int, trials_before: int) -> str:
    """'real', 'gold' or 'repeat': what stands at this place of a sitting."""
    raise NotImplementedError
