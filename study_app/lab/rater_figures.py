"""The figures of the Raters page and of one rater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.counting import conduct
from study_app.statistics.agreement import PositionBias, RepeatAgreement, position_bias, repeat_agreement
from study_app.statistics.screening import Conduct, RaterCheck
from study_app.storage.models import Assignment, Exclusion, Rater, ScreeningAnswer, Sitting, Study, Vote


@dataclass(frozen=True)
class RaterLine:
    """One rater in the list."""

    rater: Rater
    status: str  # counts, excluded, withdrawn, or the check that was not passed
    is_excluded: bool  # by a person; can be restored
    exclusion: Exclusion | None  # the newest row
    answers: int  # to real scenes
    conduct: Conduct
    check: RaterCheck | None
    last_answer: datetime | None

    @property
    def seconds(self) -> float | None:
        """Median time of a trial."""
        return median(self.conduct.seconds) if self.conduct.seconds else None

    @property
    def gold(self) -> str:
        """Gold trials right, of all."""
        return f"{sum(self.conduct.gold)}/{len(self.conduct.gold)}" if self.conduct.gold else ""

    @property
    def repeats(self) -> RepeatAgreement:
        """Hidden repeats with the same first pick."""
        return repeat_agreement(self.conduct.repeats)


@dataclass(frozen=True)
class VotingFigures:
    """What all votes of a study tell about its raters, by rater id, and about all of them."""

    conducts: Mapping[int, Conduct]
    checks: Mapping[int, RaterCheck]
    bias: PositionBias | None
    repeats: RepeatAgreement


@dataclass(frozen=True)
class RatersFigures:
    """All raters, those whom the checks propose to exclude first, and what concerns all of them."""

    lines: tuple[RaterLine, ...]
    voting: VotingFigures

    @property
    def proposed(self) -> int:
        """Raters with two reasons or more who still count."""
        return sum(
            line.check is not None and line.check.proposes_exclusion and line.status == "counts"
            for line in self.lines
        )


def voting_figures(session: Session, study: Study) -> VotingFigures:
    """Reads every vote: a second for 15,000."""
    found = conduct.choices(session, study)
    counted = conduct.counted_votes(session, study)
    conducts = conduct.conducts(found, conduct.damaged_items(session, study))
    votes = {vote for of_scene in counted.values() for vote in of_scene}
    return VotingFigures(
        conducts,
        conduct.checks(found, counted, conducts),
        position_bias([(one.position, len(one.order)) for one in found if one.vote in votes]),
        repeat_agreement([pair for one in conducts.values() for pair in one.repeats]),
    )


def raters_figures(session: Session, study: Study, voting: VotingFigures) -> RatersFigures:
    """Joins the rows of this moment to what the votes tell; changes nothing."""
    raters = session.scalars(select(Rater).where(Rater.study_id == study.id).order_by(Rater.id)).all()
    latest = _answers(session, study)
    exclusions = _newest_exclusions(session, study)
    failed = _failed_displays(session, study)
    lines = [
        _line(rater, exclusions.get(rater.id), latest.get(rater.id), voting, rater.id in failed)
        for rater in raters
    ]
    return RatersFigures(tuple(sorted(lines, key=_urgency)), voting)


def _line(
    rater: Rater, exclusion: Exclusion | None, answered: tuple[int, datetime] | None,
    voting: VotingFigures, display_failed: bool,
) -> RaterLine:  # fmt: skip
    is_excluded = exclusion is not None and exclusion.excluded
    return RaterLine(
        rater=rater,
        status=_status(rater, is_excluded, display_failed),
        is_excluded=is_excluded,
        exclusion=exclusion,
        answers=answered[0] if answered else 0,
        conduct=voting.conducts.get(rater.id, Conduct()),
        check=voting.checks.get(rater.id),
        last_answer=answered[1] if answered else None,
    )


def _status(rater: Rater, is_excluded: bool, display_failed: bool) -> str:
    if rater.state != "active":
        return rater.state
    if is_excluded:
        return "excluded"
    failed = [
        name
        for name, passed in (("colour vision", rater.colour_passed), ("training", rater.training_passed))
        if passed is False
    ]
    if display_failed:
        failed.append("display")
    return f"not passed: {', '.join(failed)}" if failed else "counts"


def _urgency(line: RaterLine) -> tuple[int, int, int]:
    reasons = len(line.check.reasons) if line.check and line.status == "counts" else 0
    return -reasons if reasons > 1 else 0, line.status != "counts", line.rater.id


def _answers(session: Session, study: Study) -> dict[int, tuple[int, datetime]]:
    """Answers to real scenes and the time of the last, by rater."""
    query = (
        select(Assignment.rater_id, func.count(), func.max(Vote.server_at))
        .join(Vote, Vote.assignment_id == Assignment.id)
        .where(
            Assignment.study_scene.has(study_id=study.id, role="real"),
            Assignment.round == 1,
            Vote.version == 1,
        )
        .group_by(Assignment.rater_id)
    )
    return {rater: (count, last) for rater, count, last in session.execute(query)}


def _newest_exclusions(session: Session, study: Study) -> dict[int, Exclusion]:
    rows: Sequence[Exclusion] = session.scalars(
        select(Exclusion)
        .join(Rater, Rater.id == Exclusion.rater_id)
        .where(Rater.study_id == study.id)
        .order_by(Exclusion.id)
    ).all()
    return {row.rater_id: row for row in rows}


def _failed_displays(session: Session, study: Study) -> set[int]:
    """Raters who never sat before a display that passed."""
    of_study = select(Sitting.rater_id, Sitting.display_passed).join(Rater, Rater.id == Sitting.rater_id)
    rows = session.execute(of_study.where(Rater.study_id == study.id)).all()
    fine = {rater for rater, passed in rows if passed is not False}
    return {rater for rater, _ in rows} - fine


def sittings_of(session: Session, rater: Rater) -> Sequence[Sitting]:
    """The rater's sittings in order."""
    return session.scalars(select(Sitting).where(Sitting.rater_id == rater.id).order_by(Sitting.number)).all()


def screen_of(display: Mapping[str, Any]) -> str:
    """Width and height of the screen as the display check stored them."""
    sides = display.get("screen") or [display.get("width"), display.get("height")]
    return " × ".join(str(side) for side in sides) if all(sides) else "–"


def plates_of(session: Session, rater: Rater) -> Sequence[ScreeningAnswer]:
    """The rater's answers to the colour plates."""
    return session.scalars(
        select(ScreeningAnswer).where(ScreeningAnswer.rater_id == rater.id).order_by(ScreeningAnswer.id)
    ).all()


def exclusions_of(session: Session, rater: Rater) -> Sequence[Exclusion]:
    """Every exclusion and restoration, oldest first."""
    return session.scalars(
        select(Exclusion).where(Exclusion.rater_id == rater.id).order_by(Exclusion.id)
    ).all()
