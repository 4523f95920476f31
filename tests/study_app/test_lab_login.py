"""Who may enter the laboratory: passwords, lock-out, limits, roles, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from builder.catalog import Catalog
from study_app import clock, create_app
from study_app.lab.login import FAILURES_BEFORE_LOCK, LOCKED_FOR
from study_app.preparation.experimenters import set_experimenter
from study_app.settings import StudySettings
from study_app.storage.models import AuditEvent, Experimenter, Study
from study_app.web.identity import EXPERIMENTER_KEY, RATER_KEY
from tests.study_app.conftest import StudyClient
from tests.study_app.lab_visitors import add_experimenter
from tests.study_app.scenery import START, RaterFactory

PASSWORD = "correct horse battery"
OPEN_TO_ALL = {"managing.login.form", "managing.login.sign_in"}


@pytest.fixture
def ada(catalog: Catalog) -> str:
    """The name of an admin with PASSWORD."""
    with catalog.writing() as session:
        set_experimenter(session, "ada", PASSWORD, role="admin", at=START)
    return "ada"


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The clock: its last entry is now."""
    moments = [START]
    monkeypatch.setattr(clock, "now", lambda: moments[-1])
    return moments


def enter(client: StudyClient, name: str, password: str) -> int:
    return client.submit("/lab/login", name=name, password=password).status_code


def test_the_right_password_opens_and_signing_out_closes(client: StudyClient, ada: str) -> None:
    assert client.get("/lab/").status_code == 303
    assert enter(client, ada, PASSWORD) == 303
    assert client.get("/lab/").status_code == 200
    assert client.submit("/lab/logout").status_code == 303
    answer = client.get("/lab/")
    assert (answer.status_code, answer.location) == (303, "/lab/login")


def test_signing_in_ends_the_session_of_a_rater(
    client: StudyClient, ada: str, new_rater: RaterFactory
) -> None:
    client.sign_in(new_rater())
    enter(client, ada, PASSWORD)
    with client.session_transaction() as session:
        assert RATER_KEY not in session
        assert EXPERIMENTER_KEY in session


def test_an_experimenter_does_not_rate(client: StudyClient, catalog: Catalog) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    assert client.get("/api/trial").status_code == 401


def test_unknown_names_and_wrong_passwords_get_the_same_answer(client: StudyClient, ada: str) -> None:
    known, unknown = (client.submit("/lab/login", name=name, password="wrong") for name in ("ada", "eve"))
    assert known.status_code == unknown.status_code == 403
    without_token = [re.search(r"<main.*", answer.text, re.S) for answer in (known, unknown)]
    texts = [re.sub(r'name="csrf_token" value="[^"]*"', "", found[0]) for found in without_token if found]
    assert texts[0].replace('"ada"', '"eve"') == texts[1]


def test_five_wrong_passwords_lock_the_account_for_a_while(
    client: StudyClient, ada: str, times: list[datetime], catalog: Catalog
) -> None:
    for _ in range(FAILURES_BEFORE_LOCK):
        assert enter(client, ada, "wrong") == 403
    assert enter(client, ada, PASSWORD) == 403, "the right password does not open a locked account"
    times.append(START + LOCKED_FOR - timedelta(seconds=1))
    assert enter(client, ada, PASSWORD) == 403
    times.append(START + LOCKED_FOR)
    assert enter(client, ada, PASSWORD) == 303
    with catalog.reading() as session:
        actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions == ["locked out", "sign in"]


def test_a_right_password_starts_the_count_anew(client: StudyClient, ada: str, catalog: Catalog) -> None:
    for _ in range(FAILURES_BEFORE_LOCK - 1):
        enter(client, ada, "wrong")
    assert enter(client, ada, PASSWORD) == 303
    for _ in range(FAILURES_BEFORE_LOCK - 1):
        enter(client, ada, "wrong")
    with catalog.reading() as session:
        assert session.scalars(select(Experimenter)).one().locked_until is None


@pytest.fixture
def limited_client(settings: StudySettings, study: Study) -> Iterator[StudyClient]:
    """A browser at an application with rate limits."""
    made = create_app(replace(settings, limits_enabled=True))
    made.testing = True
    made.test_client_class = StudyClient
    found = made.test_client()
    assert isinstance(found, StudyClient)
    yield found
    made.extensions["study_database"].close()


def test_the_sixth_try_in_a_minute_has_to_wait(limited_client: StudyClient) -> None:
    tries = [enter(limited_client, "eve", "wrong") for _ in range(6)]
    assert tries == [403] * 5 + [429]
    assert limited_client.get("/lab/login").status_code == 200, "looking at the form is no try"


def lab_routes(app: Flask) -> list[tuple[str, str]]:
    """Method and path of every route of the laboratory but the form to sign in."""
    values = {"study_id": "0" * 32, "rater_id": "1" * 32, "invite_id": "2" * 32, "scene_id": 1}
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/lab") and rule.endpoint not in OPEN_TO_ALL:
            with app.test_request_context():
                path = app.url_for(rule.endpoint, **{name: values[name] for name in rule.arguments})
            found.extend((method, path) for method in sorted((rule.methods or set()) & {"GET", "POST"}))
    return found


def test_every_page_wants_a_signed_in_experimenter(
    client: StudyClient, app: Flask, new_rater: RaterFactory
) -> None:
    routes = lab_routes(app)
    assert len(routes) > 20
    client.sign_in(new_rater())
    for method, path in routes:
        data = {"csrf_token": client.csrf_token()} if method == "POST" else None
        answer = client.open(path, method=method, data=data)
        if method == "GET":
            assert (answer.status_code, answer.location) == (303, "/lab/login"), path
        else:
            assert answer.status_code == 401, path


def test_a_script_is_told_and_not_sent_to_the_form(client: StudyClient, study: Study) -> None:
    answer = client.get(f"/lab/studies/{study.public_id}/fragment", headers={"X-Fragment": "1"})
    assert answer.status_code == 401


def test_every_change_wants_the_token(client: StudyClient, app: Flask, catalog: Catalog) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    changes = [path for method, path in lab_routes(app) if method == "POST"]
    assert len(changes) >= 12
    for path in [*changes, "/lab/login"]:
        assert client.post(path, data={}).status_code == 403, path


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"results"}),
        ("analyst", {"results", "decide"}),
        ("admin", {"results", "decide", "prepare"}),
    ],
)
def test_roles_see_their_pages(
    client: StudyClient, catalog: Catalog, study: Study, role: str, allowed: set[str]
) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, role))
    base = f"/lab/studies/{study.public_id}"
    pages = {
        "results": [
            "/lab/",
            f"{base}/",
            f"{base}/scenes",
            f"{base}/raters",
            f"{base}/planner",
            f"{base}/set-up",
        ],
        "decide": ["/lab/audit", f"{base}/files", f"{base}/export.zip", f"{base}/report.html"],
        "prepare": ["/lab/accounts", "/lab/studies/new", f"{base}/invitations"],
    }
    for kind, paths in pages.items():
        for path in paths:
            assert client.get(path).status_code == (200 if kind in allowed else 404), path
    overview = client.get(f"{base}/").text
    for path in [*pages["prepare"][::2], *pages["decide"][:2]]:
        kind = "prepare" if path in pages["prepare"] else "decide"
        assert (f'href="{path}"' in overview) == (kind in allowed), (
            f"{role} is offered what they may open: {path}"
        )
