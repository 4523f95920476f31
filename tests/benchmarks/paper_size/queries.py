"""Does any query of the catalog read a whole growing table? SQLite's own plan of every statement that was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sqlalchemy import Engine, event, func, select

from builder.__main__ import main as command_line
from builder.catalog import Base, Catalog
from study_app import create_app
from study_app.settings import StudySettings
from study_app.storage.database import open_database
from study_app.storage.models import Experimenter, Rater
from study_app.web.identity import EXPERIMENTER_KEY, RATER_KEY
from tests.benchmarks.paper_size.pages import laboratory_pages, url_of
from tests.benchmarks.report import Report

LARGE = 1000  # rows: what grows with scenes times algorithms, frames or raters

# "SCAN x USING COVERING INDEX" reads an index, also all of it
READS_ALL = re.compile(r"^SCAN (\w+)\b(?! USING)")
Sent = dict[str, Any]  # statement -> the parameters of its first use


@contextmanager
def statements_sent() -> Iterator[Sent]:
    """Every SELECT, UPDATE and DELETE that this process sends inside the block."""
    sent: Sent = {}

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            sent.setdefault(statement, parameters)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def whole_table_reads(catalog: Catalog, sent: Sent, is_large: Callable[[str], bool]) -> dict[str, list[str]]:
    """Statement -> the large tables that its plan scans from end to end."""
    found: dict[str, list[str]] = {}
    with catalog.engine.connect() as connection:
        for statement, parameters in sent.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            tables = [match[1] for row in plan if (match := READS_ALL.match(row[3]))]
            large = [name for name in tables if is_large(name)]
            if large:
                found[statement] = large
    return found


def look_at_queries(data: Path) -> Report:
    """Opens every page of the laboratory and a rater's trial on the voted copy, and the builder's own commands."""
    copy = data.with_name("strict")
    catalog = open_database(url_of(copy))
    try:
        with statements_sent() as sent:
            _open_pages(catalog, copy)
            _call_builder(copy)
        rows = _rows_of_tables(catalog)
        found = whole_table_reads(
            catalog, sent, lambda name: rows.get(name.rstrip("0123456789_"), 0) >= LARGE
        )
    finally:
        catalog.close()
    notes = (f"{len(sent)} different statements; tables of {LARGE} rows or more: {_large(rows)}",)
    table = tuple((", ".join(tables), " ".join(statement.split())) for statement, tables in found.items())
    return Report("Statements that read a large table from end to end", ("tables", "statement"), table, notes)


def _open_pages(catalog: Catalog, data: Path) -> None:
    """In this process, by Flask's own client, signed in as experimenter and then as a rater."""
    app = create_app(StudySettings(data=data, database_url=url_of(data), secret_key="of the benchmark"))
    with catalog.reading() as session:
        experimenter = session.scalars(select(Experimenter.id).limit(1)).one()
        rater = session.scalars(select(Rater.public_id).where(Rater.finished_at.is_(None)).limit(1)).one()
    client = app.test_client()
    for key, value, addresses in (
        (EXPERIMENTER_KEY, experimenter, laboratory_pages(catalog, data).values()),
        (RATER_KEY, rater, ("/next", "/trial", "/api/trial", "/api/trial/next", "/me")),
    ):
        with client.session_transaction() as cookie:
            cookie.clear()
            cookie[key] = value
        for address in addresses:
            client.get(address)


def _call_builder(data: Path) -> None:
    CliRunner().invoke(command_line, ["status", "--data", str(data)], catch_exceptions=False)


def _rows_of_tables(catalog: Catalog) -> dict[str, int]:
    with catalog.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Base.metadata.sorted_tables
        }


def _large(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in rows.items() if count >= LARGE)
