"""The catalog: scenes, exposures, candidates and references as tables (SQLAlchemy 2; SQLite or PostgreSQL).

Everything but `Reference` can be rebuilt from the files of the store (record.py). Paths are POSIX and relative to
the data folder. The study adds its own tables to `Base`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Connection,
    Engine,
    ForeignKey,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

SCHEMA_VERSION = 2
SCENE_STATES = ("ingested", "aligned", "ready", "partial", "failed", "quarantined", "rejected")
CANDIDATE_STATES = ("done", "failed", "quarantined", "superseded")
FAULTS = ("halo", "ghost", "noise", "cast", "clipping")
VERDICTS = ("accept", "accept-equivalent", "reject", "ambiguous", "void")
BUSY_MILLISECONDS = 10_000  # how long a writer waits for another one on SQLite
SCHEMA_LOCK = 865_363  # any number: PostgreSQL's name for "somebody changes the catalog's tables"
# Columns that older versions lack. All hold lists, so an ALTER TABLE that both databases know is all it takes.
ADDED_LISTS = (
    ("scene", "pairwise_psnr"),  # version 2
    ("scene", "near_duplicates"),
    ("scene", "disagreement_points"),
    ("candidate", "gate_failures"),
)


class CatalogError(RuntimeError):
    """The catalog cannot be opened or is not of this version; the message says what to do."""


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")


class Base(DeclarativeBase):
    """All tables; JSON stands for plain lists and mappings."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's way


class CatalogVersion(Base):
    """One row: the version of the tables, so that older code refuses a newer catalog."""

    __tablename__ = "catalog_version"
    version: Mapped[int] = mapped_column(primary_key=True)


class Scene(Base):
    """One bracket of one view."""

    __tablename__ = "scene"
    __table_args__ = (_one_of("status", SCENE_STATES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    group_name: Mapped[str] = mapped_column(String(200), index=True)  # scenes of one place: never split apart
    status: Mapped[str] = mapped_column(String(20), index=True)
    reason: Mapped[str] = mapped_column(default="")
    width: Mapped[int | None]  # after the common crop
    height: Mapped[int | None]
    crop: Mapped[list[Any] | None]  # x, y, width, height in the upright reference frame
    reference_position: Mapped[int | None]
    ghost_score: Mapped[float | None]  # share of the picture whose content moved
    flags: Mapped[list[str]] = mapped_column(default=list)
    # What the study has to know about the candidates, by key (stages/comparison.py)
    pairwise_psnr: Mapped[list[Any]] = mapped_column(default=list)  # [key, key, dB], each pair once
    near_duplicates: Mapped[list[Any]] = mapped_column(
        default=list
    )  # groups of two keys or more that look the same
    disagreement_points: Mapped[list[Any]] = mapped_column(default=list)  # [x, y], shares of width and height
    exposures: Mapped[list[Exposure]] = relationship(
        back_populates="scene", order_by="Exposure.position", cascade="all, delete-orphan"
    )
    candidates: Mapped[list[Candidate]] = relationship(back_populates="scene", order_by="Candidate.id")


class Exposure(Base):
    """One frame of a scene; position 0 is the darkest."""

    __tablename__ = "exposure"
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    original_path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    companion_path: Mapped[str | None]
    seconds: Mapped[float | None]
    f_number: Mapped[float | None]
    iso: Mapped[float | None]
    relative_ev: Mapped[float | None]
    captured_at: Mapped[datetime | None]
    aligned_path: Mapped[str | None]  # the original itself where nothing had to be changed
    linear_path: Mapped[str | None]  # RAW only: uint16 .npy, 65535 = white
    preview_path: Mapped[str | None]  # folder with w480.jpg, w2048.jpg and tiles
    transform: Mapped[dict[str, Any] | None]
    scene: Mapped[Scene] = relationship(back_populates="exposures")


class Candidate(Base):
    """One result of one algorithm (or of another program, imported) for one scene."""

    __tablename__ = "candidate"
    __table_args__ = (_one_of("status", CANDIDATE_STATES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"), index=True)
    algorithm: Mapped[str] = mapped_column(String(100), index=True)
    revision: Mapped[int]
    parameters: Mapped[dict[str, Any]]
    key: Mapped[str] = mapped_column(String(64), unique=True)
    path: Mapped[str | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(20))
    error: Mapped[str | None]
    quality: Mapped[float | None]  # MEF-SSIM: a companion figure; it never picks a reference
    preview_path: Mapped[str | None]
    gate_failures: Mapped[list[str]] = mapped_column(default=list)  # sentences: why it cannot be a reference
    imported: Mapped[bool] = mapped_column(default=False)
    scene: Mapped[Scene] = relationship(back_populates="candidates")


class DamagedCopy(Base):
    """A sound candidate with one fault put in on purpose: for training and for checking raters."""

    __tablename__ = "damaged_copy"
    __table_args__ = (_one_of("fault", FAULTS),)
    id: Mapped[int] = mapped_column(primary_key=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"), index=True)
    candidate_id: Mapped[int] = mapped_column(
        ForeignKey("candidate.id", ondelete="RESTRICT")
    )  # the sound one
    key: Mapped[str] = mapped_column(String(64), unique=True)
    fault: Mapped[str] = mapped_column(String(20))
    at: Mapped[list[Any]]  # where it shows most: [x, y], shares of width and height
    preview_path: Mapped[str]


class Reference(Base):
    """The study's verdict on one scene: written by study_app, read by the export."""

    __tablename__ = "reference"
    __table_args__ = (_one_of("verdict", VERDICTS),)
    id: Mapped[int] = mapped_column(primary_key=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"), index=True)
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id", ondelete="RESTRICT"))
    verdict: Mapped[str] = mapped_column(String(20))
    co_best: Mapped[list[Any]] = mapped_column(default=list)
    raters: Mapped[int]
    votes_by_candidate: Mapped[dict[str, Any]]
    p_best: Mapped[float | None]
    acceptable_share: Mapped[float | None]
    rule_version: Mapped[str] = mapped_column(String(80))
    votes_digest: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime]
    current: Mapped[bool] = mapped_column(default=True, index=True)


class Catalog:
    """An open catalog; every piece of work is one `reading` or one `writing` transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one consistent state."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement and commits at the end."""
        with Session(self.engine.execution_options(writing=True)) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()


def catalog_url(data: Path) -> str:
    """`DATABASE_URL` if set, else the SQLite file in the data folder."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{data / 'catalog.sqlite'}"


def open_catalog(url: str) -> Catalog:
    """Open the catalog, making its tables where they are missing.

    Raises CatalogError if the address is malformed, the database does not answer or is of a newer version.
    """
    try:
        address = make_url(url)
        if address.drivername in ("postgres", "postgresql"):
            address = address.set(drivername="postgresql+psycopg")
        with ExitStack() as unless_opened:
            engine = create_engine(address, pool_pre_ping=True)
            unless_opened.callback(engine.dispose)
            catalog = _prepared(engine)
            unless_opened.pop_all()
            return catalog
    except ModuleNotFoundError as error:
        raise CatalogError(
            f"{_safe(url)}: the driver {error.name!r} is missing; install 'contrast-foundry[postgres]'"
        ) from error
    except (SQLAlchemyError, ArgumentError, ValueError) as error:
        detail = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise CatalogError(
            f"{_safe(url)}: the catalog cannot be opened ({detail}). Check that the folder exists and can be "
            f"written, or that DATABASE_URL names a running server"
        ) from error


def _prepared(engine: Engine) -> Catalog:
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    catalog = Catalog(engine)
    if _version(engine) != SCHEMA_VERSION:
        with catalog.writing() as session:
            _bring_up(session.connection())
    return catalog


def _own_tables() -> list[Table]:
    """The tables of this module: those of the study, on the same `Base`, are the study's to make."""
    return [
        cast(Table, mapper.local_table)
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ == __name__
    ]


def _version(engine: Engine) -> int | None:
    """The version of the tables that are there; CatalogError if they are newer than this program."""
    if not inspect(engine).has_table(CatalogVersion.__tablename__):
        return None
    with engine.connect() as connection:
        found = connection.execute(select(CatalogVersion.version)).scalar()
    if found is not None and found > SCHEMA_VERSION:
        raise CatalogError(
            f"{_safe(str(engine.url))}: this catalog has version {found}, this program knows up to "
            f"{SCHEMA_VERSION}; use the newer program that wrote it"
        )
    return found


def _bring_up(connection: Connection) -> None:
    """Make the tables or add what an older version lacks: all of it or nothing, by one program at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK)))
    found = inspect(connection)
    for table, column in ADDED_LISTS:
        if found.has_table(table) and column not in {there["name"] for there in found.get_columns(table)}:
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column} JSON DEFAULT '[]' NOT NULL"))
    Base.metadata.create_all(connection, tables=_own_tables())
    connection.execute(delete(CatalogVersion))
    connection.execute(insert(CatalogVersion).values(version=SCHEMA_VERSION))


def _safe(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return repr(url)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set the kind of journal. Two programs that do so at once on a new file are refused without any waiting."""
    give_up = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def _prepare_sqlite(engine: Engine) -> None:
    """Durable, and free of upgrade deadlocks: writers take the lock at BEGIN, not at their first write."""

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        _write_ahead(connection)
        for pragma in ("foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
