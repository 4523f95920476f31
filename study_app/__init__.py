"""The study: raters look at the candidates of a scene, blind, and pick the best. `create_app` makes the application.

Each room rests only on those in front of it: statistics, storage; web, counting, preparation; rating, outcomes;
keeping, simulation; rater_pages, lab; commands. What each is for stands in its `__init__.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from study_app.settings import StudySettings


def create_app(settings: StudySettings) -> Flask:
    """The WSGI application; raises CatalogError or StudySettingsError where it cannot serve."""
    from flask import Flask

    from study_app.lab import managing, results
    from study_app.rater_pages import images, joining, trial_page
    from study_app.storage.database import open_database
    from study_app.web import protection, static_files
    from study_app.web.static_files import KEPT_SECONDS, static_digest

    app = Flask(__name__, static_url_path=f"/static/{static_digest()}")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = KEPT_SECONDS
    app.extensions["study_settings"] = settings
    app.extensions["study_database"] = open_database(settings.database_url)
    protection.protect(app, settings)
    for part in (joining, trial_page, images, static_files, managing, results):
        app.register_blueprint(part.blueprint)
    return app
