"""Who is asking: the rater or the experimenter behind the signed cookie."""

from __future__ import annotations

from flask import abort, session
from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.storage.models import Experimenter, Rater

RATER_KEY, EXPERIMENTER_KEY = "rater", "experimenter"


def remember_rater(public_id: str) -> None:
    """Start a rater's session under a fresh cookie."""
    session.clear()
    session.permanent = True
    session[RATER_KEY] = public_id


def remember_experimenter(experimenter_id: int) -> None:
    """Start an experimenter's session under a fresh cookie."""
    session.clear()
    session[EXPERIMENTER_KEY] = experimenter_id


def require_rater(db: Session) -> Rater:
    """The rater of this request; answers 401 ("open your link again") where there is none or they left."""
    public_id = session.get(RATER_KEY)
    rater = db.scalar(select(Rater).where(Rater.public_id == public_id)) if public_id else None
    if rater is None or rater.state != "active":
        abort(401, "Please open your invitation link again. Answers that wait in this browser are kept.")
    return rater


def require_experimenter(db: Session, *roles: str) -> Experimenter:
    """The experimenter of this request; 401 where nobody is signed in, 404 where the role does not suffice."""
    found = db.get(Experimenter, session.get(EXPERIMENTER_KEY, -1))
    if found is None:
        abort(401, "Please sign in.")
    if roles and found.role not in roles:
        abort(404)
    return found
