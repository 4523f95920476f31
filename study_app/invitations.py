"""Links and codes that let people in: which still work, and whom they let in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from study_app.models import Invite, Rater, Study
from study_app.tokens import new_public_id, new_resume_code, token_hash


@dataclass(frozen=True)
class Entry:
    """Who came in. A rater of a lab link also gets a code, which is known at this moment only."""

    rater: Rater
    resume_code: str | None = None


def find(session: Session, token: str) -> Invite | None:
    """The invitation of a link's token."""
    return session.scalar(select(Invite).where(Invite.token_hash == token_hash(token)))


def rater_of(session: Session, invite: Invite) -> Rater | None:
    """The one rater of a personal link, once it was used; None for lab links."""
    if not invite.is_personal:
        return None
    return session.scalar(select(Rater).where(Rater.invite_id == invite.id).order_by(Rater.id))


def refusal(session: Session, invite: Invite, at: datetime) -> str | None:
    """Why the link lets nobody in: revoked, expired, erased, closed, not-open or used-up; None where it does.

    A personal link that was used still brings its rater back, also to a closed study (for their own data).
    """
    if invite.revoked_at is not None:
        return "revoked"
    if invite.expires_at <= at:
        return "expired"
    known = rater_of(session, invite)
    if known is not None:
        return "erased" if known.state in ("erasing", "erased") else None
    study_state = session.get_one(Study, invite.study_id).state
    if study_state == "draft":
        return "not-open"
    if study_state != "open":
        return "closed"
    return "used-up" if invite.uses >= invite.max_uses else None


def redeem(session: Session, invite: Invite, at: datetime) -> Entry | None:
    """Let in the personal link's rater, or a new one; None where the last use was taken this very moment."""
    known = rater_of(session, invite)
    if known is None and _take_one_use(session, invite):
        return _new_rater(session, invite, at)
    known = known or rater_of(session, invite)  # somebody pressed the button twice
    return Entry(known) if known else None


def rater_of_code(session: Session, code: str) -> Rater | None:
    """The rater who was given this resume code."""
    if not code.strip():
        return None
    return session.scalar(
        select(Rater).where(Rater.resume_hash == token_hash(code), Rater.state.in_(("active", "withdrawn")))
    )


def _take_one_use(session: Session, invite: Invite) -> bool:
    """Count in the database itself, so that two at once cannot both take the last use."""
    taken = session.execute(
        update(Invite)
        .where(Invite.id == invite.id, Invite.uses < Invite.max_uses)
        .values(uses=Invite.uses + 1)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _new_rater(session: Session, invite: Invite, at: datetime) -> Entry:
    code = None if invite.is_personal else new_resume_code()
    rater = Rater(
        public_id=new_public_id(),
        study_id=invite.study_id,
        invite_id=invite.id,
        resume_hash=token_hash(code) if code else None,
        is_expert=invite.is_expert,
        joined_at=at,
    )
    session.add(rater)
    session.flush()
    return Entry(rater, code)
