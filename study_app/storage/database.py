"""The study's database: opened and brought to this version, transactions that are tried again where that helps."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from builder.catalog import Catalog, CatalogError, open_catalog
from study_app import clock
from study_app.migrations import VERSION_TABLE
from study_app.storage.models import Study

MIGRATIONS = Path(__file__).parents[1] / "migrations"
RETRIED = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock; nothing was stored
RETRIES = 5
FIRST_PAUSE_SECONDS = 0.01
_MIGRATION_LOCK = 7_302_512  # any number that no other use of advisory locks has

Result = TypeVar("Result")


def open_database(url: str) -> Catalog:
    """Open the catalog and bring the study's tables to this version; raises CatalogError.

    An existing SQLite database is copied beside itself before it is changed.
    """
    with ExitStack() as unless_opened:
        catalog = open_catalog(url)
        unless_opened.callback(catalog.close)
        upgrade(catalog.engine)
        unless_opened.pop_all()
        return catalog


def retrying(catalog: Catalog, work: Callable[[Session], Result]) -> Result:
    """Do `work` in a writing transaction; on a deadlock or serialization failure the whole of it again.

    `work` must have no effect but on its session. Raises what the last attempt raised.
    """
    for attempt in range(RETRIES):
        try:
            with catalog.writing() as session:
                return work(session)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in RETRIED:
                raise
        time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.random())  # rivals must not meet again
    with catalog.writing() as session:
        return work(session)


def upgrade(engine: Engine) -> None:
    """Run the migrations that the database lacks, in one transaction; others that start meanwhile wait for it."""
    config = _migrations(MIGRATIONS)
    scripts = _scripts(MIGRATIONS)
    with engine.connect() as connection:
        if _found_revision(connection, scripts) == scripts.get_current_head():
            return
    with _exclusive(engine) as connection:
        found = _found_revision(connection, scripts)
        if found == scripts.get_current_head():
            return
        if found is not None and engine.dialect.name == "sqlite":
            _copy_beside(engine, found)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _migrations(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    """The migrations of a folder, read once: every opening asks for the newest, and they come with the program."""
    return ScriptDirectory.from_config(_migrations(folder))


def _found_revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """The revision that the tables have, None if there are none; CatalogError if this program cannot know them."""
    if not inspect(connection).has_table(VERSION_TABLE):
        if inspect(connection).has_table(Study.__tablename__):
            raise CatalogError(
                f"{_address(connection)}: the study's tables carry no version (no table {VERSION_TABLE}); "
                "restore a backup that this program made"
            )
        return None
    options = {"version_table": VERSION_TABLE}
    found = MigrationContext.configure(connection, opts=options).get_current_revision()
    known = [script.revision for script in scripts.walk_revisions()]
    if found is not None and found not in known:
        raise CatalogError(
            f"{_address(connection)}: the study's tables have version {found}, this program knows up to "
            f"{scripts.get_current_head()}; use the newer program that wrote them"
        )
    return found


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that no other start shares; foreign keys are checked at its end.

    SQLite cannot make a table anew while foreign keys act, and takes that setting only outside transactions.
    """
    with engine.execution_options(writing=True).connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                yield connection
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                _require_foreign_keys(connection)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _require_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise CatalogError(
            f"{_address(connection)}: the migration left {len(broken)} rows without what they refer to, first "
            f"{tuple(broken[0])}; nothing was changed. Please report this with the copy beside the database"
        )


def _address(connection: Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)


def _copy_beside(engine: Engine, revision: str) -> Path | None:
    """A whole copy `<name>.before-migration-<revision>-<time>` of a SQLite file; None for one in memory."""
    if not engine.url.database or engine.url.database == ":memory:":
        return None
    source = Path(engine.url.database)
    copy = source.with_name(f"{source.name}.before-migration-{revision}-{clock.now():%Y%m%dT%H%M%S%f}")
    reader, writer = sqlite3.connect(source), sqlite3.connect(copy)
    try:
        reader.backup(writer)
    finally:
        reader.close()
        writer.close()
    return copy
