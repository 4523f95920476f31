"""A database that is locked, full, read-only or gone: proof test 4 (study.md, section 12)."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from sqlalchemy import event

from study_app import clock
from study_app.storage.models import Rater
from tests.study_app.ballots import body_of, new_key, stored_votes
from tests.study_app.scenery import (
    START,
    add_assignment,
    detached,
    rater_id,
    scene_named,
)


@pytest.fixture(autouse=True)
def the_time(monkeypatch):
    """The server's clock stands at START until a test moves it."""
    times = {"now": START}
    monkeypatch.setattr(clock, "now", lambda: times["now"])
    return times


@pytest.fixture
def rater(new_rater):
    return new_rater()


@pytest.fixture
def trial(catalog, study, rater):
    """An open trial of `rater`: the scene "bay" with 13 items, letter A is the first item."""
    with catalog.writing() as session:
        own = session.get_one(Rater, rater_id(rater))
        return detached(session, add_assignment(session, own, scene_named(session, study, "bay")))


class TestDatabaseInTrouble:
    """Nothing is stored, the browser hears 503 and tries again: then it is stored once."""

    @pytest.fixture(autouse=True)
    def _sqlite_only(self, database_url):
        if not database_url.startswith("sqlite"):
            pytest.skip("locks and files are SQLite's")

    @pytest.fixture
    def impatient(self, app):
        """The application waits 50 ms for the lock instead of ten seconds."""
        engine = app.extensions["study_database"].engine
        engine.dispose()

        def shorten(connection, _record):
            connection.execute("PRAGMA busy_timeout=50")

        event.listen(engine, "connect", shorten)
        yield
        event.remove(engine, "connect", shorten)

    def refused_then_stored(self, client, catalog, rater, trial, trouble, relief):
        client.sign_in(rater)
        body, key = body_of(trial, behaviour={"note": "x" * 40_000}), new_key()
        trouble()
        refused = client.send("/api/votes", body, Idempotency_Key=key)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert refused.get_json()["error"].startswith("Not saved yet, still trying")
        relief()
        assert stored_votes(catalog) == []
        assert client.send("/api/votes", body, Idempotency_Key=key).status_code == 201
        assert len(stored_votes(catalog)) == 1

    def test_somebody_holds_the_lock(self, client, catalog, rater, trial, impatient, tmp_path):
        other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
        self.refused_then_stored(
            client, catalog, rater, trial,
            trouble=lambda: other.execute("BEGIN IMMEDIATE"), relief=lambda: other.execute("ROLLBACK"),
        )  # fmt: skip
        other.close()

    def test_the_lock_is_released_in_time(self, client, catalog, rater, trial, tmp_path):
        """A short lock is nobody's business: the vote waits for it and is stored at the first try."""
        other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        client.sign_in(rater)
        release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        release.start()
        answer = client.send("/api/votes", body_of(trial), Idempotency_Key=new_key())
        release.join()
        other.close()
        assert answer.status_code == 201
        assert len(stored_votes(catalog)) == 1

    @pytest.mark.parametrize("trouble", ["read-only", "full"])
    def test_the_file_takes_no_more(self, app, client, catalog, rater, trial, trouble):
        """Read-only, or full to the last page: the vote comes again when there is room."""
        engine = app.extensions["study_database"].engine
        pragma = {"read-only": "PRAGMA query_only=ON", "full": "PRAGMA max_page_count=1"}[trouble]

        def spoil(connection, _record):
            connection.execute(pragma)

        def begin():
            engine.dispose()
            event.listen(engine, "connect", spoil)

        def end():
            event.remove(engine, "connect", spoil)
            engine.dispose()

        self.refused_then_stored(client, catalog, rater, trial, begin, end)

    def test_readyz_tells_it(self, app, client, monkeypatch):
        assert client.get("/readyz").status_code == 200
        engine = app.extensions["study_database"].engine

        def gone(*_):
            raise sqlite3.OperationalError("unable to open database file")

        engine.dispose()
        event.listen(engine, "do_connect", gone)
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        event.remove(engine, "do_connect", gone)
