"""Progress for people: a bar on a terminal, else a line per item and a heartbeat, always on standard error."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from tqdm import tqdm

HEARTBEAT_SECONDS = 30.0
log = logging.getLogger("builder")


class Progress:
    """Counts items of one stage; use as a context manager."""

    def __init__(self, stage: str, total: int | None, unit: str) -> None:
        self._stage = stage
        self._total = total
        self._unit = unit
        self._count = 0
        self._bar: tqdm | None = None
        self._stop = threading.Event()
        self._started = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = tqdm(total=self._total, desc=self._stage, unit=self._unit, file=sys.stderr)
        else:
            self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._bar is not None:
            self._bar.close()

    def advance(self, text: str = "") -> None:
        """One item is done; `text` says which and how."""
        self._count += 1
        if self._bar is None:
            if text:
                log.info("%s %s %s", self._stage, self._position(), text)
            return
        self._bar.update()
        if text:
            self._bar.set_postfix_str(text[:60], refresh=False)

    def move_to(self, done: int, total: int) -> None:
        """So many of so many items are done."""
        self._count, self._total = done, total
        if self._bar is not None:
            self._bar.total, self._bar.n = total, done
            self._bar.refresh()

    def _position(self) -> str:
        return f"{self._count}/{self._total}" if self._total is not None else str(self._count)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            seconds = time.monotonic() - self._started
            log.info("%s %s %s done, %.0f s so far", self._stage, self._position(), self._unit, seconds)


@contextmanager
def plain_logging(verbose: bool) -> Iterator[None]:
    """Log lines of this program to standard error while the context lasts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
