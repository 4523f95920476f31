"""Accounts of experimenters: an admin makes them, gives roles, sets a new password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app import clock
from study_app.lab.visits import MAY_PREPARE, permissions
from study_app.preparation.experimenters import new_password, set_experimenter
from study_app.storage import audit
from study_app.storage.models import EXPERIMENTER_ROLES, Experimenter
from study_app.web.identity import require_experimenter
from study_app.web.running_application import database

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/accounts")
def page() -> str:
    """All accounts and the form to set one."""
    with database().reading() as session:
        return _page(session, require_experimenter(session, *MAY_PREPARE))


@blueprint.post("/accounts")
def set_one() -> str | tuple[str, int]:
    """Make an account or set it anew; the random password is shown once."""
    name, role = request.form.get("name", "").replace("\0", "").strip(), request.form.get("role", "")
    password, at = new_password(), clock.now()
    with database().writing() as session:
        who = require_experimenter(session, *MAY_PREPARE)
        problem = _problem(session, name, role)
        if problem:
            return _page(session, who, problem=problem), 422
        _, is_new = set_experimenter(session, name, password, role=role, at=at)
        action = "make account" if is_new else "set account"
        audit.record(session, who.name, action, {"name": name, "role": role}, at)
        return _page(session, who, made={"name": name, "password": password})


def _problem(session: Session, name: str, role: str) -> str | None:
    if not name or len(name) > 100:
        return "Name: 1 to 100 characters expected."
    if role not in EXPERIMENTER_ROLES:
        return f"Role: one of {', '.join(EXPERIMENTER_ROLES)} expected."
    others = session.scalar(
        select(func.count())
        .select_from(Experimenter)
        .where(Experimenter.role == "admin", Experimenter.name != name)
    )
    if role != "admin" and not others:
        return f"{name} is the only admin and has to remain one, or nobody could make accounts."
    return None


def _page(session: Session, who: Experimenter, **more: Any) -> str:
    accounts = session.scalars(select(Experimenter).order_by(Experimenter.name)).all()
    return render_template(
        "lab/accounts.html",
        accounts=accounts,
        roles=EXPERIMENTER_ROLES,
        now=clock.now(),
        **permissions(who),
        **more,
    )
