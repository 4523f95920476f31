"""One step of a scene while it runs: its marker, its watchdog, and in the end its record in the ledger."""

from __future__ import annotations

import faulthandler
import math
import os
import socket
import threading
import time
from contextvars import ContextVar, Token
from dataclasses import asdict, replace
from functools import cache
from types import TracebackType
from uuid import uuid4

from builder.execution.ledger import QUARANTINE_KILLS, Failure, Ledger, QuarantinedError, Running
from builder.execution.record_files import read_record, write_record

# The step that encloses the code that runs now. The watchdog of `faulthandler` is one per process: an inner
# step takes it over and must give it back.
_current: ContextVar[Step | None] = ContextVar("current step", default=None)


class Step:
    """Context in which a step of a scene runs; success clears its record, an exception is put on it.

    While it runs a marker file names it. A step that outlives its timeout ends the process, even inside native
    code, and leaves the stack beside the marker. Steps may be nested; the shorter time holds.
    Raises QuarantinedError on entry if the step has killed its worker twice.
    """

    def __init__(
        self, ledger: Ledger, scene: str, step: str, *, timeout_seconds: float | None = None
    ) -> None:
        self.failure: Failure | None = None
        self.short_of_memory = False
        self._ledger = ledger
        self._scene = scene
        self._step = step
        self._timeout_seconds = math.inf if timeout_seconds is None else timeout_seconds
        self._deadline = math.inf
        self._error: BaseException | None = None

    def __enter__(self) -> Step:
        known = self._ledger.failure(self._scene, self._step)
        if known and known.kills >= QUARANTINE_KILLS:
            self.failure = replace(known, kind="quarantined")
            raise QuarantinedError(self.failure)
        self._outer = _current.get()
        outer_deadline = self._outer._deadline if self._outer else math.inf
        self._deadline = min(time.monotonic() + self._timeout_seconds, outer_deadline)
        if self._outer is None or not self._is_taken_over():
            self._mark()
        self._stack_file = self._ledger.stack_path(self._scene).open("a")
        self._owns_crash_handler = not faulthandler.is_enabled()
        if self._owns_crash_handler:
            faulthandler.enable(self._stack_file)
        self._arm()
        self._token: Token[Step | None] = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disarm()
        if error is None:
            self.failure = None
            self._ledger.clear(self._scene, self._step)
        elif isinstance(error, Exception) and error is not self._error:
            self.failure = self._ledger.record_error(self._scene, self._step, error)
            self._error = error
            if self.failure.kind == "memory":
                self._note_shortage()
        _current.reset(self._token)
        if self._outer is None:
            self._unmark()
        else:
            self._return_to(self._outer)

    def _note_shortage(self) -> None:
        """Tell this step and those around it that memory was short."""
        step: Step | None = self
        while step is not None:
            step.short_of_memory = True
            step = step._outer

    def _return_to(self, outer: Step) -> None:
        if outer._scene != self._scene:
            self._unmark()
        if self._error is not None:
            outer._error, outer.failure = self._error, self.failure
        if not outer._is_taken_over():
            outer._mark()
        outer._arm()

    def _is_taken_over(self) -> bool:
        """Whether another process works on the scene: this one's host was cut off, and its results are late."""
        content = read_record(self._ledger.marker_path(self._scene))
        return content is not None and Running(**content).process != _name_of_process(os.getpid())

    def _unmark(self) -> None:
        if not self._is_taken_over():
            self._ledger.remove_marker(self._scene)

    def _mark(self) -> None:
        seconds = self._deadline - time.monotonic()
        marker = Running(
            self._scene,
            self._step,
            socket.gethostname(),
            os.getpid(),
            threading.get_ident(),
            time.time(),
            None if math.isinf(seconds) else round(seconds, 3),
            _name_of_process(os.getpid()),
        )
        write_record(self._ledger.marker_path(self._scene), asdict(marker))

    def _arm(self) -> None:
        if not math.isinf(self._deadline):
            seconds = max(0.001, self._deadline - time.monotonic())
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._stack_file)

    def _disarm(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._owns_crash_handler:
            faulthandler.disable()
        self._stack_file.close()


@cache
def _name_of_process(pid: int) -> str:
    """The name of this process; by its number, since a forked one is another."""
    return uuid4().hex
