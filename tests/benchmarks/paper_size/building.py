"""The build: what it costs at a tenth of the size and at the whole, and what a second call costs."""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

from tests.benchmarks.paper_size.watched import Watched, watch
from tests.benchmarks.report import Report, Value

COLUMNS = ("build of", "seconds", "cpu seconds", "parent MiB", "one worker MiB", "on disk MiB")
TENTH = 10


def measure_build(photos: Path, data: Path, scenes: int) -> Report:
    """Builds a tenth beside `data`, then all into `data`, then all again."""
    log = data.with_name("build.log")
    tenth, few = data.with_name("tenth"), data.with_name("tenth-photos")
    _link_some(photos, few, scenes // TENTH)
    rows = [
        _row(f"{scenes // TENTH} scenes", watch("builder", "build", few, "--data", tenth, log=log), tenth),
        _row(f"{scenes} scenes", watch("builder", "build", photos, "--data", data, log=log), data),
        _row("the same again", watch("builder", "build", photos, "--data", data, log=log), data),
        _row("the same, no scan", watch("builder", "build", "--data", data, log=log), data),
    ]
    shutil.rmtree(tenth)
    shutil.rmtree(few)
    return Report("Build", COLUMNS, tuple(rows), _sizes(data))


def _link_some(photos: Path, few: Path, count: int) -> None:
    """Hard links to the first `count` scenes' files."""
    shutil.rmtree(few, ignore_errors=True)
    for folder in islice(sorted(photos.iterdir()), count):
        shutil.copytree(folder, few / folder.name, copy_function=os.link)


def _row(name: str, cost: Watched, data: Path) -> tuple[Value, ...]:
    return name, cost.seconds, cost.cpu_seconds, cost.parent, cost.worker, _mebibytes(data)


def _sizes(data: Path) -> tuple[str, ...]:
    """A sentence on the parts of the data folder."""
    parts = sorted(path for path in data.iterdir() if path.name != "runs")
    return (", ".join(f"{path.name} {_mebibytes(path):.0f} MiB" for path in parts),)


def _mebibytes(path: Path) -> float:
    """Blocks on the disk, each file once however many names it has."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    found = {(status.st_dev, status.st_ino): status.st_blocks for status in map(os.stat, files)}
    return sum(found.values()) * 512 / (1 << 20)
