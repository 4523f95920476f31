"""Raters: their checks and times; a person excludes or restores, and every scene concerned is computed anew."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import clock
from study_app.counting import tally
from study_app.counting.counted_answers import excluded_rater_ids
from study_app.lab.rater_figures import (
    exclusions_of,
    plates_of,
    raters_figures,
    screen_of,
    sittings_of,
    voting_figures,
)
from study_app.lab.recent_figures import RecentFigures
from study_app.lab.visits import MAY_DECIDE, Visit, catch_up, visit
from study_app.outcomes import plots
from study_app.statistics.agreement import PositionBias
from study_app.storage import audit
from study_app.storage.models import Rater
from study_app.web.running_application import database

LETTERS = "ABCDEFGHIJKLM"
LONGEST_REASON = 300

blueprint = Blueprint("raters", __name__)
voting = RecentFigures(voting_figures)


@blueprint.get("/raters")
def page(study_id: str) -> str:
    """All raters of the study."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        told = voting.of(session, here.study)
        figures = raters_figures(session, here.study, told.figures)
        bias = told.figures.bias
        bias_plot = _bias_plot(bias) if bias and sum(bias.observed) else None
        return here.page("lab/raters.html", figures=figures, bias_plot=bias_plot, told=told)


@blueprint.get("/raters/<rater_id>")
def rater(study_id: str, rater_id: str) -> str:
    """One rater."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        row = _rater(session, here, rater_id)
        told = voting.of(session, here.study)
        figures = raters_figures(session, here.study, told.figures)
        line = next(line for line in figures.lines if line.rater.id == row.id)
        return here.page(
            "lab/rater.html",
            line=line,
            told=told,
            sittings=sittings_of(session, row),
            plates=plates_of(session, row),
            exclusions=exclusions_of(session, row),
            screen_of=screen_of,
        )


@blueprint.post("/raters/<rater_id>/exclude")
def exclude(study_id: str, rater_id: str) -> Response:
    """The rater's votes stop counting, for a reason."""
    return _change(study_id, rater_id, excluded=True)


@blueprint.post("/raters/<rater_id>/restore")
def restore(study_id: str, rater_id: str) -> Response:
    """The rater's votes count again, for a reason."""
    return _change(study_id, rater_id, excluded=False)


def _change(study_id: str, rater_id: str, *, excluded: bool) -> Response:
    reason = request.form.get("reason", "").replace("\0", "").strip()[:LONGEST_REASON]
    at = clock.now()
    with database().writing() as session:
        here = visit(session, study_id, *MAY_DECIDE)
        row = _rater(session, here, rater_id)
        if not reason:
            flash("Give a reason; nothing was changed.")
        elif row.state != "active":
            flash(f"This rater is {row.state}; nothing was changed.")
        elif excluded == (row.id in excluded_rater_ids(session, here.study)):
            flash("Somebody else has done that already.")
        else:
            name = here.experimenter.name
            tally.exclude(session, row, reason, name, excluded, at)
            detail = {"study": study_id, "rater": rater_id, "reason": reason}
            audit.record(session, name, "exclude rater" if excluded else "restore rater", detail, at)
    return redirect(url_for("results.raters.rater", study_id=study_id, rater_id=rater_id), 303)


def _rater(session: Session, here: Visit, rater_id: str) -> Rater:
    row = session.scalar(select(Rater).where(Rater.public_id == rater_id, Rater.study_id == here.study.id))
    if row is None:
        abort(404)
    return row


def _bias_plot(bias: PositionBias) -> plots.Plot:
    return plots.against_expected(
        "First picks by position",
        ("position", "first picks", "without influence"),
        tuple(LETTERS[: len(bias.observed)]),
        tuple(float(count) for count in bias.observed),
        bias.expected,
    )
