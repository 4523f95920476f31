"""Copies of the database that are proved at once and can be proved again: content hash, integrity, same results.

SQLite: the online backup, while people vote. PostgreSQL: `pg_dump` in its custom format.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from builder.atomic_files import digest_path, replacing
from builder.catalog import Catalog
from study_app.outcomes.deciding import scene_verdicts
from study_app.outcomes.verdicts import results_hash
from study_app.storage.database import open_database
from study_app.storage.models import Study, Vote

FOLDER = "study/backups"
TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"  # sorts by time
PG_TIMEOUT_SECONDS = 3600
PRIVATE = 0o600


class BackupError(ValueError):
    """A backup could not be made or is not what it should be; the message says what to do."""


@dataclass(frozen=True)
class BackupRecord:
    """What stands beside a backup, as JSON: what it holds and how to prove it."""

    file: str
    sha256: str
    made_at: str
    database: str  # sqlite or postgresql
    votes: int
    newest_vote: int | None
    results: dict[str, str]  # hash of all verdicts by study


@dataclass(frozen=True)
class RestoreCheck:
    """What a restored backup said beside what was recorded, and how far the live database has gone on."""

    record: BackupRecord
    votes_since: int | None  # None: not compared with a live database


def results_of(session: Session) -> dict[str, str]:
    """Hash of all verdicts, computed from the votes, by study."""
    return {
        study.public_id: results_hash([one.verdict for one in scene_verdicts(session, study)])
        for study in session.scalars(select(Study).order_by(Study.id))
    }


def make_backup(catalog: Catalog, data: Path, *, label: str, at: datetime) -> Path:
    """Write DATA/study/backups/<time>-<label>.* with its record beside it; raises BackupError.

    The copy is opened, checked and its results are computed before it takes its name.
    """
    url = catalog.engine.url
    is_sqlite = url.get_backend_name() == "sqlite"
    suffix = "sqlite" if is_sqlite else "dump"
    final = data / FOLDER / f"{at.strftime(TIME_FORMAT)}-{label}.{suffix}"
    with _private_file(final) as unfinished:
        if is_sqlite:
            _copy_sqlite(Path(url.database or ""), unfinished)
            record = _record_of_sqlite(unfinished, final.name, at)
        else:
            record = _dump_postgresql(catalog, unfinished, final.name, at)
    text = json.dumps(asdict(record), indent=1, sort_keys=True) + "\n"
    with _private_file(record_path(final)) as unfinished:
        unfinished.write_bytes(text.encode())
    return final


@contextmanager
def _private_file(final: Path) -> Iterator[Path]:
    """As `replacing`, for what nobody but the owner may read: it holds all that raters said."""
    with replacing(final) as unfinished:
        yield unfinished
        unfinished.chmod(PRIVATE)


def record_path(backup: Path) -> Path:
    """Where the record of a backup stands."""
    return backup.with_name(f"{backup.name}.json")


def _copy_sqlite(source: Path, target: Path) -> None:
    """The online backup: one consistent state, readers and voters go on."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise BackupError(f"{target}: the backup was not written ({error}); make room and repeat") from error
    _require_sound(target)


def _require_sound(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path}: not a sound database ({error}); take another backup") from error
    if found != "ok":
        raise BackupError(f"{path}: integrity_check says {found!r}; take another backup and test the disk")


@contextmanager
def _opened_copy(path: Path) -> Iterator[Catalog]:
    """A throw-away copy of a backup, opened: migrations and log files never touch the backup itself."""
    with tempfile.TemporaryDirectory(prefix="restore-check-") as folder:
        copy = Path(folder) / "catalog.sqlite"
        shutil.copyfile(path, copy)
        catalog = open_database(f"sqlite:///{copy}")
        try:
            yield catalog
        finally:
            catalog.close()


def _record_of_sqlite(path: Path, name: str, at: datetime) -> BackupRecord:
    with _opened_copy(path) as catalog, catalog.reading() as session:
        return _record(session, path, name, "sqlite", at)


def _record(session: Session, path: Path, name: str, database: str, at: datetime) -> BackupRecord:
    return BackupRecord(
        file=name,
        sha256=digest_path(path),
        made_at=f"{at.isoformat(timespec='seconds')}Z",
        database=database,
        votes=session.scalar(select(func.count(Vote.id))) or 0,
        newest_vote=session.scalar(select(func.max(Vote.id))),
        results=results_of(session),
    )


def _dump_postgresql(catalog: Catalog, target: Path, name: str, at: datetime) -> BackupRecord:
    """Dump and record one and the same state, while people vote: both read one exported snapshot."""
    engine = catalog.engine.execution_options(isolation_level="REPEATABLE READ")
    with Session(engine) as session:
        snapshot = session.scalar(select(func.pg_export_snapshot()))
        arguments = ["--format=custom", "--no-owner", f"--snapshot={snapshot}", "--file", str(target)]
        _run_postgresql("pg_dump", arguments, engine.url)
        return _record(session, target, name, "postgresql", at)


def _run_postgresql(program: str, arguments: list[str], url: URL) -> None:
    """Run a client program of PostgreSQL; the password goes by the environment, never by the command line."""
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} not found: install PostgreSQL's client programs and put them on PATH")
    words = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    environment = os.environ | {name: str(value) for name, value in words.items() if value is not None}
    answer = subprocess.run(
        [found, "--dbname", url.database or "postgres", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PG_TIMEOUT_SECONDS,
        check=False,
    )
    if answer.returncode:
        raise BackupError(f"{program} failed: {answer.stderr.strip() or answer.returncode}")


def read_record(backup: Path) -> BackupRecord:
    """The record beside a backup; raises BackupError where it is missing or the content was changed."""
    path = record_path(backup)
    if not backup.is_file() or not path.is_file():
        missing = backup if not backup.is_file() else path
        raise BackupError(f"{missing}: no such file; a backup and its .json lie beside each other")
    try:
        record = BackupRecord(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise BackupError(f"{path}: not the record of a backup ({error}); take another backup") from error
    found = digest_path(backup)
    if found != record.sha256:
        raise BackupError(
            f"{backup}: its content is not what was written (SHA-256 {found}, recorded {record.sha256}); "
            "use another backup"
        )
    return record


def restore_check(backup: Path, *, live: Catalog | None = None, into: str | None = None) -> RestoreCheck:
    """Restore a backup aside, compute every verdict from its votes and compare with the record.

    `into`: address of an empty PostgreSQL database, which a dump is restored into. Raises BackupError.
    """
    record = read_record(backup)
    if record.database == "sqlite":
        _require_sound(backup)
        with _opened_copy(backup) as catalog:
            _require_same_results(catalog, record)
    else:
        _restore_postgresql(backup, into)
        catalog = open_database(into or "")
        try:
            _require_same_results(catalog, record)
        finally:
            catalog.close()
    return RestoreCheck(record, None if live is None else _votes_since(live, record))


def _restore_postgresql(backup: Path, into: str | None) -> None:
    if into is None:
        raise BackupError(
            f"{backup}: a dump of PostgreSQL is checked by restoring it; name an empty database with --into"
        )
    _run_postgresql("pg_restore", ["--no-owner", "--exit-on-error", str(backup)], make_url(into))


def _require_same_results(catalog: Catalog, record: BackupRecord) -> None:
    with catalog.reading() as session:
        votes = session.scalar(select(func.count(Vote.id))) or 0
        found = results_of(session)
    if votes != record.votes or found != record.results:
        raise BackupError(
            f"{record.file}: the restored copy has {votes} votes and results {found}, "
            f"recorded were {record.votes} votes and {record.results}. If the program was changed since, "
            "check with the version that made the backup; otherwise use another backup"
        )


def _votes_since(live: Catalog, record: BackupRecord) -> int:
    with live.reading() as session:
        query = select(func.count(Vote.id)).where(Vote.id > (record.newest_vote or 0))
        return session.scalar(query) or 0


def backups(data: Path) -> list[Path]:
    """All finished backups, oldest first."""
    folder = data / FOLDER
    return sorted(path for path in folder.glob("*Z-*.*") if path.suffix in (".sqlite", ".dump"))


def newest_backup(data: Path) -> Path:
    """The last backup; raises BackupError where there is none."""
    found = backups(data)
    if not found:
        raise BackupError(f"{data / FOLDER}: no backup yet; make one with `python -m study_app backup`")
    return found[-1]
