"""The command `doctor`: is this machine (and are its workers) fit for a build?"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd

from builder.catalog import CatalogError, catalog_url, open_catalog
from builder.commands.report import Report
from builder.commands.run_record import DISTRIBUTIONS
from builder.execution.executor import ExecutorSpec, make_executor
from builder.execution.resources import core_count, free_memory, peak_bytes
from builder.settings import Settings

MIN_FREE_DISK_GB = 2.0
Finding = tuple[str, str, str]  # what, "ok" or "problem", detail


def examine(data: Path, settings: Settings) -> Report:
    """All checks; one that fails says what to do and the others go on."""
    checks: tuple[Callable[[Path, Settings], Iterator[Finding]], ...] = (
        _python, _packages, _opencv, _machine, _disk, _database, _workers,
    )  # fmt: skip
    rows = [finding for check in checks for finding in check(data, settings)]
    table = pd.DataFrame(rows, columns=["check", "state", "detail"])
    failed = bool((table["state"] == "problem").any())
    return Report({"Doctor": table}, ("Problems were found." if failed else "All well.",), failed=failed)


def _python(_data: Path, _settings: Settings) -> Iterator[Finding]:
    fine = sys.version_info >= (3, 11)
    yield (
        "python",
        "ok" if fine else "problem",
        sys.version.split()[0] + ("" if fine else "; needs 3.11 or newer"),
    )


def _packages(_data: Path, settings: Settings) -> Iterator[Finding]:
    for name in DISTRIBUTIONS:
        try:
            yield name, "ok", metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "problem", "not installed: make setup"


def _opencv(_data: Path, _settings: Settings) -> Iterator[Finding]:
    names = sorted(set(metadata.packages_distributions().get("cv2", [])))
    if len(names) == 1:
        yield "one cv2", "ok", names[0]
    else:
        advice = "uninstall all of them, then install opencv-python-headless"
        yield "one cv2", "problem", f"{', '.join(names) or 'none'} provide it: {advice}"


def _machine(_data: Path, settings: Settings) -> Iterator[Finding]:
    free, need = free_memory(), peak_bytes(7, 24)
    detail = (
        f"{core_count()} cores, {free / 1e9:.1f} GB free; 7 frames of 24 MP take about {need / 1e9:.1f} GB"
    )
    yield "cores and memory", "ok" if free > need else "problem", detail


def _disk(data: Path, _settings: Settings) -> Iterator[Finding]:
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix="unfinished-doctor-") as folder:
            first, second = Path(folder, "a"), Path(folder, "b")
            first.write_bytes(b"x")
            os.replace(first, second)
            yield "data folder", "ok", f"{existing} can be written, renames are atomic"
            try:
                os.link(second, first)
                yield "hard links", "ok", "supported"
            except OSError:
                yield "hard links", "ok", "not supported here; files are renamed into place instead"
    except OSError as error:
        yield "data folder", "problem", f"{existing}: {error.strerror}; choose another --data"
    gigabytes = shutil.disk_usage(existing).free / 1e9
    fine = gigabytes >= MIN_FREE_DISK_GB
    yield "disk", "ok" if fine else "problem", f"{gigabytes:.1f} GB free at {existing}"


def _database(data: Path, _settings: Settings) -> Iterator[Finding]:
    url = catalog_url(data)
    if url.startswith("sqlite") and not (data / "catalog.sqlite").exists():
        yield "catalog", "ok", "not made yet"
        return
    try:
        open_catalog(url).close()
        yield "catalog", "ok", "opens"
    except CatalogError as error:
        yield "catalog", "problem", str(error)


def _workers(data: Path, settings: Settings) -> Iterator[Finding]:
    spec = ExecutorSpec.parse(settings.run.executor).alone()
    try:
        executor = make_executor(spec)
    except (OSError, ModuleNotFoundError) as error:
        yield f"workers ({spec})", "problem", str(error)
        return
    try:
        worker = executor.submit(worker_view, str(data)).result(timeout=120)
    finally:
        executor.shutdown()
    mine = worker_view(str(data))
    same = worker == mine
    detail = worker if same else f"a worker reports {worker!r}, this process {mine!r}; they must agree"
    yield f"workers ({spec})", "ok" if same else "problem", detail


def worker_view(data: str) -> str:
    """What a worker sees: the version of the package and whether the data folder is there."""
    there = "is there" if Path(data).is_dir() else "is not there"
    return f"contrast-foundry {metadata.version('contrast-foundry')}, {data} {there}"
