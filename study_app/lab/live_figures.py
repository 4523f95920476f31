"""The figures of the Live page, read from the tables into plain values: equal figures are an equal page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session, defer, joinedload

from builder.catalog import Scene
from study_app.counting.counted_answers import excluded_rater_ids
from study_app.lab.forecast import Forecast, forecast
from study_app.statistics.rule import Rule
from study_app.storage.models import SCENE_STATES, Assignment, Rater, Study, StudyScene, Vote

HOURS = 24
ACTIVE = timedelta(minutes=15)  # a rater with an answer this fresh is at work
UNSETTLED = ("continue", "adjudicate")
TECHNICAL_PROMPT = 2  # technical reports after which the experimenter should look


@dataclass(frozen=True)
class Wanting:
    """A scene that needs the experimenter."""

    id: int
    name: str
    why: str


@dataclass(frozen=True)
class People:
    """Raters of the study."""

    joined: int
    at_work: int
    finished: int
    excluded: int
    simulated: int


@dataclass(frozen=True)
class LiveFigures:
    """All that the Live page shows."""

    study_state: str
    states: tuple[tuple[str, int], ...]
    scenes: int
    settled: int
    counted: int
    cannot_tell: int
    technical: int
    people: People
    hours: tuple[tuple[str, int], ...]  # start of the hour, answers; oldest first
    certainties: tuple[float, ...]  # of scenes with votes
    forecast: Forecast | None
    last_answer: datetime | None
    last_hour: int  # answers
    taking_votes: int  # scenes
    wanting: tuple[Wanting, ...]


def live_figures(session: Session, study: Study, rule: Rule, at: datetime) -> LiveFigures:
    """The study as it stands, times cut to the minute so that nothing changes without cause."""
    at = at.replace(second=0, microsecond=0)
    rows = session.scalars(
        select(StudyScene)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real")
        .options(joinedload(StudyScene.scene).load_only(Scene.name), defer(StudyScene.points))
    ).all()
    states = {state: sum(row.state == state for row in rows) for state in SCENE_STATES}
    answers = _answers(session, study, since=at - timedelta(hours=1))
    last = max((hour.last for hour in answers.values()), default=None)
    until = at if study.state == "open" or last is None else last
    hours = _hours(answers, until)
    since = max(study.opened_at or at, until - timedelta(hours=HOURS))
    return LiveFigures(
        study_state=study.state,
        states=tuple((state, count) for state, count in states.items() if count),
        scenes=len(rows),
        settled=sum(row.state not in UNSETTLED for row in rows),
        counted=sum(row.counted for row in rows),
        cannot_tell=sum(row.cannot_tell for row in rows),
        technical=sum(row.technical for row in rows),
        people=_people(session, study, at),
        hours=hours,
        certainties=tuple(sorted(max(row.p_best or 0, row.p_near or 0) for row in rows if row.counted)),
        forecast=forecast(
            [row.counted + row.cannot_tell for row in rows if row.state == "continue"],
            [row.counted + row.cannot_tell for row in rows if row.state not in (*UNSETTLED, "void")],
            minimum=rule.minimum, cap=rule.cap, recent=sum(count for _, count in hours), over=at - since, at=at,
        )
        if study.state == "open" else None,
        last_answer=None if last is None else last.replace(second=0, microsecond=0),
        last_hour=sum(hour.recent for hour in answers.values()),
        taking_votes=states["continue"],
        wanting=tuple(filter(None, (_wanting(row) for row in rows))),
    )  # fmt: skip


@dataclass(frozen=True)
class _Hour:
    """Answers to real scenes in one hour; a changed answer is no further one."""

    count: int
    last: datetime
    recent: int  # answers since a given time


def _answers(session: Session, study: Study, since: datetime) -> dict[str, _Hour]:
    """By day and hour, in one pass over the votes."""
    of_study = select(StudyScene.id).where(StudyScene.study_id == study.id, StudyScene.role == "real")
    hour = func.substr(cast(Vote.server_at, String), 1, len("2026-01-31 23"))  # both databases write it so
    recent = func.count().filter(Vote.server_at >= since)
    query = (
        select(hour, func.count(), func.max(Vote.server_at), recent)
        .select_from(Vote)
        .join(Assignment)
        .where(Assignment.study_scene_id.in_(of_study), Assignment.round == 1, Vote.version == 1)
        .group_by(hour)
    )
    return {str(hour): _Hour(*figures) for hour, *figures in session.execute(query)}


def _hours(answers: Mapping[str, _Hour], until: datetime) -> tuple[tuple[str, int], ...]:
    starts = (until - timedelta(hours=back) for back in reversed(range(HOURS)))
    found = ((start, answers.get(f"{start:%Y-%m-%d %H}")) for start in starts)
    return tuple((f"{start:%H}:00", hour.count if hour else 0) for start, hour in found)


def _people(session: Session, study: Study, at: datetime) -> People:
    joined, finished, simulated = session.execute(
        select(
            func.count(),
            func.count().filter(Rater.finished_at.is_not(None)),
            func.count().filter(Rater.simulated),
        ).where(Rater.study_id == study.id)
    ).one()
    # subqueries: as a join it would read all votes of all raters, whatever their time
    answered = select(Vote.assignment_id).where(Vote.server_at > at - ACTIVE)
    by = select(Assignment.rater_id).where(Assignment.id.in_(answered))
    at_work = session.scalar(select(func.count()).where(Rater.study_id == study.id, Rater.id.in_(by)))
    excluded = len(excluded_rater_ids(session, study))
    return People(joined, at_work or 0, finished, excluded, simulated)


def _wanting(row: StudyScene) -> Wanting | None:
    if row.state == "adjudicate" and not row.sent_to_experts:
        return Wanting(row.id, row.scene.name, "its raters could not settle it: send it to experts")
    if row.technical >= TECHNICAL_PROMPT and row.void_reason is None:
        return Wanting(row.id, row.scene.name, f"{row.technical} technical reports: look whether it is void")
    return None
