"""The command `build`: simulate or scan and ingest if asked, then build, then say where things are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import pandas as pd

from builder.build import BuildReport, Outcome, SceneIndex, Selection, build
from builder.catalog import Catalog, catalog_url, open_catalog
from builder.commands.intake import (
    GroupingChoice,
    Scanned,
    ingest_accepted,
    ingest_tables,
    scan_sources,
    simulate_brackets,
)
from builder.commands.progress import Progress
from builder.commands.report import Report, failure_table, scene_table
from builder.commands.run_record import RunRecord, recorded_run
from builder.execution.executor import ExecutorSpec
from builder.execution.ledger import Failure
from builder.settings import Settings
from builder.stages.fuse import planned_algorithms
from builder.store import Store

SIMULATED_SIZE = (960, 640)
SIMULATED_SEED = 2018
SIMULATED_SCENES = 6


@dataclass(frozen=True)
class BuildRequest:
    """The options of `build` as they were typed."""

    source: tuple[Path, ...] = ()
    simulated: bool = False
    by: str | None = None
    size: int | None = None
    ev_step: float | None = None
    link: bool = False
    include_ambiguous: bool = False
    only: tuple[str, ...] = ()
    limit: int | None = None
    shard: str | None = None
    executor: str | None = None
    jobs: int | None = None
    timeout: float | None = None
    memory: float | None = None
    scale: str | None = None
    dry_run: bool = False
    strict: bool = False

    def settings(self, settings: Settings) -> Settings:
        """The settings with these options on top; ValueError if two options contradict each other."""
        if self.executor and self.jobs:
            raise ValueError(f"--executor {self.executor} and --jobs {self.jobs}: give one of them")
        executor = self.executor or (f"local:{self.jobs}" if self.jobs else None)
        settings = settings.replaced(
            "run", executor=executor, timeout_seconds=self.timeout, memory_gb=self.memory
        )
        return settings.replaced("align", scale=parse_scale(self.scale) if self.scale else None)


def parse_scale(text: str) -> float:
    """`1/4` or `0.25` as a number in (0, 1]; ValueError for anything else."""
    try:
        scale = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        scale = 0.0
    if not 0.0 < scale <= 1.0:
        raise ValueError(f"scale {text!r} is not a fraction above 0 and up to 1, e.g. 1/4")
    return scale


def run_build(data: Path, settings: Settings, request: BuildRequest) -> Report:
    """The whole command."""
    if request.simulated and request.source:
        raise ValueError(f"--simulated and {request.source[0]}: give one of them")
    settings = request.settings(settings)
    planned_algorithms(settings)  # what is wrong here should not show only after an hour of scanning
    ExecutorSpec.parse(settings.run.executor)
    selection = Selection.parse(request.only, request.limit, request.shard)
    if request.dry_run:
        return _dry_run(data, settings, selection)
    data.mkdir(parents=True, exist_ok=True)
    with recorded_run(data / "runs", "build", settings) as record:
        scanned = _scanned(data, settings, request)
        tables = _taken_in(data, settings, request, scanned)
        catalog = None if request.shard else open_catalog(catalog_url(data))
        try:
            result = _built(data, settings, selection, catalog)
            return _report(data, request, scanned, tables, result, catalog, record)
        finally:
            if catalog is not None:
                catalog.close()


def _scanned(data: Path, settings: Settings, request: BuildRequest) -> Scanned | None:
    source = request.source
    if request.simulated:
        simulate_brackets(data / "simulated", SIMULATED_SEED, SIMULATED_SIZE, SIMULATED_SCENES)
        source = (data / "simulated" / "photos",)
    if not source:
        return None
    return scan_sources(data, settings, source, GroupingChoice(request.by, request.size, request.ev_step))


def _taken_in(
    data: Path, settings: Settings, request: BuildRequest, scanned: Scanned | None
) -> dict[str, pd.DataFrame]:
    """Ingest what a scan accepted; tables of what was left out."""
    if scanned is None:
        return {}
    result = ingest_accepted(data, settings, link=request.link, include_ambiguous=request.include_ambiguous)
    tables = scanned.tables()
    left_out = tables["Sequences"][tables["Sequences"]["status"] != "accepted"]
    shown = {"Sequences left out": left_out} if len(left_out) else {}
    shown |= {title: table for title, table in tables.items() if title != "Sequences"}
    return shown | ingest_tables(result)


def _built(data: Path, settings: Settings, selection: Selection, catalog: Catalog | None) -> BuildReport:
    with Progress("build", len(selection.names(data)), "scene") as progress:
        return build(
            data,
            settings,
            selection,
            catalog,
            lambda name, outcome: progress.advance(_one_line(name, outcome) if outcome else ""),
        )


def _one_line(name: str, outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return f"{name}: {outcome.kind} in {outcome.step}: {outcome.message}"
    if outcome.rejected:
        return f"{name}: rejected ({outcome.rejected})"
    failed = f", {outcome.candidates_failed} failed" if outcome.candidates_failed else ""
    return f"{name}: {outcome.candidates_made} candidates made{failed}, {outcome.seconds:.1f} s"


def _report(
    data: Path,
    request: BuildRequest,
    scanned: Scanned | None,
    tables: dict[str, pd.DataFrame],
    result: BuildReport,
    catalog: Catalog | None,
    record: RunRecord,
) -> Report:
    failed: bool = bool(result.broken) or "Not ingested" in tables
    if result.broken:
        tables["Scenes that cannot be read"] = pd.DataFrame(result.broken, columns=["scene", "reason"])
    if catalog is not None:
        with catalog.reading() as session:
            tables["Scenes"] = scene_table(session)
            failures = failure_table(session)
        if len(failures):
            tables["Candidates that could not be made"] = failures
        failed |= bool(tables["Scenes"]["status"].isin(["failed", "quarantined", "partial"]).any())
    failed = failed or any(isinstance(outcome, Failure) for outcome in result.outcomes)
    doubtful = request.strict and "Sequences left out" in tables
    record.counts = _counts(result)
    record.failures = [asdict(outcome) for outcome in result.outcomes if isinstance(outcome, Failure)]
    return Report(tables, _closing_lines(data, result, record.counts), failed=failed or doubtful)


def _counts(result: BuildReport) -> dict[str, int]:
    done = [outcome for outcome in result.outcomes if not isinstance(outcome, Failure)]
    return {
        "scenes": result.scenes,
        "up_to_date": result.up_to_date,
        "candidates_made": sum(outcome.candidates_made for outcome in done),
        "frames_decoded": sum(outcome.frames_decoded for outcome in done),
        "peak_rss_mib": max((outcome.peak_rss_mib for outcome in done), default=0),
    }


def _closing_lines(data: Path, result: BuildReport, counts: dict[str, int]) -> tuple[str, ...]:
    if result.scenes == 0:
        return ("", f"There are no scenes in {data}; give a folder of bracketed photographs: build SOURCE")
    return (
        "",
        f"{counts['candidates_made']} candidates made, {result.up_to_date} of {result.scenes} scenes were "
        f"up to date, {counts['frames_decoded']} frames decoded.",
        f"Candidates: {data / 'fused'}",
        f"Next: python -m builder contact-sheet --data {data}   (all results of a scene on one page)",
    )


def _dry_run(data: Path, settings: Settings, selection: Selection) -> Report:
    """What a build would do with the scenes that are ingested already."""
    store, index, rows = Store(data), SceneIndex(data, settings, selection), []
    for name, plan in index.plans.items():
        missing = [algorithm for algorithm, recipe in plan.candidates.items() if store.find(recipe) is None]
        rows.append(
            (name, "nothing" if plan.is_finished(store) else ", ".join(missing) or "previews and comparisons")
        )
    table = pd.DataFrame(rows, columns=["scene", "to make"])
    return Report({"Would be made": table}, ("Nothing was written.",))
