"""What experimenters watch below /lab: the run of a study, its scenes, raters, algorithms, and its files."""

from __future__ import annotations

from flask import Blueprint

from study_app.lab import (
    algorithms_page,
    files_page,
    live_page,
    login,
    planner_page,
    raters_page,
    scenes_page,
)

blueprint = Blueprint("results", __name__, url_prefix="/lab/studies/<study_id>")
blueprint.register_error_handler(401, login.ask_to_sign_in)
for part in (live_page, scenes_page, raters_page, algorithms_page, planner_page, files_page):
    blueprint.register_blueprint(part.blueprint)
