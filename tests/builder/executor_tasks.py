"""What the tests of executor, ledger and tasks run in workers; a module of its own so that workers can import it."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from builder.ledger import Ledger

STEPS = ("align", "mertens2009", "li2013")


@dataclass(frozen=True)
class SceneTask:
    """A scene of three steps; `poison` names the step that does harm, `attempts` how often it does (0: always)."""

    scene: str
    seed: int
    folder: Path
    poison: str = ""
    harm: str = ""
    attempts: int = 0


def scene_of(task: SceneTask) -> str:
    return task.scene


def build_scene(task: SceneTask) -> dict[str, int]:
    """A checksum per step, steps in quarantine left out; like the pipeline: one `except` around an algorithm."""
    ledger = Ledger(task.folder)
    done = {}
    for step in STEPS:
        if step != "align" and ledger.is_quarantined(task.scene, step):
            continue
        with ledger.step(task.scene, step):
            if step == task.poison and _attempt(task) <= (task.attempts or 99):
                HARMS[task.harm]()
            done[step] = int(np.random.default_rng([task.seed, len(step)]).integers(1 << 30))
    return done


def _attempt(task: SceneTask) -> int:
    """How often this has been called for a scene, over all processes."""
    folder = task.folder / "attempts"
    folder.mkdir(exist_ok=True)
    number = len(list(folder.glob(f"{task.scene}-*"))) + 1
    (folder / f"{task.scene}-{number}").touch()
    return number


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def raise_error() -> None:
    raise UnfriendlyError("a", "b")


def raise_memory_error() -> None:
    raise MemoryError("no room for the pyramid")


class UnfriendlyError(Exception):
    """Survives pickling, but not unpickling: a pool that sends it back is broken by it."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


HARMS = {"kill": kill_itself, "error": raise_error, "memory": raise_memory_error}


def add(one: int, two: int) -> int:
    return one + two


def worker_pid(_: object = None) -> int:
    return os.getpid()


def thread_settings() -> tuple[int, str | None]:
    return cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS")


def allocate(megabytes: int) -> int:
    return int(np.ones(megabytes << 20, np.uint8)[-1])


def allocate_in_opencv(side: int) -> tuple[int, ...]:
    return cv2.copyMakeBorder(np.zeros((1, 1), np.float64), side, 0, side, 0, cv2.BORDER_CONSTANT).shape


def wait_for_file(path: Path) -> int:
    """Wait until a file exists; a minute at most."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return os.getpid()
