"""What can be taken out of a study: the export and the report."""

from __future__ import annotations

import re

from flask import Blueprint, Response

from study_app import clock
from study_app.lab.visits import MAY_DECIDE, catch_up, visit
from study_app.outcomes.exporting import export_zip
from study_app.outcomes.report import report_html
from study_app.storage.models import Study
from study_app.web.running_application import database

blueprint = Blueprint("files", __name__)


@blueprint.get("/files")
def page(study_id: str) -> str:
    """What there is."""
    with database().reading() as session:
        return visit(session, study_id, *MAY_DECIDE).page("lab/files.html")


@blueprint.get("/export.zip")
def export(study_id: str) -> Response:
    """The whole study as CSV and JSON."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id, *MAY_DECIDE)
        return _download(export_zip(session, here.study), "application/zip", _file_name(here.study, "zip"))


@blueprint.get("/report.html")
def report(study_id: str) -> Response:
    """The report as one page that needs nothing else."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id, *MAY_DECIDE)
        page = report_html(session, here.study, clock.now()).encode()
        return _download(page, "text/html; charset=utf-8", _file_name(here.study, "html"))


def _download(content: bytes, kind: str, name: str) -> Response:
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _file_name(study: Study, ending: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", study.title.lower()).strip("-")[:60] or "study"
    return f"{words}-{study.public_id[:8]}.{ending}"
