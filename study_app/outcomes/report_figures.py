"""What the report tells, read from the tables into plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median

from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.counting.conduct import Choice, conducts
from study_app.counting.counted_answers import excluded_rater_ids
from study_app.outcomes.deciding import SceneVerdict
from study_app.statistics.agreement import (
    PositionBias,
    RepeatAgreement,
    kendall_w,
    krippendorff_alpha,
    position_bias,
    repeat_agreement,
)
from study_app.storage.models import Exclusion, Rater, Sitting, Study

INFORMAL_BELOW = 15  # people; ITU-R BT.500: fewer make a study informal


@dataclass(frozen=True)
class People:
    """Who took part, and whose answers count."""

    joined: int
    counted: int  # with at least one counted vote
    experts: int
    withdrawn: int
    erased: int
    excluded: int
    colour_failed: int
    training_failed: int
    display_failed: int  # sittings
    sittings: int
    simulated: int
    votes_each: float | None  # median of counted votes
    seconds_each: float | None  # median time from a trial's start to its first answer

    @property
    def is_informal(self) -> bool:
        """Whether there are too few people for a formal study."""
        return self.counted - self.simulated < INFORMAL_BELOW


@dataclass(frozen=True)
class Display:
    """Displays of one kind and how many sittings were held before them."""

    screen: str
    viewport: str
    ratio: str
    gamut: str
    sittings: int


@dataclass(frozen=True)
class ExclusionLine:
    """One exclusion or restoration."""

    rater: str
    excluded: bool
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Agreement:
    """How far the counted votes agree."""

    concordance: float | None  # mean of Kendall's W over scenes
    scenes: int  # behind it
    alpha: float | None  # Krippendorff, first picks by algorithm
    repeats: RepeatAgreement
    bias: PositionBias | None


def counted_choices(found: Sequence[SceneVerdict], given: Sequence[Choice]) -> list[Choice]:
    """Those of all given choices that count, by vote id."""
    counted = {answer.vote_id for one in found for answer in one.evidence.answers if answer.kind == "choice"}
    return [choice for choice in given if choice.vote in counted]


def people(session: Session, study: Study, counted: Sequence[Choice]) -> People:
    """Counts of raters and sittings."""
    raters = session.scalars(select(Rater).where(Rater.study_id == study.id)).all()
    sittings = session.scalars(select(Sitting).join(Rater).where(Rater.study_id == study.id)).all()
    each = Counter(choice.rater for choice in counted)
    states = Counter(rater.state for rater in raters)
    return People(
        joined=len(raters),
        counted=len(each),
        experts=sum(rater.is_expert for rater in raters),
        withdrawn=states["withdrawn"],
        erased=states["erased"],
        excluded=len(excluded_rater_ids(session, study)),
        colour_failed=sum(rater.colour_passed is False for rater in raters),
        training_failed=sum(rater.training_passed is False for rater in raters),
        display_failed=sum(sitting.display_passed is False for sitting in sittings),
        sittings=len(sittings),
        simulated=sum(rater.simulated for rater in raters if rater.id in each),
        votes_each=median(each.values()) if each else None,
        seconds_each=median(choice.seconds for choice in counted) if counted else None,
    )


def displays(session: Session, study: Study) -> list[Display]:
    """Kinds of displays, the most frequent first."""
    query = select(Sitting.display).join(Rater).where(Rater.study_id == study.id)
    kinds = Counter(
        (
            _size(display.get("screen")),
            _size(display.get("viewport")),
            str(display.get("dpr") or "unknown"),
            str(display.get("gamut") or "unknown"),
        )
        for display in session.scalars(query)
    )
    ordered = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    return [Display(*kind, sittings) for kind, sittings in ordered]


def _size(value: object) -> str:
    return " × ".join(str(side) for side in value) if isinstance(value, list | tuple) else "unknown"


def exclusions(session: Session, study: Study) -> list[ExclusionLine]:
    """Exclusions and restorations in their order."""
    query = (
        select(Exclusion, Rater.public_id)
        .join(Rater, Rater.id == Exclusion.rater_id)
        .where(Rater.study_id == study.id)
        .order_by(Exclusion.id)
    )
    return [
        ExclusionLine(rater[:8], row.excluded, row.reason, row.by, row.at)
        for row, rater in session.execute(query)
    ]


def agreement(found: Sequence[SceneVerdict], given: Sequence[Choice], counted: Sequence[Choice]) -> Agreement:
    """Agreement among raters, with themselves, and the influence of position."""
    rankings = [[answer.picks for answer in one.evidence.answers if answer.picks] for one in found]
    concordances = [
        kendall_w(len(one.evidence.candidates), own) for one, own in zip(found, rankings, strict=True)
    ]
    known = [value for value in concordances if value is not None]
    first_picks = [
        [one.algorithms[picks[0]] for picks in own] for one, own in zip(found, rankings, strict=True)
    ]
    raters = {choice.rater for choice in counted}
    repeats = [
        pair
        for rater, conduct in sorted(conducts(given, frozenset()).items())
        if rater in raters
        for pair in conduct.repeats
    ]
    return Agreement(
        concordance=fmean(known) if known else None,
        scenes=len(known),
        alpha=krippendorff_alpha(first_picks),
        repeats=repeat_agreement(repeats),
        bias=position_bias([(choice.position, len(choice.order)) for choice in counted]),
    )
