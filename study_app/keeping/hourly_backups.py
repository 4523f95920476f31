"""A backup each hour while raters vote, and which of them are kept."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from builder.catalog import Catalog, CatalogError
from study_app import clock
from study_app.keeping.backup import TIME_FORMAT, BackupError, backups, make_backup, record_path
from study_app.preparation.studies import default_study
from study_app.settings import StudySettings
from study_app.storage.database import open_database

HOURLY = "hourly"
BACKUP_EVERY = timedelta(hours=1)
KEPT_HOURLY = 48  # the newest; of older hourly ones the last of each day stays

log = logging.getLogger(__name__)


def backup_if_due(catalog: Catalog, data: Path, at: datetime) -> Path | None:
    """The hourly backup, while a study takes votes and no other process has just made one; None otherwise."""
    with catalog.reading() as session:
        study = default_study(session)
        if study is None or study.state != "open":
            return None
    if any(at - time < BACKUP_EVERY / 2 for time in hourly_times(data)):
        return None
    made = make_backup(catalog, data, label=HOURLY, at=at)
    thin_out_hourly(data)
    return made


class HourlyBackup:
    """A thread that backs the database up each hour; a failure is logged and tried again an hour later."""

    def __init__(
        self, settings: StudySettings, *, every_seconds: float = BACKUP_EVERY.total_seconds()
    ) -> None:
        self._settings, self._every_seconds = settings, every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hourly-backup", daemon=True)

    def start(self) -> None:
        """Begin; the first backup comes after the first interval."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait for a backup that is being made."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            self.back_up()

    def back_up(self) -> None:
        """Make the backup that is due, or log why there is none."""
        try:
            catalog = open_database(self._settings.database_url)
            try:
                made = backup_if_due(catalog, self._settings.data, clock.now())
            finally:
                catalog.close()
        except (BackupError, CatalogError, SQLAlchemyError, OSError) as error:
            log.error("the hourly backup failed: %s", error)
        else:
            if made is not None:
                log.info("backup written: %s", made)


def hourly_times(data: Path) -> list[datetime]:
    """When the hourly backups were made, oldest first."""
    names = (path.stem for path in backups(data) if path.stem.endswith(f"-{HOURLY}"))
    return [datetime.strptime(name.removesuffix(f"-{HOURLY}"), TIME_FORMAT) for name in names]


def thin_out_hourly(data: Path) -> list[Path]:
    """Delete hourly backups beyond the newest 48, except the last of each day; the deleted ones."""
    hourly = [path for path in backups(data) if path.stem.endswith(f"-{HOURLY}")]
    old = hourly[:-KEPT_HOURLY]
    last_of_day = {path.name[:8]: path for path in hourly}
    doomed = [path for path in old if last_of_day[path.name[:8]] != path]
    for path in doomed:
        path.unlink()
        record_path(path).unlink(missing_ok=True)
    return doomed
