"""Backups, second by second, while a crowd rates at a real server: each restored gives the results it recorded."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, select, text

from study_app import clock
from study_app.keeping.backup import make_backup, read_record, restore_check, results_of
from study_app.storage.database import open_database
from study_app.storage.models import Study
from tests.study_app.raters_load import LoadForm, Outcome, run_load

PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class BackupsOutcome:
    """What came of the backups; `restore_check` raises where one is not what it recorded."""

    load: Outcome
    votes: tuple[int, ...]  # in each backup made under load, oldest first
    seconds: tuple[float, ...]
    last_equals_live: bool

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{len(self.votes)} backups under load, of {min(self.votes)} to {max(self.votes)} votes, all restored "
            f"with the results they recorded; median {statistics.median(self.seconds) * 1000:.0f} ms, "
            f"longest {max(self.seconds) * 1000:.0f} ms",
            f"the last one's results are the live database's: {'yes' if self.last_equals_live else 'NO'}",
            *self.load.lines(),
        ]


def run_backups(form: LoadForm, folder: Path, database_url: str) -> BackupsOutcome:
    """Let everybody rate, back up meanwhile and once after, restore all; raises BackupError."""
    copier = Copier(folder, database_url)
    copier.start()
    try:
        load = run_load(form, folder, database_url)
    finally:
        copier.stop()
    for copy in copier.made:
        _restored(copy, database_url)
    votes = tuple(read_record(copy).votes for copy in copier.made)
    return BackupsOutcome(load, votes, tuple(copier.seconds), _last_equals_live(folder, database_url))


class Copier:
    """Makes backups in a thread from the moment when a study is open."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.made: list[Path] = []
        self.seconds: list[float] = []
        self._folder, self._url = folder, database_url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copier")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        catalog = open_database(self._url)
        while not self._over.wait(PAUSE_SECONDS):
            with catalog.reading() as session:
                is_open = session.scalar(select(Study.id).where(Study.state == "open")) is not None
            if is_open:
                start = time.perf_counter()
                self.made.append(make_backup(catalog, self._folder, label="load", at=clock.now()))
                self.seconds.append(time.perf_counter() - start)
        catalog.close()


def _last_equals_live(folder: Path, database_url: str) -> bool:
    catalog = open_database(database_url)
    try:
        last = make_backup(catalog, folder, label="last", at=clock.now())
        _restored(last, database_url)
        with catalog.reading() as session:
            return results_of(session) == read_record(last).results
    finally:
        catalog.close()


def _restored(copy: Path, database_url: str) -> None:
    """Restore a backup into a place of its own and compare; raises BackupError."""
    if database_url.startswith("sqlite"):
        restore_check(copy)
        return
    with _empty_database(database_url) as into:
        restore_check(copy, into=into)


@contextmanager
def _empty_database(database_url: str) -> Iterator[str]:
    """The URL of a new database of the same PostgreSQL server, dropped at the end."""
    name = f"restored_{uuid.uuid4().hex}"
    admin = create_engine(make_url(database_url), isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(database_url).set(database=name).render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()
