"""The list of studies, and one study from draft to closed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import clock
from study_app.lab.numbers_typed import number_of
from study_app.lab.visits import MAY_PREPARE, permissions, visit
from study_app.preparation import studies
from study_app.preparation.consent import blocks
from study_app.statistics.rule import PRESETS, Rule, rule_from_json
from study_app.storage import audit
from study_app.storage.models import ROLES, STUDY_MODES, AuditEvent, Rater, Study, StudyItem, StudyScene
from study_app.web.identity import require_experimenter
from study_app.web.running_application import database, settings

OWN = "own"
RULE_FIELDS = {
    "p_best": "P best asked for",
    "p_near": "P near-best asked for",
    "minimum": "Counted votes before the first look",
    "cap": "Answers at most",
    "acceptable": "Certainty that the leader is acceptable",
    "delta": "Near-best: within (logit)",
    "prior_sd": "Prior spread of strengths (logit)",
}
WHOLE_NUMBERS = ("minimum", "cap")
CREATED = "create study"

blueprint = Blueprint("studies", __name__)


@dataclass(frozen=True)
class Line:
    """One study in the list."""

    study: Study
    scenes: int
    settled: int
    raters: int
    simulated: int
    votes: int


@dataclass(frozen=True)
class Wish:
    """What the form for a new study says."""

    title: str
    preset: str
    own: Mapping[str, Any]
    seed: str
    allow_missing: bool

    def rule(self) -> Rule:
        """The rule that is meant; ValueError names what is no number or impossible."""
        if self.preset in PRESETS:
            return PRESETS[self.preset]
        values: dict[str, Any] = {"mode": self.own["mode"]}
        for name, label in RULE_FIELDS.items():
            values[name] = number_of(label, self.own[name], int if name in WHOLE_NUMBERS else float)
        return Rule(**values)


@blueprint.get("/")
def overview() -> str:
    """All studies, newest first."""
    with database().reading() as session:
        who = require_experimenter(session)
        lines = [_line(session, study) for study in session.scalars(select(Study).order_by(Study.id.desc()))]
        return render_template("lab/studies.html", lines=lines, **permissions(who))


@blueprint.get("/studies/new")
def new() -> str:
    """The form for a new study."""
    with database().reading() as session:
        who = require_experimenter(session, *MAY_PREPARE)
        wish = Wish("", "standard", asdict(Rule()), str(secrets.randbelow(2**31)), allow_missing=False)
        return _form(wish, permissions(who))


@blueprint.post("/studies/new")
def create() -> Response | tuple[str, int]:
    """Make a draft of the whole dataset; scenes that cannot be shown are listed before they are left out."""
    wish = _wish(request.form)
    with database().writing() as session:
        who = require_experimenter(session, *MAY_PREPARE)
        shown, name = permissions(who), who.name
        try:
            with session.begin_nested():
                study, left_out = studies.create_study(
                    session, wish.title, wish.rule(), seed=number_of("Seed", wish.seed, int),
                    data=settings().data, at=clock.now(),
                    allow_missing=wish.allow_missing,
                )  # fmt: skip
        except studies.ScenesLeftOut as error:
            return _form(wish, shown, left_out=error.left_out), 422
        except ValueError as error:
            return _form(wish, shown, problem=str(error)), 422
        detail = {
            "study": study.public_id,
            "title": study.title,
            "left out": [[one.scene, one.reason] for one in left_out],
        }
        audit.record(session, name, CREATED, detail, clock.now())
        return redirect(url_for("managing.studies.page", study_id=study.public_id), 303)


@blueprint.get("/studies/<study_id>/set-up")
def page(study_id: str) -> str:
    """What the study consists of, and what to do next."""
    with database().reading() as session:
        here = visit(session, study_id)
        rule = rule_from_json(here.study.rule_json)
        roles = [scene.role for scene in here.study.scenes]
        return here.page(
            "lab/setup.html",
            rule_lines=[
                ("Mode", rule.mode),
                *((label, getattr(rule, name)) for name, label in RULE_FIELDS.items()),
            ],
            roles={role: roles.count(role) for role in ROLES},
            pictures=_real_pictures(session, here.study),
            # asked of each file, so only while there is something to decide by it
            disk_bytes=studies.disk_bytes(here.study, settings().data)
            if here.study.state == "draft"
            else None,
            left_out=_left_out(session, here.study),
            consent=blocks(here.study.consent_text),
        )


@blueprint.post("/studies/<study_id>/open")
def open_it(study_id: str) -> Response:
    """Let raters in."""
    return _move(study_id, "open")


@blueprint.post("/studies/<study_id>/close")
def close_it(study_id: str) -> Response:
    """End all trials."""
    return _move(study_id, "close")


def _move(study_id: str, action: str) -> Response:
    change = {"open": studies.open_study, "close": studies.close_study}[action]
    at = clock.now()
    with database().writing() as session:
        here = visit(session, study_id, *MAY_PREPARE)
        try:
            change(session, here.study, at)
        except studies.StudyError as error:
            flash(str(error))
        else:
            audit.record(session, here.experimenter.name, f"{action} study", {"study": study_id}, at)
    return redirect(url_for("managing.studies.page", study_id=study_id), 303)


def _wish(form: Mapping[str, str]) -> Wish:
    own = {field.name: form.get(field.name, "").strip() for field in fields(Rule)}
    own["mode"] = own["mode"] if own["mode"] in STUDY_MODES else STUDY_MODES[0]
    return Wish(
        title=form.get("title", "").replace("\0", "").strip()[:200],
        preset=form.get("preset", ""),
        own=own,
        seed=form.get("seed", "").strip(),
        allow_missing=form.get("allow_missing") == "1",
    )


def _form(wish: Wish, shown: dict[str, Any], **more: Any) -> str:
    return render_template(
        "lab/new_study.html", wish=wish, presets=PRESETS, modes=STUDY_MODES,
        own_fields=list(RULE_FIELDS.items()), **shown, **more,
    )  # fmt: skip


def _line(session: Session, study: Study) -> Line:
    real = (StudyScene.study_id == study.id, StudyScene.role == "real")
    scenes, open_ones, votes = session.execute(
        select(
            func.count(),
            func.count().filter(StudyScene.state.in_(("continue", "adjudicate"))),
            func.coalesce(func.sum(StudyScene.counted), 0),
        ).where(*real)
    ).one()
    raters, simulated = session.execute(
        select(func.count(), func.count().filter(Rater.simulated)).where(Rater.study_id == study.id)
    ).one()
    return Line(study, scenes, scenes - open_ones, raters, simulated, votes)


def _real_pictures(session: Session, study: Study) -> int:
    query = (
        select(func.count())
        .select_from(StudyItem)
        .join(StudyScene)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real")
    )
    return session.scalar(query) or 0


def _left_out(session: Session, study: Study) -> list[tuple[str, str]]:
    """What was said when the study was made; the audit log keeps it."""
    for event in session.scalars(select(AuditEvent).where(AuditEvent.action == CREATED)):
        if event.detail.get("study") == study.public_id:
            return [(scene, reason) for scene, reason in event.detail.get("left out", [])]
    return []
