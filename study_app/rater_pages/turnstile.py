"""Lets a rater into a page only when it is their turn, and knows what their browser remembers."""

from __future__ import annotations

import hashlib
import hmac

from flask import abort, current_app, redirect, request, session
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import clock
from study_app.rater_pages import flow
from study_app.storage.models import Rater
from study_app.web.identity import RATER_KEY

CODE_KEY = "resume_code"


def known_rater(db: Session) -> Rater | None:
    """Whom this browser's cookie names, if they still have data here; also one who withdrew."""
    found = db.scalar(select(Rater).where(Rater.public_id == session.get(RATER_KEY, "")))
    return found if found is not None and found.state in ("active", "withdrawn") else None


def rater_with_data(db: Session) -> Rater:
    """As `known_rater`, but answers 401 where there is none: who withdrew may still see and erase their data."""
    found = known_rater(db)
    if found is None:
        abort(401, "Please open your invitation link again.")
    return found


def elsewhere(db: Session, rater: Rater, page: str) -> Response | None:
    """The way to where the rater belongs, or None where they belong on this page."""
    step = flow.next_step(db, rater, clock.now())
    return None if step == page else redirect(step, 303)


def resume_code() -> str | None:
    """The rater's code, as long as this browser knows it: the signed cookie keeps it, the database only its hash."""
    code: str | None = session.get(CODE_KEY)
    return code


def remember_code(code: str | None) -> None:
    """Keep the code in this browser, which may act for the rater anyway."""
    if code:
        session[CODE_KEY] = code


def is_phone() -> bool:
    """Whether the browser says it runs on a phone; `?computer=1` overrules it."""
    says_mobile = request.headers.get("Sec-CH-UA-Mobile") == "?1" or "Mobi" in request.headers.get(
        "User-Agent", ""
    )
    return says_mobile and "computer" not in request.args


def secret_number(*purpose: object) -> int:
    """A number that only this server can compute, the same each time: 32 bits for patterns and plates."""
    text = ":".join(map(str, purpose)).encode()
    key = str(current_app.secret_key).encode()
    return int.from_bytes(hmac.new(key, text, hashlib.sha256).digest()[:4])
