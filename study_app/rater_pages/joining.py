"""From the link to the consent: start page, invitations, resume codes, consent, instructions."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from study_app import clock
from study_app.preparation.consent import blocks, text_hash
from study_app.preparation.invites import InviteRefused, check_invite, redeem
from study_app.rater_pages import checks, flow, leaving
from study_app.rater_pages.returning import invite_of, rater_of_code, study_is_yet_to_open, withdrawn_rater
from study_app.rater_pages.turnstile import elsewhere, is_phone, known_rater, remember_code, resume_code
from study_app.rating import sittings
from study_app.storage.models import Consent, Rater, Study
from study_app.web import languages
from study_app.web.identity import remember_rater, require_rater
from study_app.web.protection import limiter
from study_app.web.running_application import database

Page = str | BaseResponse | tuple[str, int]

blueprint = Blueprint("joining", __name__)
blueprint.record_once(lambda state: languages.set_up(cast("Flask", state.app)))
for part in (checks, leaving):
    blueprint.register_blueprint(part.blueprint)

# Only tries with an unknown token or code count: a class of 200 behind one address may join in one minute.
guesses = limiter.shared_limit(
    "10 per minute", scope="redeem", deduct_when=lambda response: response.status_code in (404, 422)
)


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """The icon that browsers ask for unasked."""
    return current_app.send_static_file("favicon.svg")


@blueprint.get("/")
def start() -> Page:
    """Where one lands without a link: continue, or type a resume code."""
    with database().reading() as db:
        is_open = db.scalar(select(Study.id).where(Study.state == "open").limit(1)) is not None
        return render_template("welcome.html", is_open=is_open, rater=known_rater(db))


@blueprint.get("/join/<token>")
@guesses
def show_invitation(token: str) -> Page:
    """Show what the link leads to. Changes nothing, since mail scanners open links too."""
    with database().reading() as db:
        try:
            invite = check_invite(db, token, clock.now())
        except InviteRefused as refused:
            return _refused(db, token, refused.reason)
        if is_phone():
            return render_template("phone.html")
        here = known_rater(db)
        is_known = here is not None and here.invite_id == invite.id
        study = db.get_one(Study, invite.study_id)
        return render_template("join.html", study=study, invite=invite, token=token, is_known=is_known)


@blueprint.post("/join/<token>")
@guesses
def redeem_invitation(token: str) -> Page:
    """Let the rater in under a fresh cookie; the answer's 303 takes the token off the address bar."""
    with database().writing() as db:
        try:
            rater, code = _who_enters(db, token)
        except InviteRefused as refused:
            return _refused(db, token, refused.reason)
        _let_in(db, rater)
    remember_code(code)
    return redirect(url_for("joining.show_code" if code else "joining.go_on"), 303)


@blueprint.post("/resume")
@guesses
def resume() -> Page:
    """Let in the rater of a resume code."""
    code = request.form.get("code", "")[:40]
    with database().writing() as db:
        rater = rater_of_code(db, code)
        if rater is None:
            return render_template("welcome.html", is_open=True, rater=None, code=code), 422
        _let_in(db, rater)
    remember_code(code.strip().upper())
    return redirect(url_for("joining.go_on"), 303)


@blueprint.get("/your-code")
def show_code() -> Page:
    """The resume code, to be written down."""
    with database().reading() as db:
        require_rater(db)
    if resume_code() is None:
        return redirect(url_for("joining.go_on"), 303)
    return render_template("code.html", code=resume_code())


@blueprint.get("/next")
def go_on() -> Page:
    """To where the rater belongs now."""
    with database().reading() as db:
        rater = known_rater(db) or require_rater(db)
        return redirect(flow.next_step(db, rater, clock.now()), 303)


@blueprint.get("/consent")
def show_consent() -> Page:
    """The study's consent text."""
    with database().reading() as db:
        rater = require_rater(db)
        return elsewhere(db, rater, "/consent") or _consent_page(db, rater)


@blueprint.post("/consent")
def give_consent() -> Page:
    """Store the consent to the text that was shown; asks again where the tick is missing or the text changed."""
    with database().writing() as db:
        rater = require_rater(db)
        away = elsewhere(db, rater, "/consent")
        if away is not None:
            return away
        study = db.get_one(Study, rater.study_id)
        shown = text_hash(study.consent_text)
        if request.form.get("agree") != "yes" or request.form.get("text") != shown:
            return _consent_page(db, rater, is_missing=True), 422
        version, now = study.consent_version, clock.now()
        db.add(Consent(rater_id=rater.id, version=version, text_hash=shown, given_at=now))
    return redirect(url_for("joining.go_on"), 303)


@blueprint.get("/instructions")
def show_instructions() -> Page:
    """What to do and with which keys; may be read again at any time after the consent."""
    with database().reading() as db:
        rater = require_rater(db)
        if not flow.has_consented(db, rater):
            return redirect(url_for("joining.go_on"), 303)
        is_due = elsewhere(db, rater, "/instructions") is None
        return render_template("instructions.html", is_due=is_due)


@blueprint.post("/instructions")
def confirm_instructions() -> Page:
    """The rater has read them."""
    with database().writing() as db:
        rater = require_rater(db)
        if elsewhere(db, rater, "/instructions") is None:
            rater.instructions_at = clock.now()
    return redirect(url_for("joining.go_on"), 303)


def _who_enters(db: Session, token: str) -> tuple[Rater, str | None]:
    """The link's rater and, where they are new by a lab link, their resume code. Raises InviteRefused."""
    try:
        redeemed = redeem(db, token, clock.now())
    except InviteRefused:
        left = withdrawn_rater(db, token)
        if left is None:
            raise
        return left, None
    return redeemed.rater, redeemed.resume_code


def _let_in(db: Session, rater: Rater) -> None:
    """A rater who comes back in another browser may sit at another display: their sitting ends."""
    here = known_rater(db)
    sitting = sittings.current(db, rater)
    if sitting is not None and (here is None or here.id != rater.id):
        sittings.finish(db, sitting, clock.now())
    remember_rater(rater.public_id)


def _consent_page(db: Session, rater: Rater, *, is_missing: bool = False) -> str:
    study = db.get_one(Study, rater.study_id)
    return render_template(
        "consent.html",
        blocks=blocks(study.consent_text),
        text=text_hash(study.consent_text),
        version=study.consent_version,
        is_missing=is_missing,
    )


def _refused(db: Session, token: str, reason: str) -> Page:
    """Say why the link lets nobody in. One text for whatever is wrong with a token, so that none can be guessed."""
    invite = invite_of(db, token)
    if invite is None:
        return render_template("refused.html", reason="unknown", title=""), 404
    title = db.get_one(Study, invite.study_id).title
    if withdrawn_rater(db, token) is not None:
        return render_template("withdrawn.html", token=token, title=title)
    is_early = reason == "closed" and study_is_yet_to_open(db, invite)
    answer = render_template("refused.html", reason="not-open" if is_early else reason, title=title)
    return answer, 200 if is_early else 410
