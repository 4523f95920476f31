"""The order of a rater's pages. The only place that knows it; each page asks here where to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.rating import sittings, training, trials
from study_app.storage.models import Consent, Rater, Study

INSTRUCTIONS_LAST = timedelta(hours=24)


@dataclass(frozen=True)
class Progress:
    """What a rater has done, as far as the order of pages depends on it."""

    takes_part: bool  # study open, rater neither withdrawn nor erased
    has_consented: bool
    has_trials_left: bool
    is_resting: bool
    is_sitting: bool  # before a display that was checked, in a sitting that still takes trials
    colour_vision_done: bool
    instructions_read: bool
    training_done: bool


def step(progress: Progress) -> str:
    """The page where this rater belongs now."""
    if not progress.takes_part:
        return "/finish"
    if not progress.has_consented:
        return "/consent"
    if not progress.has_trials_left:
        return "/finish"
    if progress.is_resting:
        return "/break"
    if not progress.is_sitting:
        return "/display-check"
    if not progress.colour_vision_done:
        return "/colour-vision"
    if not progress.instructions_read:
        return "/instructions"
    return "/trial" if progress.training_done else "/training"


def next_step(session: Session, rater: Rater, at: datetime) -> str:
    """The page where this rater belongs now; reads only, so a reload or a crash changes nothing."""
    return step(progress(session, rater, at))


def note_finish(session: Session, rater_id: int, at: datetime) -> None:
    """Keep the moment at which a rater first had nothing left to do."""
    rater = session.get_one(Rater, rater_id)
    rater.finished_at = rater.finished_at or at


def progress(session: Session, rater: Rater, at: datetime) -> Progress:
    """Read how far a rater has come."""
    study = session.get_one(Study, rater.study_id)
    sitting = sittings.latest(session, rater)
    times = sittings.times(session, sitting) if sitting else None
    return Progress(
        takes_part=study.state == "open" and rater.state == "active",
        has_consented=has_consented(session, rater),
        has_trials_left=trials.is_anything_left(session, rater, at),
        is_resting=times is not None and sittings.rests_until(times, at) is not None,
        is_sitting=times is not None and not sittings.is_over(times, at),
        colour_vision_done=rater.colour_passed is not None,
        instructions_read=_instructions_hold(rater, times.started_at if times else at),
        training_done=rater.training_passed is not None or training.outcome(session, rater) is not None,
    )


def has_consented(session: Session, rater: Rater) -> bool:
    """Whether the rater agreed to the text that the study has now."""
    version = session.scalar(select(Study.consent_version).where(Study.id == rater.study_id))
    given = select(Consent.id).where(Consent.rater_id == rater.id, Consent.version == version)
    return session.scalar(given.limit(1)) is not None


def _instructions_hold(rater: Rater, sitting_started_at: datetime) -> bool:
    """Counted from the start of the sitting, so that the page never comes between two trials."""
    read_at = rater.instructions_at
    return read_at is not None and sitting_started_at - read_at < INSTRUCTIONS_LAST
