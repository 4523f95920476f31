"""The trials between two breaks, on one display. When a break is due follows from the stored answers alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.storage.models import Assignment, Rater, Sitting, StudyScene, Vote

TRIALS_PER_SITTING = 20
SITTING_LENGTH = timedelta(minutes=25)
BREAK_LENGTH = timedelta(minutes=3)
IDLE_LIMIT = timedelta(minutes=30)  # who was away for longer has rested, and may sit at another display


@dataclass(frozen=True)
class SittingTimes:
    """What the rules of breaks need to know of one sitting."""

    started_at: datetime
    answered: int  # trials with an answer; training does not count
    last_answer_at: datetime | None
    last_seen_at: datetime  # the newest of start, trial shown and answer
    ended_at: datetime | None = None
    break_until: datetime | None = None


def forced_break_until(times: SittingTimes) -> datetime | None:
    """End of the break that the sitting's last answer made due; None while none is due.

    Only an answer ends a sitting, so nobody is torn away from a scene.
    """
    if times.last_answer_at is None:
        return None
    is_due = times.answered >= TRIALS_PER_SITTING or times.last_answer_at - times.started_at >= SITTING_LENGTH
    return times.last_answer_at + BREAK_LENGTH if is_due else None


def is_over(times: SittingTimes, at: datetime) -> bool:
    """Whether the next trial belongs to a new sitting (with its own display check)."""
    idle = at - times.last_seen_at > IDLE_LIMIT
    return times.ended_at is not None or forced_break_until(times) is not None or idle


def rests_until(times: SittingTimes, at: datetime) -> datetime | None:
    """End of the break that the rater is in at this moment, or None."""
    until = times.break_until if times.ended_at is not None else forced_break_until(times)
    return until if until is not None and until > at else None


def latest(session: Session, rater: Rater) -> Sitting | None:
    """The rater's newest sitting, over or not."""
    return session.scalar(select(Sitting).where(Sitting.rater_id == rater.id).order_by(Sitting.number.desc()))


def current(session: Session, rater: Rater) -> Sitting | None:
    """The rater's sitting that nobody ended; `flow.next_step` says whether it still takes trials."""
    sitting = latest(session, rater)
    return sitting if sitting is not None and sitting.ended_at is None else None


def start(
    session: Session, rater: Rater, display: dict[str, Any], display_passed: bool, at: datetime
) -> Sitting:
    """Begin the next sitting with what its display check found; ends one that is still open."""
    previous = latest(session, rater)
    if previous is not None and previous.ended_at is None:
        finish(session, previous, at)
    sitting = Sitting(
        rater_id=rater.id,
        number=previous.number + 1 if previous else 1,
        started_at=at,
        display=display,
        display_passed=display_passed,
    )
    session.add(sitting)
    session.flush()
    return sitting


def finish(session: Session, sitting: Sitting, at: datetime) -> None:
    """End a sitting. A forced break keeps its end; one that the rater asked for may be as short as they like."""
    sitting.break_until = forced_break_until(times(session, sitting)) or at
    sitting.ended_at = at
    session.flush()


def answered(session: Session, sitting: Sitting) -> int:
    """Trials of this sitting that have an answer; training does not count."""
    return times(session, sitting).answered


def times(session: Session, sitting: Sitting) -> SittingTimes:
    """Read what the rules of breaks need."""
    of_trials = (
        select(func.count(Assignment.id.distinct()), func.max(Vote.server_at))
        .join(Vote, Vote.assignment_id == Assignment.id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(Assignment.sitting_id == sitting.id, StudyScene.role != "training")
    )
    count, last_answer_at = session.execute(of_trials).one()
    of_all = (
        select(func.max(Assignment.assigned_at), func.max(Vote.server_at))
        .outerjoin(Vote, Vote.assignment_id == Assignment.id)
        .where(Assignment.sitting_id == sitting.id)
    )
    seen = [moment for moment in session.execute(of_all).one() if moment is not None]
    return SittingTimes(
        started_at=sitting.started_at,
        answered=count,
        last_answer_at=last_answer_at,
        last_seen_at=max([sitting.started_at, *seen]),
        ended_at=sitting.ended_at,
        break_until=sitting.break_until,
    )
