"""Raters who come back: by their resume code, or by a personal link after they withdrew."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.storage.models import Invite, Rater, Study
from study_app.storage.tokens import token_hash

HAVE_DATA = ("active", "withdrawn")


def rater_of_code(session: Session, code: str) -> Rater | None:
    """The rater who was given this resume code, unless their data were erased."""
    if not code.strip():
        return None
    return session.scalar(
        select(Rater).where(Rater.resume_hash == token_hash(code), Rater.state.in_(HAVE_DATA))
    )


def withdrawn_rater(session: Session, token: str) -> Rater | None:
    """The rater of a personal link who withdrew: they take no part, but may still see and erase their data."""
    invite = invite_of(session, token)
    if invite is None or not invite.is_personal or invite.revoked_at is not None:
        return None
    return session.scalar(select(Rater).where(Rater.invite_id == invite.id, Rater.state == "withdrawn"))


def invite_of(session: Session, token: str) -> Invite | None:
    """The invitation of a link's token, whatever its state."""
    return session.scalar(select(Invite).where(Invite.token_hash == token_hash(token)))


def study_is_yet_to_open(session: Session, invite: Invite) -> bool:
    """Whether the link is only too early."""
    return session.get_one(Study, invite.study_id).state == "draft"
