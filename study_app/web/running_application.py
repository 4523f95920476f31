"""What the running application holds for every page: its settings and its database."""

from __future__ import annotations

from flask import current_app

from builder.catalog import Catalog
from study_app.settings import StudySettings


def settings() -> StudySettings:
    """The settings that `create_app` was given."""
    found: StudySettings = current_app.extensions["study_settings"]
    return found


def database() -> Catalog:
    """The study's database: `with database().reading() as session`, or `.writing()`."""
    found: Catalog = current_app.extensions["study_database"]
    return found
