"""Invitation links: made, shown again, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import clock
from study_app.lab.numbers_typed import number_between
from study_app.lab.visits import MAY_PREPARE, Visit, visit
from study_app.preparation.invites import make_invite, revoke_invite
from study_app.storage import audit
from study_app.storage.models import Invite, Study
from study_app.storage.tokens import invite_token
from study_app.web.running_application import database, settings

LONGEST_DAYS = 365
MOST_USES = 10_000
DEFAULT_WISH = {"label": "", "max_uses": "100", "days": "30"}

blueprint = Blueprint("invitations", __name__)


@dataclass(frozen=True)
class Link:
    """One invitation as the page lists it."""

    invite: Invite
    address: str
    state: str  # valid, revoked, expired, used up


@blueprint.get("/studies/<study_id>/invitations")
def page(study_id: str) -> str:
    """All links of the study and the form for a new one."""
    with database().reading() as session:
        return _page(session, visit(session, study_id, *MAY_PREPARE))


@blueprint.post("/studies/<study_id>/invitations")
def make(study_id: str) -> Response | tuple[str, int]:
    """Make a link."""
    wish = {name: request.form.get(name, "").replace("\0", "").strip() for name in DEFAULT_WISH}
    is_personal = request.form.get("kind") == "personal"
    at = clock.now()
    with database().writing() as session:
        here = visit(session, study_id, *MAY_PREPARE)
        try:
            days = number_between("Days until it expires", wish["days"], 1, LONGEST_DAYS)
            uses = 1 if is_personal else number_between("Uses of a lab link", wish["max_uses"], 1, MOST_USES)
        except ValueError as error:
            return _page(session, here, wish=wish, problem=str(error)), 422
        invite, _ = make_invite(
            session, here.study, settings().secret_key, label=wish["label"][:100],
            is_personal=is_personal, is_expert=request.form.get("is_expert") == "1", max_uses=uses,
            expires_at=at + timedelta(days=days), at=at,
        )  # fmt: skip
        detail = {"study": study_id, "invite": invite.public_id, "label": invite.label}
        audit.record(session, here.experimenter.name, "make invite", detail, at)
    return redirect(url_for("managing.invitations.page", study_id=study_id), 303)


@blueprint.post("/studies/<study_id>/invitations/<invite_id>/revoke")
def revoke(study_id: str, invite_id: str) -> Response:
    """End a link."""
    at = clock.now()
    with database().writing() as session:
        here = visit(session, study_id, *MAY_PREPARE)
        invite = session.scalar(
            select(Invite).where(Invite.public_id == invite_id, Invite.study_id == here.study.id)
        )
        if invite is None:
            abort(404)
        if invite.revoked_at is None:
            revoke_invite(session, invite, at)
            detail = {"study": study_id, "invite": invite_id, "label": invite.label}
            audit.record(session, here.experimenter.name, "revoke invite", detail, at)
    return redirect(url_for("managing.invitations.page", study_id=study_id), 303)


def links(session: Session, study: Study, at: datetime) -> list[Link]:
    """All links of the study, newest first, as they stand at this time."""
    secret_key = settings().secret_key
    invites = session.scalars(
        select(Invite).where(Invite.study_id == study.id).order_by(Invite.created_at.desc(), Invite.id.desc())
    )
    base = request.host_url.rstrip("/")
    return [
        Link(one, f"{base}/join/{invite_token(secret_key, one.public_id)}", _state(one, at))
        for one in invites
    ]


def _state(invite: Invite, at: datetime) -> str:
    if invite.revoked_at is not None:
        return "revoked"
    if invite.is_personal and invite.uses:
        return "valid"  # it brings its rater back for as long as the study runs
    if invite.uses >= invite.max_uses:
        return "used up"
    return "expired" if invite.expires_at <= at else "valid"


def _page(
    session: Session, here: Visit, *, wish: dict[str, str] | None = None, problem: str | None = None
) -> str:
    found = links(session, here.study, clock.now())
    return here.page("lab/invitations.html", links=found, wish=wish or DEFAULT_WISH, problem=problem)
