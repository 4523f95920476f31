"""The folder of one training run: whose it is now, its settings, and its log."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from builder.atomic_files import CannotWrite, replace_file
from trainer.checkpoint import step_files
from trainer.settings import Settings, as_toml

METRICS, LOCK = "metrics.jsonl", "lock.json"
CLOCK_SHIFT_S = 5.0  # the start of a process seems to move when the clock is set


class RunFolderBusy(ValueError):
    """Another process trains in this folder."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run is stored. Only one process writes at a time (`opened`)."""

    path: Path

    def store_settings(self, settings: Settings) -> None:
        """As settings.toml, which --config reads."""
        replace_file(self.path / "settings.toml", as_toml(settings).encode())

    def log(self, record: Mapping[str, Any]) -> None:
        """One line more in metrics.jsonl, or none: CannotWrite."""
        path = self.path / METRICS
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")
        except OSError as error:
            if path.exists():
                os.truncate(path, size)
            raise CannotWrite(error.errno or 0, f"{path}: a line is lost ({error.strerror})") from error

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that a kill cut short is left out."""
        path = self.path / METRICS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [record for line in lines if (record := _record(line)) is not None]

    def forget_after(self, step: int) -> None:
        """Leave the lines up to `step`: those after it are written again by the resumed run."""
        kept = [json.dumps(one) + "\n" for one in self.records() if one["step"] <= step]
        replace_file(self.path / METRICS, "".join(kept).encode())

    def note_bad_step(self, step: int, rank: int, report: Mapping[str, Any]) -> Path:
        """What is needed to make a step again that gave NaN or infinity."""
        path = self.path / "bad_steps" / f"step-{step:08d}-rank{rank}.json"
        replace_file(path, (json.dumps(report, indent=1) + "\n").encode())
        return path


@contextmanager
def opened(path: Path, *, fresh: bool = False) -> Iterator[RunFolder]:
    """A run folder for this process alone. RunFolderBusy if another has it; ValueError if `fresh` and not empty."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; --output names a folder")
    if path.is_dir() and any(path.iterdir()):
        if fresh:
            raise ValueError(f"{path} is not empty; --fresh wants a new or empty folder")
        if not step_files(path) and not (path / LOCK).exists():
            raise ValueError(f"{path} holds other files and no checkpoint; give a new folder to --output")
    path.mkdir(parents=True, exist_ok=True)
    lock = path / LOCK
    _take(lock)
    try:
        yield RunFolder(path)
    finally:
        lock.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: it holds a run
            path.rmdir()


def _take(lock: Path) -> None:
    """Create the lock; one of a process that is no more is taken over."""
    mine = json.dumps(_identity(psutil.Process()))
    for _ in range(2):
        try:
            with lock.open("x", encoding="utf-8") as stream:
                stream.write(mine)
            return
        except FileExistsError:
            _require_stale(lock)
            lock.unlink(missing_ok=True)
    raise RunFolderBusy(f"{lock.parent}: another process has just begun to train here")


def _require_stale(lock: Path) -> None:
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        host, number, started = str(holder["host"]), int(holder["pid"]), float(holder["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # cut short by a kill or a full disk
    if host != socket.gethostname():
        raise RunFolderBusy(
            f"{lock.parent}: process {number} on {host} trains here; if it is gone, delete {lock}"
        )
    try:
        is_same = abs(psutil.Process(number).create_time() - started) < CLOCK_SHIFT_S
    except psutil.NoSuchProcess:
        return
    if is_same:
        raise RunFolderBusy(
            f"{lock.parent}: process {number} trains here; wait for it, or give another --output"
        )


def _identity(process: psutil.Process) -> dict[str, Any]:
    """A process by number and start: numbers are used again."""
    return {"pid": process.pid, "started": process.create_time(), "host": socket.gethostname()}


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and "step" in record else None
