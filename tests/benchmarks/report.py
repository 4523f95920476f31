"""What a benchmark finds, as a table on the screen and as a JSON file that says where and when."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "opencv-python-headless", "scipy", "numba")

Value = str | int | float | None


@dataclass(frozen=True)
class Settings:
    """`megapixels`: image sizes, empty for the benchmark's own; `runs`: of each; the median counts."""

    megapixels: tuple[int, ...] = ()
    runs: int = 3


@dataclass(frozen=True)
class Report:
    """A table: `rows` hold a value for each of `columns`; `notes` are sentences below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()


def print_report(report: Report) -> None:
    cells = [report.columns, *([_cell(value) for value in row] for row in report.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(report.columns))]
    print(f"\n{report.title}\n")
    for row in cells if report.rows else ():
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for note in report.notes:
        print(f"  {note}")


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 100 else f"{value:.0f}"
    return "-" if value is None else str(value)


def write_report(report: Report, path: Path) -> None:
    rows = [dict(zip(report.columns, row, strict=True)) for row in report.rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"title": report.title, "rows": rows, "notes": report.notes, **_circumstances()}
    path.write_text(json.dumps(content, indent=2) + "\n")


def _circumstances() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines: Sequence[str] = facts.read_text().splitlines() if facts.exists() else ()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
