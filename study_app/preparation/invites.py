"""Links that let raters in: made, revoked, redeemed. A refusal says whom to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.storage.models import Invite, Rater, Study
from study_app.storage.tokens import invite_token, new_public_id, new_resume_code, token_hash

ASK = "Please ask the person who sent you the link for a new one."
REFUSALS = {
    "unknown": f"This link is not known here; perhaps a part of it was lost. {ASK}",
    "revoked": f"This link was withdrawn. {ASK}",
    "expired": f"This link has expired. {ASK}",
    "used-up": f"This link was used as often as it may be. {ASK}",
    "closed": "This study takes no more raters. Thank you for your interest.",
    "left": "You left this study, and the link does not bring you back. Thank you for taking part.",
}


class InviteRefused(ValueError):
    """The link lets nobody in; `reason` is a key of REFUSALS, the message its sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(REFUSALS[reason])


@dataclass(frozen=True)
class Redeemed:
    """Who came in. The resume code is shown once: only its hash is stored."""

    rater: Rater
    resume_code: str | None  # of a new rater of a lab link
    is_new: bool


def make_invite(
    session: Session,
    study: Study,
    secret_key: str,
    *,
    label: str,
    is_personal: bool,
    is_expert: bool,
    max_uses: int,
    expires_at: datetime,
    at: datetime,
) -> tuple[Invite, str]:
    """A new link and its token, which `tokens.invite_token` gives again at any time.

    A personal link makes one rater and brings them back ever after; ValueError names an impossible wish.
    """
    if max_uses < 1 or (is_personal and max_uses != 1):
        wanted = "1 (it makes one rater)" if is_personal else "at least 1"
        raise ValueError(
            f"max_uses of a {'personal' if is_personal else 'lab'} link: {wanted}, found {max_uses}"
        )
    if expires_at <= at:
        raise ValueError(f"the link would expire at {expires_at:%Y-%m-%d %H:%M}, which is past")
    public_id = new_public_id()
    token = invite_token(secret_key, public_id)
    invite = Invite(
        public_id=public_id, study_id=study.id, token_hash=token_hash(token), label=label.strip(),
        is_personal=is_personal, is_expert=is_expert, max_uses=max_uses, uses=0, created_at=at,
        expires_at=expires_at,
    )  # fmt: skip
    session.add(invite)
    session.flush()
    return invite, token


def revoke_invite(session: Session, invite: Invite, at: datetime) -> None:
    """The link lets nobody in any more, not even its own rater; done twice, the first time stands."""
    if invite.revoked_at is None:
        invite.revoked_at = at
    session.flush()


def check_invite(session: Session, token: str, at: datetime) -> Invite:
    """The invite of a link that `redeem` would accept now; changes nothing. Raises InviteRefused."""
    invite = session.scalar(select(Invite).where(Invite.token_hash == token_hash(token)))
    if invite is None:
        raise InviteRefused("unknown")
    if invite.revoked_at is not None:
        raise InviteRefused("revoked")
    rater = _own_rater(session, invite)
    if rater is not None and rater.state != "active":
        raise InviteRefused("left")
    if rater is None:
        _require_room(session, invite, at)
    return invite


def redeem(session: Session, token: str, at: datetime) -> Redeemed:
    """Let somebody in: a new rater, or the rater of a personal link again. Raises InviteRefused.

    Needs a writing transaction: the invite's row is locked, so racing redemptions cannot overuse it.
    """
    locked = select(Invite).where(Invite.token_hash == token_hash(token)).with_for_update()
    session.scalar(locked.execution_options(populate_existing=True))
    invite = check_invite(session, token, at)
    rater = _own_rater(session, invite)
    if rater is not None:
        return Redeemed(rater, None, is_new=False)
    invite.uses += 1
    code = None if invite.is_personal else new_resume_code()
    rater = Rater(
        public_id=new_public_id(), study_id=invite.study_id, invite_id=invite.id, is_expert=invite.is_expert,
        resume_hash=token_hash(code) if code else None, joined_at=at,
    )  # fmt: skip
    session.add(rater)
    session.flush()
    return Redeemed(rater, code, is_new=True)


def _own_rater(session: Session, invite: Invite) -> Rater | None:
    """The rater whom a personal link brings back; a lab link has none."""
    if not invite.is_personal:
        return None
    return session.scalar(select(Rater).where(Rater.invite_id == invite.id))


def _require_room(session: Session, invite: Invite, at: datetime) -> None:
    if at >= invite.expires_at:
        raise InviteRefused("expired")
    if invite.uses >= invite.max_uses:
        raise InviteRefused("used-up")
    study = session.get_one(Study, invite.study_id)
    if study.state != "open":
        raise InviteRefused("closed")
