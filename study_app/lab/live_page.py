"""The Live page: how the study runs, now. The page and the fragment that it polls show the same figures."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template
from sqlalchemy.orm import Session

from study_app import clock, plots, tally
from study_app.database import database
from study_app.decisions import Rule, rule_from_json
from study_app.lab.backups import last_backup_at
from study_app.lab.fragments import etag_of, fragment
from study_app.lab.invitations_page import links
from study_app.lab.live_figures import LiveFigures, live_figures
from study_app.lab.visits import Visit, permissions, visit

blueprint = Blueprint("live", __name__)


@blueprint.get("/")
def page(study_id: str) -> str:
    """The whole page."""
    _catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        values = _values(session, here)
        return here.page("lab/live.html", tag=_tag(here, values), **values)


@blueprint.get("/fragment")
def refreshed(study_id: str) -> Response:
    """The part of the page that changes."""
    _catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        values = _values(session, here)
        shown = {"study": here.study, **permissions(here.experimenter), **_plots(values), **values}
        return fragment(_tag(here, values), lambda: render_template("lab/live_fragment.html", **shown))
