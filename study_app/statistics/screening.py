"""Rater checks: whose votes look like chance, haste or habit. Pure; it proposes, a person decides.

One reason is a remark. Two reasons propose to exclude the rater, and nothing follows until somebody confirms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median

import numpy as np

from study_app.statistics.agreement import repeat_agreement
from study_app.statistics.ranking import PRIOR_SD, Ballot, fit_strengths

OUTLIER_D = 1.5  # as pwcmp (Perez-Ortiz and Mantiuk 2017)
LEAST_RATERS = 8  # with enough scenes each: fewer give no quartiles worth the name
LEAST_SCENES = 5
GOLD_SHARE = 0.5  # at most so many found: a reason
LEAST_GOLD = 2  # one slip is no share
LEAST_REPEATS = 3
HASTE_SECONDS = 5.0  # median trial
POSITION_SHARE = 0.6
LEAST_TRIALS = 5  # for haste and position
REASONS_TO_PROPOSE = 2
SCENES_KEPT = 4096  # some kilobytes each


@dataclass(frozen=True)
class RatedScene:
    """The counted ballots of one scene, by rater."""

    item_count: int
    ballots: Mapping[int, Ballot]


@dataclass(frozen=True)
class Conduct:
    """What one rater did apart from taste."""

    gold: tuple[bool, ...] = ()  # whether each gold trial's damaged copies were left unpicked
    repeats: tuple[tuple[int, int, int], ...] = ()  # first pick, first pick of the repeat, number of items
    seconds: tuple[float, ...] = ()  # per trial
    positions: tuple[int, ...] = ()  # of the first picks, 0 is letter A


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against a rater's votes."""

    check: str  # outlier, gold, repeats, haste, position
    text: str


@dataclass(frozen=True)
class RaterCheck:
    """All checks of one rater; None where there is too little to tell."""

    rater: int
    scenes: int  # real scenes with a counted vote
    likelihood: float | None  # l_r; about 0 for a rater like the others, far below for one who guesses
    outlyingness: float | None  # d_r; distance below the first quartile in interquartile ranges
    reasons: tuple[Reason, ...] = field(default=())

    @property
    def proposes_exclusion(self) -> bool:
        """Whether a person should look."""
        return len(self.reasons) >= REASONS_TO_PROPOSE


def check_raters(
    scenes: Sequence[RatedScene], conduct: Mapping[int, Conduct], *, prior_sd: float = PRIOR_SD
) -> list[RaterCheck]:
    """Every rater who voted or has a conduct, by id."""
    likelihoods = mean_likelihoods(scenes, prior_sd=prior_sd)
    voted = Counter(rater for scene in scenes for rater in scene.ballots)
    eligible = {rater: likelihoods[rater] for rater in likelihoods if voted[rater] >= LEAST_SCENES}
    distances = outlyingness(eligible)
    checks = []
    for rater in sorted(voted.keys() | conduct.keys()):
        distance = distances.get(rater)
        reasons = conduct_reasons(conduct.get(rater, Conduct()))
        if distance is not None and distance > OUTLIER_D:
            text = f"agrees less with the others than most: {distance:.1f} IQR below the first quartile"
            reasons = [Reason("outlier", text), *reasons]
        checks.append(RaterCheck(rater, voted[rater], likelihoods.get(rater), distance, tuple(reasons)))
    return checks


def mean_likelihoods(scenes: Sequence[RatedScene], *, prior_sd: float = PRIOR_SD) -> dict[int, float]:
    """l_r = mean over scenes of (log p(first pick) - sum p log p), p fitted without rater r.

    The second term is what a rater who votes by p can expect, so hard scenes count against nobody. A scene
    that nobody else rated says nothing.
    """
    terms: dict[int, list[float]] = {}
    for scene in scenes:
        ballots = tuple(sorted(scene.ballots.items()))
        for rater, surprise in _surprises(scene.item_count, ballots, prior_sd).items():
            terms.setdefault(rater, []).append(surprise)
    return {rater: float(np.mean(of_rater)) for rater, of_rater in sorted(terms.items())}


def outlyingness(likelihoods: Mapping[int, float]) -> dict[int, float]:
    """d_r = (Q1 - l_r) / IQR, for at least eight raters; empty with fewer."""
    if len(likelihoods) < LEAST_RATERS:
        return {}
    first, third = np.quantile(np.array(sorted(likelihoods.values())), (0.25, 0.75))
    spread = third - first
    if spread == 0:  # at least half of the raters are equal: any distance is infinite, none is 0
        return {rater: float("inf") if one < first else 0.0 for rater, one in likelihoods.items()}
    return {rater: float((first - one) / spread) for rater, one in likelihoods.items()}


def conduct_reasons(conduct: Conduct) -> list[Reason]:
    """What gold trials, repeats, haste and habit say."""
    found = (_gold(conduct), _repeats(conduct), _haste(conduct), _position(conduct))
    return [reason for reason in found if reason is not None]


@lru_cache(SCENES_KEPT)
def _surprises(item_count: int, ballots: tuple[tuple[int, Ballot], ...], prior_sd: float) -> dict[int, float]:
    """The term of each rater of a scene. A fit per ballot, and a new vote concerns one scene: the others' are kept."""
    if len(ballots) < 2:
        return {}
    return {
        rater: _surprise(item_count, ballot, [one for other, one in ballots if other != rater], prior_sd)
        for rater, ballot in ballots
    }


def _surprise(item_count: int, ballot: Ballot, others: Sequence[Ballot], prior_sd: float) -> float:
    strengths, _ = fit_strengths(item_count, others, prior_sd=prior_sd)
    if ballot.shown is not None:
        kept = sorted(ballot.shown)
        strengths, pick = strengths[kept], kept.index(ballot.picks[0])
    else:
        pick = ballot.picks[0]
    log_p = strengths - strengths.max()
    log_p = log_p - np.log(np.exp(log_p).sum())
    return float(log_p[pick] - np.exp(log_p) @ log_p)


def _gold(conduct: Conduct) -> Reason | None:
    found, total = sum(conduct.gold), len(conduct.gold)
    if total < LEAST_GOLD or found > GOLD_SHARE * total:
        return None
    return Reason("gold", f"{found} of {total} gold trials right")


def _repeats(conduct: Conduct) -> Reason | None:
    agreement = repeat_agreement(conduct.repeats)
    if agreement.pairs < LEAST_REPEATS or not agreement.is_at_chance:
        return None
    text = (
        f"{agreement.same} of {agreement.pairs} repeats equal, as guessing would ({agreement.by_chance:.1f})"
    )
    return Reason("repeats", text)


def _haste(conduct: Conduct) -> Reason | None:
    if len(conduct.seconds) < LEAST_TRIALS or median(conduct.seconds) >= HASTE_SECONDS:
        return None
    return Reason("haste", f"half of the trials took less than {median(conduct.seconds):.1f} s")


def _position(conduct: Conduct) -> Reason | None:
    total = len(conduct.positions)
    if total < LEAST_TRIALS:
        return None
    position, times = min(Counter(conduct.positions).items(), key=lambda one: (-one[1], one[0]))
    if times <= POSITION_SHARE * total:
        return None
    return Reason("position", f"{times} of {total} first picks at position {position + 1}")
