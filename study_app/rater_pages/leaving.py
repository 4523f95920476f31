"""Breaks, the last page, and a rater's rights: own data, withdrawal, erasure."""

from __future__ import annotations

import json
import math

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from study_app import clock
from study_app.keeping import privacy
from study_app.rater_pages import flow
from study_app.rater_pages.turnstile import rater_with_data, resume_code
from study_app.rating import sittings
from study_app.storage.models import Assignment, Rater, Study, StudyScene, Vote
from study_app.web.identity import require_rater
from study_app.web.running_application import database

Page = str | BaseResponse | tuple[str, int]

blueprint = Blueprint("leaving", __name__)


@blueprint.get("/break")
def show_break() -> Page:
    """A forced break counts down; one that the rater asked for ends when they like."""
    with database().reading() as db:
        rater = require_rater(db)
        now = clock.now()
        if flow.next_step(db, rater, now) in ("/consent", "/finish"):
            return redirect(url_for("joining.go_on"), 303)
        sitting = sittings.latest(db, rater)
        times = sittings.times(db, sitting) if sitting else None
        until = sittings.rests_until(times, now) if times else None
        return render_template(
            "break.html",
            seconds=math.ceil((until - now).total_seconds()) if until else 0,
            is_sitting=times is not None and not sittings.is_over(times, now),
            answered=scenes_answered(db, rater),
            code=resume_code(),
        )


@blueprint.post("/break")
def take_break() -> Page:
    """End the sitting now, because the rater wants to."""
    with database().writing() as db:
        rater = require_rater(db)
        sitting = sittings.current(db, rater)
        if sitting is not None:
            sittings.finish(db, sitting, clock.now())
    return redirect(url_for("joining.leaving.show_break"), 303)


@blueprint.get("/finish")
def show_finish() -> Page:
    """Thanks, the count, and the rater's rights."""
    with database().reading() as db:
        rater = rater_with_data(db)
        return _finish_page(db, rater)


@blueprint.get("/me")
def own_data() -> Page:
    """All that is stored under the rater's pseudonym, as a file."""
    with database().reading() as db:
        rater = rater_with_data(db)
        text = json.dumps(privacy.own_data(db, rater), indent=2, ensure_ascii=False, default=str)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    return Response(text + "\n", mimetype="application/json", headers=headers)


@blueprint.post("/withdraw")
def withdraw() -> Page:
    """Stop taking part; the answers no longer count."""
    with database().writing() as db:
        rater = rater_with_data(db)
        if request.form.get("confirm") != "yes":
            return _finish_page(db, rater, unconfirmed="withdraw"), 422
        if rater.state == "active":
            privacy.withdraw(db, rater, clock.now())
    return redirect(url_for("joining.leaving.show_finish"), 303)


@blueprint.post("/erase")
def erase() -> Page:
    """Delete the rater's answers and contact, and forget them in this browser."""
    with database().writing() as db:
        rater = rater_with_data(db)
        if request.form.get("confirm") != "yes":
            return _finish_page(db, rater, unconfirmed="erase"), 422
        privacy.erase(db, rater, clock.now())
    session.clear()
    return redirect(url_for("joining.leaving.goodbye", erased=1), 303)


@blueprint.post("/leave")
def leave() -> Page:
    """Forget the rater in this browser: for a computer that the next person uses."""
    session.clear()
    return redirect(url_for("joining.leaving.goodbye"), 303)


@blueprint.get("/goodbye")
def goodbye() -> Page:
    """After leaving or erasing."""
    return render_template("goodbye.html", is_erased="erased" in request.args)


def scenes_answered(db: Session, rater: Rater) -> int:
    """Trials that the rater answered, training apart."""
    counted = (
        select(func.count(Assignment.id.distinct()))
        .join(Vote, Vote.assignment_id == Assignment.id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(Assignment.rater_id == rater.id, StudyScene.role != "training")
    )
    return db.scalar(counted) or 0


def _finish_page(db: Session, rater: Rater, *, unconfirmed: str = "") -> str:
    study = db.get_one(Study, rater.study_id)
    return render_template(
        "finish.html",
        study_is_open=study.state == "open",
        has_withdrawn=rater.state == "withdrawn",
        may_go_on=flow.next_step(db, rater, clock.now()) != "/finish",
        answered=scenes_answered(db, rater),
        code=resume_code(),
        unconfirmed=unconfirmed,
    )
