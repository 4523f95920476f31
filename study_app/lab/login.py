"""Signing in and out. Five wrong passwords lock an account for a quarter of an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from flask import Blueprint, redirect, render_template, request, url_for
from flask import session as cookie
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Unauthorized
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from study_app import clock
from study_app.storage import audit
from study_app.storage.models import Experimenter
from study_app.web.identity import remember_experimenter, require_experimenter
from study_app.web.protection import limiter
from study_app.web.running_application import database

FAILURES_BEFORE_LOCK = 5
LOCKED_FOR = timedelta(minutes=15)
# One sentence for every cause, so that it tells nobody which accounts exist
REFUSED = (
    "Name and password do not fit together, or the account is locked: after five wrong passwords it is for "
    "15 minutes. An admin can set a new password."
)

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
def form() -> str:
    """The page to sign in."""
    return render_template("lab/login.html", name="", refused=None)


@blueprint.post("/login")
@limiter.limit("5/minute")
def sign_in() -> Response | tuple[str, int]:
    """Check name and password, count failures, start a session under a fresh cookie."""
    name, password = request.form.get("name", "").replace("\0", "").strip(), request.form.get("password", "")
    fits = _fits(name, password)  # slow on purpose, hence outside of the writing transaction
    with database().writing() as session:
        experimenter_id = _count_attempt(session, name, fits, clock.now())
    if experimenter_id is None:
        return render_template("lab/login.html", name=name, refused=REFUSED), 403
    remember_experimenter(experimenter_id)
    return redirect(url_for("managing.studies.overview"), 303)


@blueprint.post("/logout")
def sign_out() -> Response:
    """End the session of this browser."""
    with database().writing() as session:
        who = require_experimenter(session)
        audit.record(session, who.name, "sign out", {}, clock.now())
    cookie.clear()
    return redirect(url_for("managing.login.form"), 303)


def ask_to_sign_in(error: Unauthorized) -> Response | tuple[str, int]:
    """A page sends to the form; a fragment that the page's script asked for says 401 and nothing else."""
    if request.method == "GET" and not request.headers.get("X-Fragment"):
        return redirect(url_for("managing.login.form"), 303)
    return str(error.description), 401


def _fits(name: str, password: str) -> bool:
    with database().reading() as session:
        stored = session.scalar(select(Experimenter.password_hash).where(Experimenter.name == name))
    return check_password_hash(stored or _nobodys_hash(), password) and stored is not None


@cache
def _nobodys_hash() -> str:
    """A hash that no password fits in earnest: an unknown name takes as long as a known one."""
    return generate_password_hash("nobody", method="scrypt")


def _count_attempt(session: Session, name: str, fits: bool, at: datetime) -> int | None:
    """Id of the experimenter who is let in; a failure counts towards the lock, a locked account stays shut."""
    account = session.scalar(select(Experimenter).where(Experimenter.name == name))
    if account is None or (account.locked_until is not None and account.locked_until > at):
        return None
    if fits:
        account.failed_logins, account.locked_until = 0, None
        audit.record(session, name, "sign in", {}, at)
        return account.id
    account.failed_logins += 1
    if account.failed_logins >= FAILURES_BEFORE_LOCK:
        account.failed_logins, account.locked_until = 0, at + LOCKED_FOR
        audit.record(session, name, "locked out", {"until": account.locked_until.isoformat()}, at)
    return None
