"""Small files that tell what runs now and what failed: `running/` and `failures/`, one JSON file each.

`step.py` keeps them while a step runs; the parent charges what a dead worker left. They are written atomically and
only ever by the process that works on that scene (or by the parent, once that process is dead), so they need no
lock and serve several processes and hosts on a shared folder.
"""

from __future__ import annotations

import socket
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

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
        known = self.failure(scene, step)
        failure = Failure(
            scene,
            step,
            "memory" if is_out_of_memory(error) else "error",
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
        self.remove_marker(scene)
        return failure

    def forget_interrupted(self, scene: str) -> None:
        """Remove what an earlier build left of a scene when it was killed as a whole.

        Nobody is to blame for that, unless a stack says that the step itself ended its process.
        """
        if self._stack(scene):
            self.charge_death(scene)
        self.remove_marker(scene)

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

    def remove_marker(self, scene: str) -> None:
        """Forget what is under way in this scene, and the stack beside it."""
        self.marker_path(scene).unlink(missing_ok=True)
        self.stack_path(scene).unlink(missing_ok=True)


def _is_alive(marker: Running) -> bool:
    """Whether the process of a marker may still run; on another host it is taken for dead."""
    if marker.host != socket.gethostname() or not psutil.pid_exists(marker.pid):
        return False
    try:
        return psutil.Process(marker.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
