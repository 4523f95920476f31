"""Small files that tell what runs now and what failed: `running/` and `failures/`, one JSON file each.

They are written atomically and only ever by the process that works on that scene (or by the parent, once that
process is dead), so they need no lock and serve several processes and hosts on a shared folder.
"""

from __future__ import annotations

import faulthandler
import math
import os
import socket
import threading
import time
import traceback
from contextvars import ContextVar, Token
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote
from uuid import uuid4

import psutil

from builder.execution.post_mortem import cause_of_death, stack_of_thread
from builder.execution.record_files import file_name, read_record, write_record
from builder.execution.resources import is_out_of_memory

QUARANTINE_KILLS = 2  # the first may have been chance or a neighbour's fault
TRACEBACK_CHARACTERS = 4000

FailureKind = Literal["error", "memory", "killed", "timeout", "quarantined"]


@dataclass(frozen=True)
class Failure:
    """What stopped one step of one scene; `kills` counts the workers that died in it, the last of them `process`."""

    scene: str
    step: str
    kind: FailureKind
    message: str
    kills: int = 0
    traceback: str = ""
    process: str = ""


@dataclass(frozen=True)
class Running:
    """A step under way: where, since when (seconds since 1970, UTC), for how long at most (seconds)."""

    scene: str
    step: str
    host: str
    pid: int
    thread: int
    started: float
    timeout_seconds: float | None
    process: str = ""  # a name that no other process has, were it of the same pid on a host of the same name


class QuarantinedError(RuntimeError):
    """A step is not begun because it has killed its worker before."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        failure = self.failure
        return f"scene {failure.scene!r}: step {failure.step!r} is quarantined: {failure.message}"


@dataclass(frozen=True)
class Ledger:
    """The records under one folder; picklable, so a task can carry it to its worker."""

    root: Path

    def step(self, scene: str, step: str, *, timeout_seconds: float | None = None) -> Step:
        """Context in which a step of a scene runs; success clears its record, an exception is put on it.

        While it runs a marker file names it. A step that outlives its timeout ends the process, even inside
        native code, and leaves the stack beside the marker. Steps may be nested; the shorter time holds.
        Raises QuarantinedError on entry if the step has killed its worker twice.
        """
        return Step(self, scene, step, timeout_seconds)

    def is_quarantined(self, scene: str, step: str) -> bool:
        """Whether this step has killed its worker so often that it should be skipped."""
        return self.kills(scene, step) >= QUARANTINE_KILLS

    def kills(self, scene: str, step: str) -> int:
        """How many workers died in this step since it last succeeded."""
        failure = self.failure(scene, step)
        return failure.kills if failure else 0

    def failure(self, scene: str, step: str) -> Failure | None:
        """The record of one step, if it failed."""
        content = read_record(self._failure_path(scene, step))
        return Failure(**content) if content else None

    def failures(self, scene: str | None = None) -> tuple[Failure, ...]:
        """All records, or those of one scene, by scene and step."""
        pattern = "*.json" if scene is None else f"{file_name(scene)}.*.json"
        contents = (read_record(path) for path in (self.root / "failures").glob(pattern))
        found = [Failure(**content) for content in contents if content]
        return tuple(sorted(found, key=lambda failure: (failure.scene, failure.step)))

    def running(self) -> tuple[Running, ...]:
        """The steps under way in all processes; some may be left over from processes that were killed."""
        contents = (read_record(path) for path in (self.root / "running").glob("*.json"))
        found = [Running(**content) for content in contents if content]
        return tuple(sorted(found, key=lambda running: (running.scene, running.step)))

    def record_error(self, scene: str, step: str, error: BaseException) -> Failure:
        """Note the exception that ended a step; that of a quarantined step is on record already."""
        if isinstance(error, QuarantinedError):
            return error.failure
        short = is_out_of_memory(error)
        if short:
            Step.note_shortage()
        known = self.failure(scene, step)
        failure = Failure(
            scene,
            step,
            "memory" if short else "error",
            f"{type(error).__name__}: {error}",
            known.kills if known else 0,
            "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:],
            known.process if known else "",
        )
        write_record(self._failure_path(scene, step), asdict(failure))
        return failure

    def record_kill(
        self,
        scene: str,
        step: str,
        reason: str,
        *,
        stack: str = "",
        kind: FailureKind = "killed",
        process: str = "",
    ) -> Failure:
        """Count one more worker that died in a step; at the second the step is quarantined.

        A process dies once: one that was taken for dead on a host that was cut off, and is found in the same
        step again, is not counted twice.
        """
        known = self.failure(scene, step) or Failure(scene, step, kind, reason)
        kills = known.kills if process and known.process == process else known.kills + 1
        kind = "quarantined" if kills >= QUARANTINE_KILLS else kind
        failure = Failure(scene, step, kind, reason, kills, stack[:TRACEBACK_CHARACTERS], process)
        write_record(self._failure_path(scene, step), asdict(failure))
        return failure

    def clear(self, scene: str, step: str | None = None) -> None:
        """Forget what is held against a step, or against all steps of a scene."""
        steps = [step] if step is not None else [failure.step for failure in self.failures(scene)]
        for name in steps:
            self._failure_path(scene, name).unlink(missing_ok=True)

    def charge_death(self, scene: str) -> Failure | None:
        """Charge the step whose marker a dead worker left, and remove the marker; None if there is none."""
        content = read_record(self.marker_path(scene))
        if content is None:
            return None
        marker = Running(**content)
        stack = self._stack(scene)
        kind, reason = cause_of_death(stack, marker.thread, marker.timeout_seconds)
        if not stack and marker.host != socket.gethostname():
            reason = f"its process on {marker.host} was killed, or the host was cut off"
        frames = stack_of_thread(stack, marker.thread)
        failure = self.record_kill(
            scene, marker.step, reason, stack=frames, kind=kind, process=marker.process
        )
        self._remove_marker(scene)
        return failure

    def forget_interrupted(self, scene: str) -> None:
        """Remove what an earlier build left of a scene when it was killed as a whole.

        Nobody is to blame for that, unless a stack says that the step itself ended its process.
        """
        if self._stack(scene):
            self.charge_death(scene)
        self._remove_marker(scene)

    def charge_lost_attempt(self, scene: str) -> Failure | None:
        """On the worker, before a task: charge the marker of an attempt that died (dask tries again)."""
        content = read_record(self.marker_path(scene))
        if content is None or _is_alive(Running(**content)):
            return None
        return self.charge_death(scene)

    def marker_path(self, scene: str) -> Path:
        """The file that names the step of this scene that is under way."""
        return self.root / "running" / f"{file_name(scene)}.json"

    def stack_path(self, scene: str) -> Path:
        """The file that takes the stack if the step ends its process."""
        return self.root / "running" / f"{file_name(scene)}.stack"

    def _failure_path(self, scene: str, step: str) -> Path:
        return self.root / "failures" / f"{file_name(scene)}.{quote(step, safe='')}.json"

    def _stack(self, scene: str) -> str:
        path = self.stack_path(scene)
        return path.read_text(errors="replace") if path.is_file() else ""

    def _remove_marker(self, scene: str) -> None:
        self.marker_path(scene).unlink(missing_ok=True)
        self.stack_path(scene).unlink(missing_ok=True)


# The step that encloses the code that runs now. The watchdog of `faulthandler` is one per process: an inner
# step takes it over and must give it back.
_current: ContextVar[Step | None] = ContextVar("current step", default=None)


class Step:
    """One step while it runs: marker, watchdog, and in the end its record. Made by `Ledger.step`."""

    def __init__(self, ledger: Ledger, scene: str, step: str, timeout_seconds: float | None) -> None:
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
        _current.reset(self._token)
        if self._outer is None:
            self._unmark()
        else:
            self._return_to(self._outer)

    @staticmethod
    def note_shortage() -> None:
        """Tell all steps under way here that memory was short in one of them."""
        step = _current.get()
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
            self._ledger._remove_marker(self._scene)

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


def _is_alive(marker: Running) -> bool:
    """Whether the process of a marker may still run; on another host it is taken for dead."""
    if marker.host != socket.gethostname() or not psutil.pid_exists(marker.pid):
        return False
    try:
        return psutil.Process(marker.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
