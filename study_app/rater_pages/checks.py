"""The checks before the first scene: the display, at each sitting, and colour vision, once."""

from __future__ import annotations

import io
from dataclasses import asdict

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from study_app import clock
from study_app.rater_pages import display_check, plates
from study_app.rater_pages.turnstile import elsewhere, is_phone, secret_number
from study_app.rating import sittings
from study_app.storage.models import Rater, ScreeningAnswer
from study_app.web.identity import require_rater
from study_app.web.running_application import database

Page = str | BaseResponse | tuple[str, int]
MOST_TRIES = 99
NO_DIGIT = "none"

blueprint = Blueprint("checks", __name__)


@blueprint.get("/display-check")
def show_display_check() -> Page:
    """Patterns to look at; a phone is told why it does not do."""
    with database().reading() as db:
        rater = require_rater(db)
        if is_phone():
            return render_template("phone.html")
        return elsewhere(db, rater, "/display-check") or _display_page(db, rater, tried=0)


@blueprint.post("/display-check")
def check_display() -> Page:
    """Begin the sitting if all holds, or if the rater goes on with the display as it is; else show what does not."""
    with database().writing() as db:
        rater = require_rater(db)
        away = elsewhere(db, rater, "/display-check")
        if away is not None:
            return away
        tried = _tries(request.form.get("tried", ""))
        report = display_check.report_from_form(request.form)
        failed = display_check.failures(report, _patterns(db, rater, tried))
        if failed and request.form.get("as_it_is") != "yes":
            return _display_page(db, rater, tried=tried + 1, failed=failed), 422
        sittings.start(db, rater, display_check.stored(report, failed), not failed, clock.now())
    return redirect(url_for("joining.go_on"), 303)


@blueprint.get("/colour-vision")
def show_colour_vision() -> Page:
    """The next dot plate."""
    with database().reading() as db:
        rater = require_rater(db)
        away = elsewhere(db, rater, "/colour-vision")
        number = len(_correct(db, rater))
        return away or render_template("colour_vision.html", number=number, count=len(plates.SEQUENCE))


@blueprint.get("/colour-vision/<int:number>.png")
def plate(number: int) -> Response:
    """The plate that the rater is to look at now; earlier and later ones are not shown."""
    with database().reading() as db:
        rater = require_rater(db)
        if number != len(_correct(db, rater)) or number >= len(plates.SEQUENCE):
            abort(404)
        seed = _plate_seed(rater)
    file = io.BytesIO()
    Image.fromarray(plates.draw(number, plates.digits(seed)[number], seed)).save(file, "PNG")
    return Response(file.getvalue(), mimetype="image/png")


@blueprint.post("/colour-vision")
def answer_plate() -> Page:
    """Store the answer to the plate shown; after the last one, whether they suffice."""
    with database().writing() as db:
        rater = require_rater(db)
        away = elsewhere(db, rater, "/colour-vision")
        correct = _correct(db, rater)
        number = len(correct)
        answer = request.form.get("answer", "").strip()
        if away is not None or request.form.get("plate") != str(number):
            return redirect(url_for("joining.go_on"), 303)  # sent twice, or from an old page
        if answer != NO_DIGIT and not (len(answer) == 1 and answer.isascii() and answer.isdigit()):
            return render_template(
                "colour_vision.html", number=number, count=len(plates.SEQUENCE), is_missing=True
            ), 422
        is_correct = answer == plates.digits(_plate_seed(rater))[number]
        db.add(
            ScreeningAnswer(
                rater_id=rater.id, plate=number, answer=answer, correct=is_correct, answered_at=clock.now()
            )
        )
        if number + 1 == len(plates.SEQUENCE):
            rater.colour_passed = plates.passed((*correct, is_correct))
    return redirect(url_for("joining.go_on"), 303)


def _correct(db: Session, rater: Rater) -> tuple[bool, ...]:
    """Right or wrong of the plates answered so far, in their order."""
    answers = select(ScreeningAnswer.correct).where(ScreeningAnswer.rater_id == rater.id)
    return tuple(db.scalars(answers.order_by(ScreeningAnswer.plate)))


def _plate_seed(rater: Rater) -> int:
    return secret_number("plates", rater.public_id)


def _patterns(db: Session, rater: Rater, tried: int) -> display_check.Patterns:
    """New ones at each try, and the server knows them without storing any."""
    latest = sittings.latest(db, rater)
    number = latest.number if latest else 0
    return display_check.patterns(secret_number("display", rater.public_id, number, tried))


def _tries(text: str) -> int:
    return min(int(text), MOST_TRIES) if text.isascii() and text.isdigit() and len(text) <= 2 else 0


def _display_page(db: Session, rater: Rater, *, tried: int, failed: tuple[str, ...] = ()) -> str:
    is_first = db.scalar(select(func.count()).where(ScreeningAnswer.rater_id == rater.id)) == 0
    return render_template(
        "display_check.html",
        patterns=asdict(_patterns(db, rater, tried)),
        patches=display_check.PATCHES,
        squares=display_check.SQUARES,
        smallest=display_check.SMALLEST_VIEWPORT,
        tried=tried,
        failed=failed,
        is_first=is_first,
    )
