"""What the tests of executor, ledger and tasks run in workers: a module that these can import."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from builder.execution.executor import ExecutorSpec
from builder.execution.ledger import Ledger
from builder.execution.step import Step
from builder.execution.tasks import run_tasks

STEPS = ("align", "mertens2009", "li2013")


@dataclass(frozen=True)
class SceneTask:
    """A scene of three steps; the one named `poison` does harm, `attempts` times (0: always)."""

    scene: str
    seed: int
    folder: Path
    poison: str = ""
    harm: str = ""
    attempts: int = 0
    timeout_seconds: float | None = None


def scene_of(task: SceneTask) -> str:
    return task.scene


def build_scene(task: SceneTask) -> dict[str, int]:
    """A number per step; algorithms in quarantine are left out, as the pipeline does."""
    ledger = Ledger(task.folder)
    done = {}
    for step in STEPS:
        if step != "align" and ledger.is_quarantined(task.scene, step):
            continue
        with Step(ledger, task.scene, step, timeout_seconds=task.timeout_seconds):
            if step == task.poison and (task.attempts == 0 or count_call(task) <= task.attempts):
                HARMS[task.harm]()
            done[step] = expected_number(task, step)
    return done


def build_scene_catching(task: SceneTask) -> str:
    """One algorithm whose MemoryError is caught and noted, as the pipeline does with exceptions."""
    ledger = Ledger(task.folder)
    try:
        with Step(ledger, task.scene, "mertens2009"):
            if count_call(task) <= task.attempts:
                raise_memory_error()
    except MemoryError as error:
        ledger.record_error(task.scene, "mertens2009", error)
        return "partial"
    return "ready"


def expected_number(task: SceneTask, step: str) -> int:
    return int(np.random.default_rng([task.seed, len(step)]).integers(1 << 30))


def count_call(task: SceneTask) -> int:
    """How often this has been called for a scene, over all processes."""
    folder = task.folder / "calls"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob(f"{task.scene}-*"))) + 1
    (folder / f"{task.scene}-{number}").touch()
    return number


class UnfriendlyError(Exception):
    """Survives pickling, but not unpickling: a pool that sends it back is broken by it."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_error() -> None:
    raise UnfriendlyError("a", "b")


def raise_memory_error() -> None:
    raise MemoryError("no room for the pyramid")


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def hang_in_native_code() -> None:
    """Never returns, and never lets another Python thread run."""
    sum(itertools.repeat(0))


HARMS: dict[str, Callable[[], None]] = {
    "error": raise_error,
    "memory": raise_memory_error,
    "kill": kill_itself,
    "crash": crash,
    "hang": hang_in_native_code,
}


def add(one: int, two: int) -> int:
    return one + two


def worker_pid(_: object = None) -> int:
    return os.getpid()


def fail_by(harm: str) -> None:
    HARMS[harm]()


def thread_variables() -> tuple[str | None, str | None]:
    return os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("OMP_NUM_THREADS")


def threads_of_opencv(_: object) -> int:
    return cv2.getNumThreads()


def allocate(megabytes: int) -> int:
    return np.empty(megabytes << 20, np.uint8).nbytes >> 20


def allocate_in_opencv(megabytes: int) -> int:
    return cv2.repeat(np.ones((1, 1 << 20), np.uint8), megabytes, 1).nbytes >> 20


@dataclass(frozen=True)
class Allocating:
    """Allocates so many megabytes, and leaves a file per call."""

    folder: Path

    def __call__(self, megabytes: int) -> int:
        count_call(SceneTask(str(megabytes), 0, self.folder))
        return allocate(megabytes)


def unpicklable_result(_: object) -> Callable[[], None]:
    return lambda: None


def announce_and_wait(folder: Path) -> int:
    """Tell that and where this runs, then wait (a minute at most) until told to go on."""
    (folder / f"started-{os.getpid()}").touch()
    wait_for(lambda: (folder / "go").exists())
    return os.getpid()


def wait_for(condition: Callable[[], object]) -> None:
    """Return as soon as a condition holds; fail after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited a minute in vain")
        threading.Event().wait(0.01)


def started_pids(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("started-")) for path in folder.glob("started-*")]


def build_until_interrupted(folder: Path) -> None:
    """A build of eight tasks of which each waits; the parent of this process interrupts it."""

    def tell_and_raise(signal_number: int, frame: object) -> None:
        (folder / "interrupted").touch()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, tell_and_raise)
    run_tasks(
        Waiting(folder),
        range(8),
        spec=ExecutorSpec.parse("local:2"),
        ledger=Ledger(folder / "ledger"),
        name=str,
        on_result=lambda number, outcome: None,
    )


@dataclass(frozen=True)
class Waiting:
    """A task that leaves `begun-N`, waits to be told to go on, and leaves `ended-N`."""

    folder: Path

    def __call__(self, number: int) -> None:
        (self.folder / f"begun-{number}").write_text(str(os.getpid()))
        wait_for(lambda: (self.folder / "go").exists())
        (self.folder / f"ended-{number}").touch()


class DeadlyToLoad:
    """A function that kills the worker while it is unpickled, before anything of the task has begun."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return kill_itself, ()

    def __call__(self, _: object) -> None:
        raise AssertionError("it was never to be called")
