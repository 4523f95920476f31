"""Fixtures of the study: a dataset made once, and per test a database, an opened study, the application."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from playwright.sync_api import Browser
from werkzeug.test import TestResponse

from builder.catalog import Catalog
from study_app import create_app
from study_app.preparation.studies import create_study, open_study
from study_app.settings import StudySettings
from study_app.statistics.rule import Rule
from study_app.storage.database import open_database
from study_app.storage.models import Rater, Study
from study_app.web.identity import EXPERIMENTER_KEY, RATER_KEY
from tests.study_app.scenery import (
    START,
    RaterFactory,
    add_scenes,
    detached,
    fresh_database,
    write_dataset,
)
from tests.study_app.screen.rating import launched_browser

SECRET = "a secret of the tests"


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say what was measured, on the terminal, in the proofs that `tests.study_app.proof` runs; silent elsewhere."""

    def say(line: str) -> None:
        if os.environ.get("PROOF") == "1":
            with capsys.disabled():
                click.echo(f"\n  {line}", nl=False)

    return say


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder with all previews; a test that changes files copies it first."""
    data = tmp_path_factory.mktemp("dataset")
    write_dataset(data)
    return data


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for all: a thread can run Playwright but once."""
    with launched_browser() as found:
        yield found


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite catalog with the scenes, copied for every test."""
    path = tmp_path_factory.mktemp("template") / "catalog.sqlite"
    catalog = open_database(f"sqlite:///{path}")
    with catalog.writing() as session:
        add_scenes(session)
    catalog.close()  # the last connection writes the log back into the file
    return path


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    """A database of its own with the scenes and no study: SQLite, or PostgreSQL by TEST_DATABASE_URL."""
    with fresh_database(tmp_path) as url:
        if url.startswith("sqlite"):
            shutil.copyfile(sqlite_template, tmp_path / "catalog.sqlite")
        else:
            opened = open_database(url)
            with opened.writing() as session:
                add_scenes(session)
            opened.close()
        yield url


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    """The opened database of `database_url`."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def rule() -> Rule:
    """The rule of `study`; a test module may have another."""
    return Rule()


@pytest.fixture
def study(catalog: Catalog, dataset: Path, rule: Rule) -> Study:
    """An open study of all scenes: five real ones, three for training, one gold. Its columns can be read."""
    with catalog.writing() as session:
        made, _ = create_study(session, "Tests", rule, seed=7, data=dataset, at=START)
        open_study(session, made, START)
        session.flush()
        return detached(session, made)


@pytest.fixture
def new_rater(catalog: Catalog, study: Study) -> RaterFactory:
    """`new_rater(step="consented", is_expert=True, ...)`: a rater in any state (scenery.RaterFactory)."""
    return RaterFactory(catalog, study.id)


class StudyClient(FlaskClient):
    """A test client that can sign in without the pages and sends the CSRF token."""

    def sign_in(self, rater: Rater) -> None:
        """Be this rater from now on."""
        with self.session_transaction() as session:
            session[RATER_KEY] = rater.public_id

    def sign_in_experimenter(self, experimenter_id: int) -> None:
        """Be this experimenter from now on."""
        with self.session_transaction() as session:
            session[EXPERIMENTER_KEY] = experimenter_id

    def csrf_token(self) -> str:
        """The token that a page of this session carries."""
        with self.session_transaction() as session:
            raw = session.setdefault("csrf_token", "0" * 40)
        return str(URLSafeTimedSerializer(SECRET, salt="wtf-csrf-token").dumps(raw))

    def send(self, path: str, body: Any, **headers: str) -> TestResponse:
        """POST a JSON body with the token; `Idempotency_Key="..."` becomes the header Idempotency-Key."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(path, json=body, headers={"X-CSRFToken": self.csrf_token(), **named})

    def submit(self, path: str, **fields: Any) -> TestResponse:
        """POST a form with the token."""
        return self.post(path, data={"csrf_token": self.csrf_token(), **fields})


@pytest.fixture
def settings(database_url: str, dataset: Path) -> StudySettings:
    """Of the application under test; rate limits are off."""
    return StudySettings(dataset, database_url, SECRET, limits_enabled=False)


@pytest.fixture
def app(settings: StudySettings) -> Iterator[Flask]:
    """The application on the same database as `catalog`."""
    made = create_app(settings)
    made.testing = True
    made.test_client_class = StudyClient
    yield made
    made.extensions["study_database"].close()


@pytest.fixture
def client(app: Flask, study: Study) -> StudyClient:
    """A browser without a session, and an open study."""
    found = app.test_client()
    assert isinstance(found, StudyClient)
    return found
