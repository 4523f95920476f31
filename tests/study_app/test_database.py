"""Migrations, the copy before them, the start of several workers, what may never change, and trying again."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from builder.catalog import Base, Catalog, CatalogError, open_catalog
from study_app.migrations import VERSION_TABLE
from study_app.storage import audit, database
from study_app.storage.database import RETRIES, open_database, retrying
from study_app.storage.models import Decision, Exclusion, Look, Rater, Study, Vote, VotePick
from tests.study_app import scenery
from tests.study_app.scenery import START


def tables_of_models(url: str) -> None:
    """All tables as the models say, without any migration."""
    catalog = open_catalog(url)
    Base.metadata.create_all(catalog.engine)
    catalog.close()


def statements(path: Path) -> dict[str, str]:
    """Name -> SQL of every table and index, free of the order of lines and of spaces."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        ).fetchall()
    connection.close()
    return {name: sorted(re.sub(r"[\s,]+", " ", line) for line in sql.splitlines()) for name, sql in rows}


def test_models_and_migrations_agree(catalog):
    with catalog.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_models_and_migrations_agree_to_the_letter_of_every_check(tmp_path):
    tables_of_models(f"sqlite:///{tmp_path / 'models.sqlite'}")
    open_database(f"sqlite:///{tmp_path / 'migrated.sqlite'}").close()
    migrated = statements(tmp_path / "migrated.sqlite")
    del migrated[VERSION_TABLE]
    assert migrated == statements(tmp_path / "models.sqlite")


def test_opening_twice_changes_nothing(tmp_path):
    path = tmp_path / "catalog.sqlite"
    open_database(f"sqlite:///{path}").close()
    before = statements(path)
    open_database(f"sqlite:///{path}").close()
    assert statements(path) == before
    assert [found.name for found in tmp_path.glob("*before-migration*")] == []


def set_version(catalog: Catalog, version: str) -> None:
    with catalog.writing() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :version"), {"version": version})


def test_newer_tables_are_refused(catalog, database_url):
    set_version(catalog, "9999")
    with pytest.raises(
        CatalogError, match="tables have version 9999, this program knows up to 0001; use the newer"
    ):
        open_database(database_url)


def test_tables_without_a_version_are_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    tables_of_models(url)
    with pytest.raises(CatalogError, match="carry no version"):
        open_database(url)


NEXT_MIGRATION = '''
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    with op.batch_alter_table("vote") as vote:
        vote.add_column(sa.Column("mood", sa.String(20), nullable=False, server_default=""))
        vote.alter_column("comment", type_=sa.String(600))
'''  # fmt: skip


@pytest.fixture
def vote_of_today(catalog, study, new_rater) -> int:
    """A vote written before the migration; its id."""
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        scene = scenery.scene_named(session, study, "bay")
        return scenery.add_vote(session, session.get_one(Rater, rater.id), scene, [2, 1]).id


@pytest.fixture
def next_version(tmp_path, monkeypatch, vote_of_today):
    """A program that is one migration ahead: the vote table gets a column and, on SQLite, is made anew.

    The database is of today when the test begins, and has a vote.
    """
    own = tmp_path / "migrations"
    (own / "versions").mkdir(parents=True)
    for file in database.MIGRATIONS.glob("**/*.py"):
        (own / file.relative_to(database.MIGRATIONS)).write_text(file.read_text())
    (own / "versions" / "0002_mood.py").write_text(NEXT_MIGRATION)
    monkeypatch.setattr(database, "MIGRATIONS", own)


@pytest.mark.usefixtures("next_version")
def test_a_migration_keeps_votes_and_their_triggers(catalog, database_url, vote_of_today):
    open_database(database_url).close()
    with catalog.reading() as session:
        found = session.execute(text("SELECT id, mood, comment FROM vote")).all()
        assert found == [(vote_of_today, "", "")]
        assert len(session.scalars(select(VotePick)).all()) == 2
        with pytest.raises(IntegrityError, match="vote is append-only"):
            session.execute(text("UPDATE vote SET mood = 'merry'"))


@pytest.mark.usefixtures("next_version")
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="copies are made of SQLite files")
def test_an_existing_database_is_copied_before_a_migration(catalog, database_url, vote_of_today, tmp_path):
    open_database(database_url).close()
    [copy] = tmp_path.glob("catalog.sqlite.before-migration-0001-*")
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT id FROM vote").fetchall() == [(vote_of_today,)]
        assert "mood" not in [row[1] for row in connection.execute("PRAGMA table_info(vote)")]
    connection.close()


@pytest.mark.usefixtures("next_version")
def test_a_failed_migration_changes_nothing(catalog, database_url, vote_of_today):
    path = database.MIGRATIONS / "versions" / "0002_mood.py"
    path.write_text(NEXT_MIGRATION + "    op.execute('INSERT INTO nowhere VALUES (1)')\n")
    with pytest.raises(DBAPIError, match="nowhere"):
        open_database(database_url)
    columns = [column["name"] for column in inspect(catalog.engine).get_columns("vote")]
    assert "mood" not in columns
    with catalog.reading() as session:
        assert session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "0001"
        assert session.scalars(select(Vote.id)).all() == [vote_of_today]


def test_several_workers_may_start_on_an_empty_database_at_once(tmp_path):
    """Each has connections of its own, as processes have; threads spare the test their imports."""
    with scenery.fresh_database(tmp_path) as url:
        gate = threading.Barrier(6)

        def start(_number: int) -> list[str]:
            gate.wait()
            opened = open_database(url)
            with opened.reading() as session:
                found = list(session.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")))
            opened.close()
            return found

        with ThreadPoolExecutor(6) as workers:
            assert list(workers.map(start, range(6))) == [["0001"]] * 6


def vote_and_rater(catalog, study, new_rater) -> tuple[int, int]:
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        scene = scenery.scene_named(session, study, "alley")
        return scenery.add_vote(session, session.get_one(Rater, rater.id), scene, [0, 1]).id, rater.id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vote SET kind = 'technical', acceptable = NULL",
        "UPDATE vote SET comment = 'x'",
        "UPDATE vote_pick SET rank = 3 WHERE rank = 2",
        "DELETE FROM vote_pick",
    ],
)
@pytest.mark.parametrize("state", ["active", "withdrawn", "erased"])
def test_a_vote_stays_as_it_was_cast(catalog, study, new_rater, statement, state):
    _, rater_id = vote_and_rater(catalog, study, new_rater)
    with catalog.writing() as session:
        session.get_one(Rater, rater_id).state = state
    with (
        pytest.raises(IntegrityError, match="is append-only: add a row instead"),
        catalog.writing() as session,
    ):
        session.execute(text(statement))


def test_a_vote_is_not_deleted_even_without_its_picks(catalog, study, new_rater):
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        scene = scenery.scene_named(session, study, "alley")
        scenery.add_vote(session, session.get_one(Rater, rater.id), scene, kind="technical")
    with pytest.raises(IntegrityError, match="vote is append-only"), catalog.writing() as session:
        session.execute(text("DELETE FROM vote"))


def test_erasing_deletes_this_raters_votes_only(catalog, study, new_rater):
    _, leaving = vote_and_rater(catalog, study, new_rater)
    staying, _ = vote_and_rater(catalog, study, new_rater)
    own = "SELECT id FROM assignment WHERE rater_id = :rater"
    with catalog.writing() as session:
        session.get_one(Rater, leaving).state = "erasing"
        session.flush()
        votes = f"SELECT id FROM vote WHERE assignment_id IN ({own})"
        session.execute(text(f"DELETE FROM vote_pick WHERE vote_id IN ({votes})"), {"rater": leaving})
        session.execute(text(f"DELETE FROM vote WHERE assignment_id IN ({own})"), {"rater": leaving})
    with catalog.reading() as session:
        assert session.scalars(select(Vote.id)).all() == [staying]
        assert session.scalars(select(VotePick.vote_id)).all() == [staying, staying]


def test_the_id_of_an_erased_vote_does_not_come_again(catalog, study, new_rater):
    erased, leaving = vote_and_rater(catalog, study, new_rater)
    with catalog.writing() as session:
        session.get_one(Rater, leaving).state = "erasing"
        session.flush()
        session.execute(text("DELETE FROM vote_pick"))
        session.execute(text("DELETE FROM vote"))
    assert vote_and_rater(catalog, study, new_rater)[0] > erased


def record_of(table: str, session, study: Study, rater_id: int):
    """A row of an append-only table."""
    scene = scenery.scene_named(session, study, "alley")
    if table == "look":
        return Look(
            study_scene_id=scene.id, generation=0, number=8, vote_id=1, state="continue", leader_id=1, p_best=0.5,
            p_near=0.5, made_at=START,
        )  # fmt: skip
    if table == "decision":
        return Decision(
            study_scene_id=scene.id,
            verdict="void",
            reason="x",
            details={},
            votes_digest="0",
            decided_at=START,
        )
    return Exclusion(rater_id=rater_id, excluded=True, reason="x", by="x", at=START)


@pytest.mark.parametrize("action", ["UPDATE {} SET id = id + 1", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["look", "decision", "exclusion", "audit_event"])
def test_records_are_for_ever(catalog, study, new_rater, table, action):
    rater = new_rater(step="joined", state="erasing")
    with catalog.writing() as session:
        if table == "audit_event":
            audit.record(session, "ada", "tried", {}, START)
        else:
            session.add(record_of(table, session, study, rater.id))
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), catalog.writing() as session:
        session.execute(text(action.format(table)))


class Conflict(Exception):
    """What psycopg raises, as far as `retrying` looks."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Rival:
    """Work that fails a number of times after it has written."""

    def __init__(self, study_id: int, failures: int, sqlstate: str) -> None:
        self.study_id = study_id
        self.failures = failures
        self.sqlstate = sqlstate
        self.calls = 0

    def __call__(self, session) -> str:
        self.calls += 1
        session.get_one(Study, self.study_id).title += "."
        session.flush()
        if self.calls <= self.failures:
            raise DBAPIError("UPDATE", {}, Conflict(self.sqlstate))
        return "done"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_conflict_is_tried_again_and_leaves_one_change(catalog, study, sqlstate):
    rival = Rival(study.id, RETRIES, sqlstate)
    assert retrying(catalog, rival) == "done"
    assert rival.calls == RETRIES + 1
    with catalog.reading() as session:
        assert session.get_one(Study, study.id).title == "Tests."


@pytest.mark.parametrize(("sqlstate", "calls"), [("40001", RETRIES + 1), ("23505", 1)])
def test_what_does_not_pass_is_raised(catalog, study, sqlstate, calls):
    rival = Rival(study.id, 99, sqlstate)
    with pytest.raises(DBAPIError, match=sqlstate):
        retrying(catalog, rival)
    assert rival.calls == calls
