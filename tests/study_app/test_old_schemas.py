"""Databases as earlier versions wrote them: brought to this version with the same results, kept beside as they were.

`old_schemas/<revision>.sql.gz` is the dump of a study with every kind of vote (ballot_box.fill), with the results
that the version which wrote it computed. When a migration is added, add the dump of the version before it:
`python -m tests.study_app.old_schemas.dump` in that version.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from study_app.keeping.backup import results_of
from study_app.storage.database import open_database
from study_app.storage.models import Vote

OLD = Path(__file__).with_name("old_schemas")
pytestmark = pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the dumps are of SQLite")


@pytest.mark.parametrize("dump", sorted(OLD.glob("*.sql.gz")), ids=lambda path: path.name[:4])
def test_an_older_database_gives_the_results_that_it_gave_then(dump, tmp_path, figure):
    expected = json.loads(dump.with_name(f"{dump.name[:4]}.json").read_text())
    path = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(gzip.decompress(dump.read_bytes()).decode())
    catalog = open_database(f"sqlite:///{path}")
    try:
        with catalog.reading() as session:
            assert session.scalar(select(func.count(Vote.id))) == expected["votes"]
            assert results_of(session) == expected["results"]
    finally:
        catalog.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    figure(f"schema {dump.name[:4]}: {expected['votes']} votes, the same results")


def test_there_is_a_dump_of_the_first_version():
    assert (OLD / "0001.sql.gz").is_file()
