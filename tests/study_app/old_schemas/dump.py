"""Writes the dump of today's schema, for the tests of tomorrow's: see test_old_schemas.py."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select, text

from study_app.keeping.backup import results_of
from study_app.migrations import VERSION_TABLE
from study_app.storage.database import open_database
from study_app.storage.models import Vote
from tests.study_app.ballot_box import filled_study
from tests.study_app.scenery import add_scenes, write_dataset


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder / "data")
        template = folder / "template.sqlite"
        catalog = open_database(f"sqlite:///{template}")
        with catalog.writing() as session:
            add_scenes(session)
        catalog.close()
        with (
            filled_study(template, folder / "filled", folder / "data") as (filled, _),
            filled.reading() as session,
        ):
            revision = session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
            told = {"votes": session.scalar(select(func.count(Vote.id))), "results": results_of(session)}
        with closing(sqlite3.connect(folder / "filled/catalog.sqlite")) as connection:
            dump = "\n".join(connection.iterdump())
    (target / f"{revision}.sql.gz").write_bytes(gzip.compress(dump.encode(), mtime=0))
    (target / f"{revision}.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(__file__).parent)
