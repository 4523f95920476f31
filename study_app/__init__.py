"""The study: raters look at the candidates of a scene, blind, and pick the best. `create_app` makes the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from study_app.settings import StudySettings


def create_app(settings: StudySettings) -> Flask:
    """The WSGI application; raises CatalogError or StudySettingsError where it cannot serve."""
    from flask import Flask

    from study_app import images, joining, managing, protection, results, static_files, voting
    from study_app.database import open_database
    from study_app.static_files import KEPT_SECONDS, static_digest

    app = Flask(__name__, static_url_path=f"/static/{static_digest()}")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = KEPT_SECONDS
    app.extensions["study_settings"] = settings
    app.extensions["study_database"] = open_database(settings.database_url)
    protection.protect(app, settings)
    for part in (joining, voting, images, static_files, managing, results):
        app.register_blueprint(part.blueprint)
    return app
