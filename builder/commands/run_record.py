"""`runs/<utc>-<command>/run.json`: what was run, with which settings and versions, and how it ended."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from builder.atomic_files import replace_file
from builder.settings import Settings

DISTRIBUTIONS = (
    "contrast-foundry", "numpy", "opencv-python-headless", "scipy", "numba", "rawpy", "exifread", "simplejpeg",
    "pillow", "pyvips", "pyvips-binary", "pandas", "sqlalchemy",
)  # fmt: skip


@dataclass
class RunRecord:
    """Filled while a command runs; written when it ends, however it ends."""

    command: str
    settings: Settings
    counts: dict[str, Any] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def recorded_run(folder: Path, command: str, settings: Settings) -> Iterator[RunRecord]:
    """Keep a record of one command below `folder`."""
    started, clock = datetime.now(UTC), time.perf_counter()
    record = RunRecord(command, settings)
    outcome = "interrupted or failed"
    try:
        yield record
        outcome = "ended"
    finally:
        document = {
            "command": command,
            "arguments": sys.argv[1:],
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 1),
            "outcome": outcome,
            "commit": _commit(),
            "versions": {"python": platform.python_version(), **_versions()},
            "settings": asdict(settings),
            "counts": record.counts,
            "failures": record.failures,
        }
        name = f"{started:%Y%m%dT%H%M%S.%f}Z-{command}"
        text = json.dumps(document, indent=1, default=str) + "\n"
        replace_file(folder / name / "run.json", text.encode("utf-8", "surrogateescape"))


def _versions() -> dict[str, str]:
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the checkout this package runs from; None outside a checkout or without git."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
