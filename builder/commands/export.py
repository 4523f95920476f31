"""The command `export`: a dataset folder, views of it for other people's programs, and archives."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import pandas as pd

from builder.atomic_files import UNFINISHED, finish_folder, write_folder_once
from builder.catalog import catalog_url, open_catalog
from builder.commands.progress import Progress
from builder.commands.report import Report
from builder.commands.run_record import recorded_run
from builder.dataset.splits import SPLITS
from builder.export_formats import view_writer
from builder.settings import Settings
from builder.stages.export import ExportOutcome, ExportRequest, OnScene, check_request, export_dataset

ARCHIVER = "builder.export_formats.archive"
DEFAULT_FORMATS = ("sice",)
NO_FORMAT = "none"


@dataclass(frozen=True)
class Views:
    """What is made from the finished dataset."""

    formats: tuple[str, ...] = ()  # none named: DEFAULT_FORMATS, with a new dataset
    archive: str | None = None  # "tar" or "zip"

    def __bool__(self) -> bool:
        return bool(self.formats or self.archive)


def run_export(data: Path, settings: Settings, request: ExportRequest, views: Views) -> Report:
    """Export, then make the views; for a version that is there only the views that it lacks."""
    dataset = request.output / check_request(settings.export, request)
    is_there = dataset.is_dir() and bool(views)
    names = views.formats or (() if is_there else DEFAULT_FORMATS)
    # an unknown name costs no export
    writers = {name: view_writer(name) for name in names if name != NO_FORMAT}
    if is_there:
        report = Report(lines=(f"{dataset} is there already and stays as it is; only views are made.",))
    else:
        report = _export(data, settings, request)
    lines = [_make_view(dataset, name, write) for name, write in writers.items()]
    if views.archive:
        lines.append(_pack(dataset, views.archive))
    return Report(report.tables, (*report.lines, *lines), report.failed)


def _export(data: Path, settings: Settings, request: ExportRequest) -> Report:
    with (
        recorded_run(data / "runs", "export", settings) as record,
        closing(open_catalog(catalog_url(data))) as catalog,
    ):
        with _stage_progress() as on_scene:
            outcome = export_dataset(data, settings, catalog, request, on_scene)
        record.counts = {"scenes": len(outcome.places), "excluded": len(outcome.excluded)}
        record.failures = [{"scene": scene, "reason": reason} for scene, reason in outcome.damaged]
    return _report(outcome)


def _make_view(dataset: Path, name: str, write: Callable[[Path, Path], None]) -> str:
    """The view appears only when it is complete."""
    view = dataset / "views" / name
    if not view.exists():
        for left_by_a_kill in view.parent.glob(f"{UNFINISHED}{name}-*"):
            shutil.rmtree(left_by_a_kill)
        write_folder_once(view, partial(write, dataset))
    return f"View {name}: {view}"


def _pack(dataset: Path, kind: str) -> str:
    archive = dataset.with_name(f"{dataset.name}.{kind}")
    if not archive.exists():
        unfinished = archive.with_name(f"{UNFINISHED}{archive.name}")
        import_module(ARCHIVER).write(dataset, unfinished)
        finish_folder(unfinished, archive)
    return f"Archive: {archive}"


@contextmanager
def _stage_progress() -> Iterator[OnScene]:
    """Counts scenes, stage by stage."""
    current: dict[str, Progress] = {}

    def on_scene(stage: str, scene: str, total: int) -> None:
        if stage not in current:
            close()
            current[stage] = Progress(stage, total, "scene").__enter__()
        current[stage].advance(scene if stage == "write" else "")

    def close() -> None:
        for progress in current.values():
            progress.__exit__(None, None, None)

    try:
        yield on_scene
    finally:
        close()


def _report(outcome: ExportOutcome) -> Report:
    tables = {"Splits": _split_table(outcome)}
    reasons = Counter(one.reason for one in outcome.excluded)
    if reasons:
        left_out = pd.DataFrame(sorted(reasons.items()), columns=["reason", "scenes"])
        tables["Left out (excluded.csv names them)"] = left_out
    if outcome.damaged:
        damaged = pd.DataFrame(outcome.damaged, columns=["scene", "reason"])
        tables["Damaged: restore these files, then export again"] = damaged
    lines = [f"The dataset is in {outcome.dataset}; begin with its README.md."]
    lines += [
        f"Mind: the references were {stamp}; the dataset says so wherever it names them."
        for stamp in outcome.stamps
    ]
    if outcome.kept:
        lines.append(f"{outcome.kept} scenes had been finished by an interrupted export and were kept.")
    return Report(tables, tuple(lines), failed=bool(outcome.damaged))


def _split_table(outcome: ExportOutcome) -> pd.DataFrame:
    def row(split: str) -> Sequence[object]:
        places = [place for place in outcome.places if place.split == split]
        return split, len(places), len({place.joined for place in places})

    return pd.DataFrame([row(split) for split in SPLITS], columns=["split", "scenes", "groups"])
