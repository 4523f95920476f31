"""All scenes of a study, and one of them with its pictures, figures and the experimenter's decisions on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload
from werkzeug.wrappers import Response

from builder.catalog import Candidate, Scene
from study_app import clock
from study_app.counting import tally
from study_app.counting.league_rows import algorithms
from study_app.lab.scene_figures import interval_plot, look_plot, scene_figures
from study_app.lab.visits import MAY_DECIDE, Visit, catch_up, visit
from study_app.statistics.evaluation import chance_acceptable
from study_app.statistics.rule import rule_from_json
from study_app.storage import audit
from study_app.storage.models import SCENE_STATES, ItemAlias, Study, StudyItem, StudyScene
from study_app.web.running_application import database

LONGEST_REASON = 300

blueprint = Blueprint("scenes", __name__)


@dataclass(frozen=True)
class Line:
    """One scene in the list."""

    scene: StudyScene
    name: str
    leader: str


@blueprint.get("/scenes")
def page(study_id: str) -> str:
    """All scenes, or those of `?state=`."""
    catch_up(study_id)
    wanted = request.args.get("state")
    with database().reading() as session:
        here = visit(session, study_id)
        counts = _by_state(session, here.study)
        return here.page(
            "lab/scenes.html",
            lines=_lines(session, here.study, wanted if wanted in SCENE_STATES else None),
            counts=[(state, counts[state]) for state in SCENE_STATES if state in counts],
            total=sum(counts.values()),
            wanted=wanted,
            rule=rule_from_json(here.study.rule_json),
        )


@blueprint.get("/scenes/<int:scene_id>")
def scene(study_id: str, scene_id: int) -> str:
    """One scene."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        row = _scene(session, here, scene_id)
        rule = rule_from_json(here.study.rule_json)
        figures = scene_figures(session, row)
        voted = figures.evaluation.counted > 0
        return here.page(
            "lab/scene.html",
            row=row,
            figures=figures,
            rule=rule,
            supporters_agree=chance_acceptable(*figures.evaluation.acceptable_by_supporters),
            all_agree=chance_acceptable(*figures.evaluation.acceptable_by_all),
            intervals=interval_plot(figures) if voted else None,
            looks=look_plot(figures, rule) if figures.looks else None,
        )


@blueprint.post("/scenes/<int:scene_id>/void")
def void(study_id: str, scene_id: int) -> Response:
    """Take the scene out, for a reason."""
    reason = request.form.get("reason", "").replace("\0", "").strip()[:LONGEST_REASON]
    return _change(study_id, scene_id, "void scene", {"void_reason": reason} if reason else {})


@blueprint.post("/scenes/<int:scene_id>/restore")
def restore(study_id: str, scene_id: int) -> Response:
    """Take a void scene in again."""
    return _change(study_id, scene_id, "restore scene", {"void_reason": None})


@blueprint.post("/scenes/<int:scene_id>/experts")
def send_to_experts(study_id: str, scene_id: int) -> Response:
    """Let experts settle the scene in a blind trial."""
    return _change(study_id, scene_id, "send to experts", {"sent_to_experts": True})


def _change(study_id: str, scene_id: int, action: str, columns: Mapping[str, str | bool | None]) -> Response:
    """Write a decision of the experimenter, log it, and let the scene's state follow."""
    at = clock.now()
    with database().writing() as session:
        here = visit(session, study_id, *MAY_DECIDE)
        row = _scene(session, here, scene_id)
        if not columns:
            flash("Say why the scene is void; nothing was changed.")
        elif any(getattr(row, name) != value for name, value in columns.items()):
            for name, value in columns.items():
                setattr(row, name, value)
            tally.refresh_scene(session, row, at)
            _log(session, here, action, row, at)
    return redirect(url_for("results.scenes.scene", study_id=study_id, scene_id=scene_id), 303)


def _log(session: Session, here: Visit, action: str, row: StudyScene, at: datetime) -> None:
    detail = {"study": here.study.public_id, "scene": row.scene.name}
    if row.void_reason:
        detail["reason"] = row.void_reason
    audit.record(session, here.experimenter.name, action, detail, at)


def _scene(session: Session, here: Visit, scene_id: int) -> StudyScene:
    row = session.get(StudyScene, scene_id)
    if row is None or row.study_id != here.study.id or row.role != "real":
        abort(404)
    return row


def _by_state(session: Session, study: Study) -> dict[str, int]:
    query = (
        select(StudyScene.state, func.count())
        .where(StudyScene.study_id == study.id, StudyScene.role == "real")
        .group_by(StudyScene.state)
    )
    return {state: count for state, count in session.execute(query)}  # noqa: C416 - rows are no pairs for mypy


def _lines(session: Session, study: Study, state: str | None) -> list[Line]:
    query = (
        select(StudyScene, Scene.name, StudyItem)
        .join(Scene, StudyScene.scene_id == Scene.id)
        .outerjoin(StudyItem, StudyItem.id == StudyScene.leader_id)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real")
        .order_by(Scene.name)
        .options(
            defer(StudyScene.points),
            joinedload(StudyItem.candidate).load_only(Candidate.algorithm),
            selectinload(StudyItem.aliases).joinedload(ItemAlias.candidate).load_only(Candidate.algorithm),
        )
    )
    if state is not None:
        query = query.where(StudyScene.state == state)
    return [
        Line(row, name, " = ".join(algorithms(leader)) if leader is not None and row.counted else "")
        for row, name, leader in session.execute(query)
    ]
