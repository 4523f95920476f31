"""Figures that need every vote of a study: rather minutes old than waited for, once they take long to work out.

Those of a small study are quick, so they are worked out for each visit. In a large one a visit shows what was worked
out last, with its time, while a thread makes the next; only who comes after a long silence waits. What an experimenter
changes (each change is in the audit log) shows at once; only votes may be late. Each server process has its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app import clock
from study_app.storage.models import AuditEvent, Study
from study_app.web.running_application import database

QUICK_SECONDS = 0.1  # nobody notices: never kept
FRESH = timedelta(minutes=2)  # more often, and the thread takes what other visits and the raters need
OLDEST = timedelta(minutes=5)  # what nobody has asked for so long is worth waiting for

T = TypeVar("T")


@dataclass(frozen=True)
class Dated(Generic[T]):
    """Plain figures, no rows of a session: they outlive it."""

    figures: T
    at: datetime
    is_kept: bool  # made for an earlier visit
    change: int  # the newest change that they know, an id of the audit log


class Shelf:
    """What one application keeps, by figures and study; and which are being made anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Any, Dated[Any]] = {}
        self._in_work: set[Any] = set()

    def get(self, key: Any) -> Dated[Any] | None:
        """The last made."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: Any, made: Dated[Any] | None) -> None:
        """Keep this, or nothing."""
        with self._lock:
            if made is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = made

    def in_background(self, key: Any, work: Callable[[], None]) -> None:
        """Start the work, unless somebody has."""
        with self._lock:
            if key in self._in_work:
                return
            self._in_work.add(key)
        threading.Thread(target=self._finish, args=(key, work), name="recent-figures", daemon=True).start()

    def _finish(self, key: Any, work: Callable[[], None]) -> None:
        try:
            work()  # a failure goes to the server's log; the next visit tries again, and waits when these are too old
        finally:
            with self._lock:
                self._in_work.discard(key)


class RecentFigures(Generic[T]):
    """`work` reads the study's votes and gives plain figures."""

    def __init__(self, work: Callable[[Session, Study], T]) -> None:
        self._work = work

    def of(self, session: Session, study: Study) -> Dated[T]:
        """The figures of this moment if they are quick, else of at most OLDEST ago."""
        shelf: Shelf = current_app.extensions.setdefault("recent_figures", Shelf())
        key = (self._work, study.id)
        kept = shelf.get(key)
        age = clock.now() - kept.at if kept else OLDEST
        if kept is None or age >= OLDEST or kept.change != _newest_change(session):
            return self._made(session, study, shelf)
        if age >= FRESH:
            catalog, study_id = database(), study.id
            shelf.in_background(key, lambda: self._make_anew(catalog, study_id, shelf))
        return kept

    def _make_anew(self, catalog: Catalog, study_id: int, shelf: Shelf) -> None:
        with catalog.reading() as session:
            self._made(session, session.get_one(Study, study_id), shelf)

    def _made(self, session: Session, study: Study, shelf: Shelf) -> Dated[T]:
        at, start, change = clock.now(), time.perf_counter(), _newest_change(session)
        figures = self._work(session, study)
        is_slow = time.perf_counter() - start > QUICK_SECONDS
        shelf.put((self._work, study.id), Dated(figures, at, True, change) if is_slow else None)
        return Dated(figures, at, False, change)


def _newest_change(session: Session) -> int:
    return session.scalar(select(func.max(AuditEvent.id))) or 0
