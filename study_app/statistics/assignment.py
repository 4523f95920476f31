"""Who sees what next. Pure: numbers in, a choice out, the same for the same seed.

Chance comes from SHA-256 of the seed and what is drawn, not from a random generator: the same on every machine,
in every process and with every version of Python and numpy, so a stored seed reproduces its trial for ever.
"""

from __future__ import annotations

import hashlib
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
    return tuple(sorted(range(item_count), key=lambda item: _drawn("position", seed, item)))


def next_scene(scenes: Sequence[OpenScene], seen: Collection[int], *, cap: int, seed: int) -> int | None:
    """Key of the scene to show a rater who has seen `seen`; None if nothing is left for them.

    `scenes` are all open scenes of the study and `seed` is the study's, so that all raters work on one pool of
    40: an early end then leaves finished scenes. A rater who is through with a pool goes on to the next 40.
    """
    known = frozenset(seen)
    started_first = sorted(
        scenes, key=lambda scene: (scene.answers + scene.leases == 0, _drawn("pool", seed, scene.key))
    )
    for start in range(0, len(started_first), POOL):
        pool = started_first[start : start + POOL]
        free = [one for one in pool if one.key not in known and one.answers + one.leases < cap]
        if free:
            return min(free, key=lambda scene: _urgency(scene, seed)).key
    return None


def special_trial(place: int, sitting_seed: int, trials_before: int) -> str:
    """'real', 'gold' or 'repeat': what stands at this place of a sitting.

    `trials_before` counts the rater's earlier trials: a repeat needs one that lies REPEAT_DISTANCE back.
    """
    if place == GOLD_PLACES[_drawn("gold", sitting_seed, 0) % len(GOLD_PLACES)]:
        return "gold"
    repeats = _drawn("repeat", sitting_seed, place) < REPEAT_SHARE * 2**256
    return "repeat" if repeats and trials_before >= REPEAT_DISTANCE else "real"


def _urgency(scene: OpenScene, seed: int) -> tuple[float, int, int, int]:
    # Leases part scenes that are equal otherwise: raters who begin together do not all get the same one.
    return scene.certainty, scene.answers, scene.leases, _drawn("scene", seed, scene.key)


def _drawn(what: str, seed: int, key: int) -> int:
    """A uniform number of 256 bits."""
    return int.from_bytes(hashlib.sha256(f"{what}/{seed}/{key}".encode()).digest(), "big")
