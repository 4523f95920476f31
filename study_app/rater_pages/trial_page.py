"""The trial page and what its script talks to: the trial, the vote, a change of mind, a broken picture; health."""

from __future__ import annotations

import logging
import math
import time
from datetime import datetime
from typing import Any

from flask import (
    Blueprint,
    Response,
    jsonify,
    redirect,
    render_template,
    request,
    session,
)
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from limits import parse
from sqlalchemy import exc, select, text
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as PlainResponse

from study_app import clock
from study_app.rater_pages import flow
from study_app.rating import sittings, training, trials, votes
from study_app.rating.trial_document import exposure_names, item_names, trial_document
from study_app.rating.vote_body import VoteError, parse_key, parse_object, parse_vote, public_id
from study_app.rating.votes import NoSuchTrial, Receipt, StoredVote, VoteConflict
from study_app.storage.database import retrying
from study_app.storage.models import Assignment, Rater, Vote
from study_app.web.identity import RATER_KEY, require_rater
from study_app.web.protection import RETRY_AFTER_SECONDS, SENTENCES, hashed_address, limiter
from study_app.web.running_application import database

blueprint = Blueprint("voting", __name__)
log = logging.getLogger(__name__)

PAGES = {"trial": "/trial", "training": "/training"}
VOTES_PER_RATER = "60/minute"
FAULTS_PER_TRIAL = parse("20/day")  # that reach the log
MAX_FAULT_TEXT = 200
OPEN_LINK_AGAIN = "Please open your invitation link again. Answers that wait in this browser are kept."


def rater_key() -> str:
    """Whom a limit counts: the rater, so that many raters behind one address do not hinder each other."""
    return str(session.get(RATER_KEY) or hashed_address())


@blueprint.get("/trial")
def trial_page() -> PlainResponse | str:
    """The page on which scenes are judged."""
    return _page("trial")


@blueprint.get("/training")
def training_page() -> PlainResponse | str:
    """The same page with scenes whose faults are known."""
    return _page("training")


def _page(kind: str) -> PlainResponse | str:
    try:
        document = _trial_or_next(PAGES[kind], clock.now())
    except (
        exc.OperationalError
    ):  # the page comes without its first trial, and its script asks until there is one
        document = {"next": _step(clock.now())}
    if document.get("next", PAGES[kind]) != PAGES[kind]:
        return redirect(document["next"])
    trial = None if "next" in document else document
    pictures = [shown["id"] for shown in (*trial["images"], *trial["exposures"])] if trial else []
    return render_template("trial.html", kind=kind, trial=trial, pictures=pictures)


def _step(at: datetime) -> str:
    with database().reading() as db:
        return flow.next_step(db, require_rater(db), at)


@blueprint.get("/api/trial")
def trial() -> Response:
    """The trial of now, or `next`: the page where the rater belongs instead."""
    return jsonify(_trial_or_next(_wanted_page(), clock.now()))


@blueprint.get("/api/trial/next")
def next_trial() -> Response:
    """The pictures of the trial after this one, so that they can load meanwhile."""
    found = retrying(database(), lambda db: _ahead(db, clock.now()))
    return jsonify(found or {"previews": []})


@blueprint.post("/api/votes")
@limiter.limit(VOTES_PER_RATER, key_func=rater_key)
def vote() -> tuple[Response, int]:
    """Store a vote; the answer means that it is in the database. Its statistics follow behind the answer."""
    at = clock.now()
    key, body = parse_key(request.headers.get("Idempotency-Key")), parse_vote(_json_bytes())
    with database().reading() as db:
        rater_id = require_rater(db).id
    receipt = votes.store(database(), rater_id, key, body, at)
    document = _receipt_document(receipt, at)
    response = jsonify(document)
    if receipt.is_new:
        catalog = database()
        response.call_on_close(lambda: votes.follow_up(catalog, receipt.vote, at))
        if document["next"] == "/finish":
            retrying(catalog, lambda db: flow.note_finish(db, rater_id, at))
    return response, 201 if receipt.is_new else 200


@blueprint.post("/api/trials/reopen")
def reopen() -> tuple[Response, int] | Response:
    """The trial answered last in this sitting, with that answer, to be changed."""
    at = clock.now()
    with database().reading() as db:
        rater = require_rater(db)
        sitting = sittings.current(db, rater)
        last = trials.reopenable(db, rater, sitting) if sitting else None
        if sitting is None or last is None:
            return jsonify(error="There is no answer in this sitting that could be changed."), 409
        return jsonify(trial_document(db, rater, sitting, last, at))


@blueprint.post("/api/faults")
def faults() -> tuple[str, int]:
    """A picture did not load or show: into the log, for whoever runs the study."""
    found = parse_object(_json_bytes())
    for name in found:
        if name not in ("assignment", "image", "what"):
            raise VoteError("body", "expected assignment, image and what")
    trial_name = public_id(found.get("assignment"), "assignment")
    image = public_id(found.get("image"), "image")
    what = found.get("what")
    if not isinstance(what, str) or not what.isprintable() or len(what) > MAX_FAULT_TEXT:
        raise VoteError("what", f"expected one line of at most {MAX_FAULT_TEXT} characters")
    with database().reading() as db:
        rater = require_rater(db)
        _require_shown(db, rater, trial_name, image)
    if not limiter.enabled or limiter.limiter.hit(FAULTS_PER_TRIAL, "faults", trial_name):
        log.warning("rater %s, trial %s, image %s: %s", rater_key(), trial_name, image, what)
    return "", 204


@blueprint.get("/healthz")
def healthz() -> str:
    """The process answers."""
    return "ok\n"


@blueprint.get("/readyz")
def readyz() -> str:
    """The database answers as well; 503 where it does not."""
    with database().reading() as db:
        db.execute(text("SELECT 1 FROM study LIMIT 1"))
    return "ready\n"


@blueprint.errorhandler(VoteError)
def _wrong(error: VoteError) -> tuple[Response, int]:
    return jsonify(error=str(error), field=error.field), 422


@blueprint.errorhandler(NoSuchTrial)
def _unknown(_error: NoSuchTrial) -> tuple[Response, int]:
    return jsonify(error=SENTENCES[404]), 404


@blueprint.errorhandler(VoteConflict)
def _conflict(error: VoteConflict) -> tuple[Response, int]:
    return jsonify(error=error.reason, stored=_stored_document(error.stored)), 409


@blueprint.errorhandler(CSRFError)
def _untrusted(_error: CSRFError) -> tuple[Response, int]:
    """A lost cookie loses the token with it: then the rater is told to come back, not to reload."""
    if session.get(RATER_KEY) is None:
        return jsonify(error=OPEN_LINK_AGAIN), 401
    return jsonify(error=SENTENCES[403]), 403


@blueprint.errorhandler(RateLimitExceeded)
def _too_fast(_error: RateLimitExceeded) -> tuple[Response, int, dict[str, str]]:
    limit = limiter.current_limit
    seconds = max(1, math.ceil(limit.reset_at - time.time())) if limit else 60
    return jsonify(error=SENTENCES[429]), 429, {"Retry-After": str(seconds)}


@blueprint.errorhandler(exc.TimeoutError)
def _all_connections_busy(_error: exc.TimeoutError) -> tuple[Response, int, dict[str, str]]:
    return jsonify(error=SENTENCES[503]), 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}


def _wanted_page() -> str:
    kind = request.args.get("kind", "trial")
    if kind not in PAGES:
        raise VoteError("kind", f"expected one of {', '.join(PAGES)}")
    return PAGES[kind]


def _trial_or_next(page: str, at: datetime) -> dict[str, Any]:
    """The document of the trial of now, assigned if need be, or `next`: the page where the rater belongs instead."""
    with database().reading() as db:
        rater = require_rater(db)
        step = flow.next_step(db, rater, at)
        if step != page:
            return {"next": step}
        held = _held(db, rater, step, at)
        if held is not None:
            return held
    return retrying(database(), lambda db: _assigned(db, page, at))


def _held(db: Session, rater: Rater, step: str, at: datetime) -> dict[str, Any] | None:
    """The document of the trial that the rater holds already; reads only."""
    sitting = sittings.current(db, rater) if step == PAGES["trial"] else None
    held = trials.held_trial(db, rater, sitting, at) if sitting else None
    return trial_document(db, rater, sitting, held, at) if sitting and held else None


def _json_bytes() -> bytes:
    if request.mimetype != "application/json":
        raise VoteError("Content-Type", "expected application/json")
    return request.get_data()


def _assigned(db: Session, page: str, at: datetime) -> dict[str, Any]:
    """The document of a trial that may have to be assigned first; `next` where another request was quicker."""
    rater = require_rater(db)
    sitting = sittings.current(db, rater)
    find = trials.current_trial if page == PAGES["trial"] else trials.training_trial
    found = find(db, rater, sitting, at) if sitting else None
    if sitting is None or found is None:
        return {"next": flow.next_step(db, rater, at)}
    return trial_document(db, rater, sitting, found, at)


def _ahead(db: Session, at: datetime) -> dict[str, Any] | None:
    rater = require_rater(db)
    sitting = sittings.current(db, rater)
    found = trials.prefetch(db, rater, sitting, at) if sitting else None
    if found is None:
        return None
    return {"previews": item_names(db, found), "exposures": list(exposure_names(db, found))}


def _receipt_document(receipt: Receipt, at: datetime) -> dict[str, Any]:
    stored = receipt.vote
    with database().reading() as db:
        rater = require_rater(db)
        step = flow.next_step(db, rater, at)
        return {
            "vote": stored.key,
            "version": stored.version,
            "hash": stored.hash,
            "saved_at": _utc(stored.saved_at),
            "next": step,
            "trial": _held(db, rater, step, at),  # what was assigned ahead: the page shows it without asking
            "feedback": training.feedback(db, db.get_one(Vote, stored.id)),
        }


def _stored_document(stored: StoredVote) -> dict[str, Any]:
    return {
        "vote": stored.key,
        "version": stored.version,
        "hash": stored.hash,
        "saved_at": _utc(stored.saved_at),
        "kind": stored.kind,
        "picks": list(stored.picks),
        "acceptable": stored.acceptable,
        "reasons": list(stored.reasons),
        "comment": stored.comment,
    }


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


def _require_shown(db: Session, rater: Rater, trial_name: str, image: str) -> None:
    found = db.scalar(
        select(Assignment).where(Assignment.public_id == trial_name, Assignment.rater_id == rater.id)
    )
    if found is None or image not in (*item_names(db, found), *exposure_names(db, found)):
        raise NoSuchTrial
