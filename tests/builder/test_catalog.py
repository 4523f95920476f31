"""The catalog on SQLite, and on PostgreSQL where TEST_DATABASE_URL names a server."""

from __future__ import annotations

import os
import threading

import pytest
from sqlalchemy import create_engine, inspect, make_url, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from builder.catalog import (
    SCHEMA_VERSION,
    Base,
    Candidate,
    CatalogError,
    CatalogVersion,
    DamagedCopy,
    Exposure,
    Reference,
    Scene,
    catalog_url,
    open_catalog,
)
from tests.builder import catalog_version_1


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL names no PostgreSQL server")
    engine = engine_of(server)
    with engine.begin() as connection:  # the study's tables, of other tests, hold on to ours
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server


def engine_of(url):
    address = make_url(url)
    if address.drivername != "sqlite":
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(address)


@pytest.fixture
def catalog(url):
    opened = open_catalog(url)
    yield opened
    opened.close()


def scene(name: str = "church") -> Scene:
    return Scene(name=name, group_name=name, status="ready", flags=["dynamic"], crop=[0, 0, 10, 10])


def test_rows_come_back(catalog):
    with catalog.writing() as session:
        church = scene()
        church.exposures = [
            Exposure(position=1, original_path="b", sha256="b", transform={"matrix": [1, 2]}),
            Exposure(position=0, original_path="a", sha256="a", seconds=0.5),
        ]
        session.add(church)
    with catalog.reading() as session:
        found = session.scalars(select(Scene)).one()
        assert found.flags == ["dynamic"]
        assert [exposure.original_path for exposure in found.exposures] == ["a", "b"]
        assert found.exposures[1].transform == {"matrix": [1, 2]}


def test_an_unknown_state_is_refused(catalog):
    with pytest.raises(IntegrityError, match="status_known"), catalog.writing() as session:
        session.add(Scene(name="x", group_name="x", status="finished"))


def test_a_candidate_with_a_reference_cannot_be_deleted(catalog):
    from datetime import datetime

    with catalog.writing() as session:
        church = scene()
        candidate = Candidate(
            scene=church, algorithm="mertens2009", revision=1, parameters={}, key="k", status="done"
        )
        session.add_all([church, candidate])
        session.flush()
        session.add(
            Reference(
                scene_id=church.id,
                candidate_id=candidate.id,
                verdict="accept",
                raters=8,
                votes_by_candidate={},
                rule_version="1",
                votes_digest="d",
                decided_at=datetime(2026, 1, 1),
            )
        )
    with pytest.raises(IntegrityError), catalog.writing() as session:
        session.delete(session.scalars(select(Candidate)).one())


def test_the_catalog_opens_twice(url, catalog):
    other = open_catalog(url)
    with other.reading() as session:
        assert session.scalars(select(CatalogVersion.version)).all() == [SCHEMA_VERSION]
    other.close()


def test_a_newer_catalog_is_refused(url, catalog):
    with catalog.writing() as session:
        session.execute(text(f"UPDATE catalog_version SET version = {SCHEMA_VERSION + 1}"))
    with pytest.raises(CatalogError, match=rf"version {SCHEMA_VERSION + 1}.*knows up to {SCHEMA_VERSION}"):
        open_catalog(url)


@pytest.fixture
def old_url(url):
    """A database of the first version with one scene and one candidate."""
    engine = engine_of(url)
    catalog_version_1.make_catalog(engine)
    engine.dispose()
    return url


def test_an_old_catalog_gets_what_it_lacks_and_keeps_its_rows(old_url):
    catalog = open_catalog(old_url)
    with catalog.writing() as session:
        church = session.scalars(select(Scene)).one()
        assert (church.id, church.name, church.flags) == (7, "church", ["dynamic"])
        assert (church.pairwise_psnr, church.near_duplicates, church.disagreement_points) == ([], [], [])
        (candidate,) = church.candidates
        assert (candidate.quality, candidate.gate_failures) == (0.9, [])
        copy = DamagedCopy(candidate_id=candidate.id, key="d", fault="halo", at=[0.5, 0.5], preview_path="p")
        copy.scene_id = church.id
        session.add(copy)
        session.add(scene("chapel"))
    with catalog.reading() as session:
        assert session.scalars(select(CatalogVersion.version)).all() == [SCHEMA_VERSION]
    catalog.close()


def shape(engine):
    """Names, types and nullability of all columns of all tables."""
    found = inspect(engine)
    return {
        table: {
            column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


def test_an_old_catalog_ends_with_the_tables_of_a_new_one(tmp_path, old_url):
    brought_up, new = open_catalog(old_url), open_catalog(f"sqlite:///{tmp_path / 'new.sqlite'}")
    mine, expected = shape(brought_up.engine), shape(new.engine)
    brought_up.close()
    new.close()
    assert {table: sorted(columns) for table, columns in mine.items()} == {
        table: sorted(columns) for table, columns in expected.items()
    }
    if old_url.startswith("sqlite"):
        assert mine == expected


def test_programs_that_open_an_old_catalog_at_once_bring_it_up_once(old_url):
    opened, errors = [], []

    def open_it() -> None:
        try:
            opened.append(open_catalog(old_url))
        except CatalogError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for catalog in opened:
        catalog.close()
    assert (len(opened), errors) == (4, [])


def test_only_the_tables_of_the_catalog_are_made(url):
    """Another module's tables on the same Base (the study's) are its own affair."""

    class Planted(Base):
        __tablename__ = "planted_by_a_test"
        id: Mapped[int] = mapped_column(primary_key=True)

    try:
        catalog = open_catalog(url)
        assert "planted_by_a_test" not in inspect(catalog.engine).get_table_names()
        assert "scene" in inspect(catalog.engine).get_table_names()
        catalog.close()
    finally:
        Base.metadata.remove(Planted.__table__)
        Base.registry._dispose_cls(Planted)


def test_writers_wait_for_each_other(catalog):
    """Readers that turn into writers would deadlock in SQLite; every writer takes the lock first."""
    with catalog.writing() as session:
        session.add(scene())

    def add_flags(flag: str) -> None:
        for number in range(10):
            with catalog.writing() as session:
                query = select(Scene).where(Scene.name == "church").with_for_update()
                church = session.scalars(query).one()
                church.flags = [*church.flags, f"{flag}{number}"]

    threads = [threading.Thread(target=add_flags, args=(flag,)) for flag in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with catalog.reading() as session:
        assert len(session.scalars(select(Scene)).one().flags) == 31


def test_sqlite_is_durable_and_checks_foreign_keys(tmp_path):
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    with catalog.reading() as session:
        pragmas = ["journal_mode", "foreign_keys", "synchronous", "busy_timeout"]
        assert [session.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas] == ["wal", 1, 2, 10000]
    catalog.close()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("sqlite:////does/not/exist/catalog.sqlite", "unable to open database file"),
        ("nonsense", "cannot be opened"),
        ("postgresql://user:secret@127.0.0.1:1/none", r"user:\*\*\*@127.0.0.1.*cannot be opened"),
    ],
)
def test_a_bad_address_is_a_sentence_without_the_password(bad, message):
    with pytest.raises(CatalogError, match=message) as caught:
        open_catalog(bad)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "catalog.sqlite").write_text("this is a text " * 100)
    with pytest.raises(CatalogError, match="file is not a database"):
        open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")


def test_database_url_decides(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert catalog_url(tmp_path) == f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    monkeypatch.setenv("DATABASE_URL", "postgresql://server/contrast")
    assert catalog_url(tmp_path) == "postgresql://server/contrast"


def test_status_queries_use_an_index(tmp_path):
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    with catalog.reading() as session:
        query = "EXPLAIN QUERY PLAN SELECT * FROM candidate WHERE scene_id = 1"
        assert "USING INDEX" in " ".join(map(str, session.execute(text(query)).all()))
    catalog.close()
