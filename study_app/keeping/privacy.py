"""A rater's rights over their own data: see it, leave, be forgotten; and what is forgotten in time by itself.

Withdrawing stops and excludes: the answers stay, uncounted. Erasing deletes them. Looks, decisions and backups
made before hold counts only, never a name, and are not rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, selectinload

from study_app.counting import tally
from study_app.storage.models import (
    Assignment,
    Consent,
    Invite,
    Rater,
    RaterContact,
    ScreeningAnswer,
    Sitting,
    Study,
    StudyScene,
    Vote,
    VotePick,
)

RETENTION = timedelta(days=365)
WITHDRAWAL = "withdrawal"


@dataclass(frozen=True)
class Expired:
    """What `expire` forgot."""

    studies: int
    contacts: int
    links: int  # resume codes and invitations that no longer lead to a pseudonym


def own_data(session: Session, rater: Rater) -> dict[str, Any]:
    """Everything stored about this rater, as the rater may see it: letters, never what stood behind them."""
    contact = session.get(RaterContact, rater.id)
    invite = session.get(Invite, rater.invite_id) if rater.invite_id is not None else None
    return {
        "pseudonym": rater.public_id,
        "state": rater.state,
        "invitation_label": invite.label if invite is not None else None,
        "joined_at": _time(rater.joined_at),
        "instructions_at": _time(rater.instructions_at),
        "finished_at": _time(rater.finished_at),
        "email": contact.email if contact else None,
        "colour_vision_passed": rater.colour_passed,
        "training_passed": rater.training_passed,
        "consents": [
            {"version": row.version, "text_sha256": row.text_hash, "given_at": _time(row.given_at)}
            for row in _rows(session, Consent, rater)
        ],
        "colour_vision_answers": [
            {"plate": row.plate, "answer": row.answer, "at": _time(row.answered_at)}
            for row in _rows(session, ScreeningAnswer, rater)
        ],
        "sittings": [
            {
                "number": row.number,
                "started_at": _time(row.started_at),
                "ended_at": _time(row.ended_at),
                "display": row.display,
                "display_passed": row.display_passed,
            }
            for row in _rows(session, Sitting, rater)
        ],
        "votes": [_own_vote(vote) for vote in _votes(session, rater)],
    }


def _rows(session: Session, table: Any, rater: Rater) -> list[Any]:
    return list(session.scalars(select(table).where(table.rater_id == rater.id).order_by(table.id)))


def _votes(session: Session, rater: Rater) -> list[Vote]:
    query = (
        select(Vote)
        .join(Vote.assignment)
        .where(Assignment.rater_id == rater.id)
        .order_by(Vote.id)
        .options(selectinload(Vote.picks), selectinload(Vote.assignment))
    )
    return list(session.scalars(query))


def _own_vote(vote: Vote) -> dict[str, Any]:
    """One answer; scenes and pictures only by the trial's random name and letters."""
    order = vote.assignment.order_json
    return {
        "trial": vote.assignment.public_id,
        "version": vote.version,
        "kind": vote.kind,
        "picks": [chr(ord("A") + order.index(pick.item_id)) for pick in vote.picks],
        "acceptable": vote.acceptable,
        "reasons": vote.reasons,
        "comment": vote.comment,
        "saved_at": _time(vote.server_at),
        "browser_time": _time(vote.client_at),
        "behaviour": vote.behaviour,
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else f"{value.isoformat(timespec='seconds')}Z"


def withdraw(session: Session, rater: Rater, at: datetime) -> None:
    """The rater stops; no answer of theirs counts from now on, and every scene they saw is computed again."""
    if rater.state != "active":
        return
    rater.state = "withdrawn"
    session.flush()
    tally.exclude(session, rater, "the rater withdrew", WITHDRAWAL, True, at)


def erase(session: Session, rater: Rater, at: datetime) -> None:
    """Delete everything about the rater but an empty row; every scene they saw is computed again."""
    if rater.state == "erased":
        return
    rater.state = "erasing"  # the one state in which the triggers let go of votes
    session.flush()
    trials = select(Assignment.id).where(Assignment.rater_id == rater.id).scalar_subquery()
    seen = select(Assignment.study_scene_id).where(Assignment.rater_id == rater.id)
    scenes = session.scalars(
        select(StudyScene).where(StudyScene.id.in_(seen), StudyScene.role == "real").order_by(StudyScene.id)
    ).all()
    votes = select(Vote.id).where(Vote.assignment_id.in_(trials)).scalar_subquery()
    session.execute(delete(VotePick).where(VotePick.vote_id.in_(votes)))
    session.execute(delete(Vote).where(Vote.assignment_id.in_(trials)))
    _forget_invitation(session, rater, at)
    for table in (Assignment, Sitting, ScreeningAnswer, Consent, RaterContact):
        session.execute(delete(table).where(table.rater_id == rater.id))
    _blank(rater)
    session.flush()
    session.expire_all()
    for scene in scenes:
        tally.refresh_scene(session, scene, at)


def _forget_invitation(session: Session, rater: Rater, at: datetime) -> None:
    """A personal link's label may be a name, and the link must let nobody in under the empty row."""
    invite = session.get(Invite, rater.invite_id) if rater.invite_id is not None else None
    if invite is not None and invite.is_personal:
        invite.label = ""
        invite.revoked_at = invite.revoked_at or at


def _blank(rater: Rater) -> None:
    """What stays: that there was somebody, so that exclusions and counts of people still add up."""
    rater.state = "erased"
    rater.invite_id = None
    rater.resume_hash = None
    rater.colour_passed = None
    rater.training_passed = None
    rater.instructions_at = None
    rater.finished_at = None


def expire(session: Session, at: datetime, *, retention: timedelta = RETENTION) -> Expired:
    """Forget who stands behind the pseudonyms of studies that were closed or frozen longer ago than `retention`."""
    studies = [
        study.id
        for study in session.scalars(select(Study).where(Study.state.in_(("closed", "frozen"))))
        if at - (study.frozen_at or study.closed_at or at) > retention
    ]
    raters = select(Rater.id).where(Rater.study_id.in_(studies)).scalar_subquery()
    contacts = session.execute(delete(RaterContact).where(RaterContact.rater_id.in_(raters)))
    session.execute(update(Invite).where(Invite.study_id.in_(studies)).values(label=""))
    links = session.execute(
        update(Rater)
        .where(Rater.study_id.in_(studies), (Rater.resume_hash.is_not(None)) | (Rater.invite_id.is_not(None)))
        .values(resume_hash=None, invite_id=None)
    )
    return Expired(len(studies), _count(contacts), _count(links))


def _count(result: Any) -> int:
    return int(result.rowcount)
