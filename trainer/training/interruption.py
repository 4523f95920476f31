"""Signals that end a training after the step at hand, not within it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from trainer.exit_codes import INTERRUPTED, TERMINATED

EXIT_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED, signal.SIGUSR1: TERMINATED}


class Interruption:
    """`exit_code` is 0 until a signal came."""

    def __init__(self) -> None:
        self.exit_code = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the first waits for the end of the step, a second Ctrl-C does not."""
        if self.exit_code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.exit_code = EXIT_CODES[signal.Signals(number)]


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Notes SIGINT, SIGTERM and SIGUSR1 while the context lasts (in the main thread, where Python gives them out)."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.note) for number in EXIT_CODES}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
