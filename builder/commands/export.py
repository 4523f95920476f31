"""The command `export`: a dataset folder, views of it for other people's programs, and archives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from builder.atomic_files import write_folder_once
from builder.catalog import catalog_url, open_catalog
from builder.commands.progress import Progress
from builder.commands.report import Report
from builder.commands.run_record import recorded_run
from builder.dataset.splits import SPLITS
from builder.export_formats import view_writer
from builder.settings import Settings
from builder.stages.export import ExportOutcome, ExportRequest, export_dataset


@dataclass(frozen=True)
class Views:
    """What is made from the finished dataset."""

    formats: tuple[str, ...] = ()
    archive: str | None = None  # "tar" or "zip"


def run_export(data: Path, settings: Settings, request: ExportRequest, views: Views) -> Report:
    """Export, then make the views; a table of splits, one of what was left out, and where everything is."""
    writers = {name: view_writer(name) for name in views.formats}
    with recorded_run(data / "runs", "export", settings) as record:
        catalog = open_catalog(catalog_url(data))
        try:
            with _stages() as progress:
                outcome = export_dataset(data, settings, catalog, request, progress.advance_in)
        finally:
            catalog.close()
        record.counts = {"scenes": len(outcome.places), "excluded": len(outcome.excluded)}
        record.failures = [{"scene": scene, "reason": reason} for scene, reason in outcome.damaged]
        for name, write in writers.items():
            write_folder_once(
                outcome.dataset / "views" / name,
                lambda folder, write=write: write(outcome.dataset, folder),  # type: ignore[misc]
            )
    return _report(outcome, tuple(writers))


class _stages:
    """One progress line per stage."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._stage = ""

    def __enter__(self) -> _stages:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def advance_in(self, stage: str, scene: str) -> None:
        """One more scene in this stage; a new stage begins a new line."""
        if stage != self._stage:
            self._close()
            self._stage, self._progress = stage, Progress(stage, None, "scene").__enter__()
        if self._progress is not None:
            self._progress.advance(scene if stage == "write" else "")

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None


def _report(outcome: ExportOutcome, views: Sequence[str]) -> Report:
    splits = pd.DataFrame(
        [
            (
                split,
                sum(place.split == split for place in outcome.places),
                len({place.joined for place in outcome.places if place.split == split}),
            )
            for split in SPLITS
        ],
        columns=["split", "scenes", "groups"],
    )
    reasons = Counter(one.reason for one in outcome.excluded)
    tables = {"Splits": splits}
    if reasons:
        tables["Left out (excluded.csv names them)"] = pd.DataFrame(
            sorted(reasons.items()), columns=["reason", "scenes"]
        )
    if outcome.damaged:
        tables["Damaged: restore these files, then export again"] = pd.DataFrame(
            outcome.damaged, columns=["scene", "reason"]
        )
    lines = [f"The dataset is in {outcome.dataset}; begin with its README.md."]
    lines += [f"View {name}: {outcome.dataset / 'views' / name}" for name in views]
    lines += [
        f"Mind: the references were {stamp}, and every file about them says so." for stamp in outcome.stamps
    ]
    if outcome.kept:
        lines.append(f"{outcome.kept} scenes had been finished by an interrupted export and were kept.")
    return Report(tables, tuple(lines), failed=bool(outcome.damaged))
