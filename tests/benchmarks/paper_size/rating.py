"""The study of all scenes: simulated raters until nothing is left, then the verdicts and the published dataset."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.benchmarks.paper_size.watched import Watched, watch
from tests.benchmarks.report import Report, Value

COLUMNS = ("command", "seconds", "cpu seconds", "peak MiB", "what came of it")
RATERS = 30
PROJECT = """[export]
license = "CC0-1.0"
title = "Simulated brackets, as many as SICE has"
test_share = 0.3
"""


def measure_study(data: Path) -> Report:
    """Create, rate, decide and export, each as its own command."""
    (data / "project.toml").write_text(PROJECT)
    rows = [
        _row("create --open", _study(data, "create", "--open", "--seed", 1, "--allow-missing"), ""),
        _row(
            f"simulate-raters, {RATERS} of them",
            _study(data, "simulate-raters", "--raters", RATERS),
            _counted(data, "vote", "votes"),
        ),
        _row("decide", _study(data, "decide"), _counted(data, "reference", "references")),
        _row("report", _study(data, "report"), ""),
        _row(
            "builder export --hdr",
            watch("builder", "export", "--data", data, "--hdr", log=data.with_name("export.log")),
            _exported(data),
        ),
    ]
    return Report("Study of all scenes under the standard rule, and its dataset", COLUMNS, tuple(rows))


def _study(data: Path, command: str, *options: object) -> Watched:
    return watch("study_app", command, *options, "--data", data, log=data.with_name("study.log"))


def _row(name: str, cost: Watched, outcome: str) -> tuple[Value, ...]:
    return name, cost.seconds, cost.cpu_seconds, max(cost.parent, cost.worker), outcome


def _counted(data: Path, table: str, what: str) -> str:
    with sqlite3.connect(data / "catalog.sqlite") as database:
        (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    return f"{count:,} {what}"


def _exported(data: Path) -> str:
    """Scenes and pairs by split, as the manifest says."""
    import pandas

    (manifest,) = data.glob("exports/*/manifest.csv")
    by_split = pandas.read_csv(manifest).groupby("split")["scene"].agg(["nunique", "size"])
    return ", ".join(
        f"{split}: {row['nunique']} scenes, {row['size']} pairs" for split, row in by_split.iterrows()
    )
