"""Getting photographs in: simulate, scan and ingest as commands, with progress and a report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from builder.brackets import BracketSequence
from builder.commands.progress import Progress
from builder.commands.report import Report
from builder.sequences import read_sequences
from builder.settings import Settings
from builder.simulate import simulate
from builder.stages.ingest import IngestReport, copy_file, ingest, link_file
from builder.stages.scan import ScanReport, scan

SEQUENCES_FILE = "sequences.csv"


@dataclass(frozen=True)
class GroupingChoice:
    """What a person said about the grouping; None leaves it to the files."""

    by: str | None = None
    size: int | None = None
    ev_step: float | None = None


@dataclass(frozen=True)
class Scanned:
    """The result of a scan and where it was written."""

    path: Path
    result: ScanReport

    def report(self, *, strict: bool) -> Report:
        """Tables of sequences and of files that cannot be read."""
        doubtful = [sequence for sequence in self.result.sequences if sequence.status != "accepted"]
        counts = pd.Series([sequence.status for sequence in self.result.sequences]).value_counts()
        summary = ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"
        return Report(
            self.tables(),
            (f"Sequences: {summary}. If one is wrong, edit {self.path}; then: ingest, build",),
            failed=strict and bool(doubtful),
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """What was found, for people."""
        tables = {"Sequences": sequence_table(self.result.sequences)}
        if self.result.damaged:
            rows = [(file.reason, file.sentence) for file in self.result.damaged]
            tables["Unusable files"] = pd.DataFrame(rows, columns=["problem", "reason"])
        return tables


def sequence_table(sequences: Sequence[BracketSequence]) -> pd.DataFrame:
    """One row per sequence: verdict, rule, frames, span, where it begins, why."""
    rows = []
    for sequence in sequences:
        known = [frame.relative_ev for frame in sequence.frames if frame.relative_ev is not None]
        rows.append(
            {
                "sequence": sequence.name,
                "status": sequence.status,
                "by": sequence.by,
                "frames": len(sequence.frames),
                "span": f"{max(known) - min(known):.1f} EV" if known else "",
                "first file": sequence.frames[0].path if sequence.frames else "",
                "reason": sequence.explanation.partition(": ")[2],
            }
        )
    return pd.DataFrame(rows, columns=["sequence", "status", "by", "frames", "span", "first file", "reason"])


def scan_sources(
    data: Path, settings: Settings, directories: Sequence[Path], choice: GroupingChoice
) -> Scanned:
    """Scan folders into `sequences.csv`."""
    path = data / SEQUENCES_FILE
    with Progress("scan", None, "file") as progress:
        result = scan(
            directories,
            sequences_csv=path,
            settings=settings.scan,
            by=choice.by,
            size=choice.size,
            ev_step=choice.ev_step,
            progress=progress.move_to,
        )
    return Scanned(path, result)


def ingest_sequences(data: Path, settings: Settings, *, link: bool, include_ambiguous: bool) -> Report:
    """Ingest as a command of its own."""
    result = ingest_accepted(data, settings, link=link, include_ambiguous=include_ambiguous)
    return Report(
        ingest_tables(result),
        (f"{len(result.ingested)} scenes ingested, {len(result.unchanged)} were there. Next: build",),
        failed=bool(result.problems),
    )


def ingest_accepted(data: Path, settings: Settings, *, link: bool, include_ambiguous: bool) -> IngestReport:
    """Take the accepted (and, if wished, ambiguous) sequences of `sequences.csv` into the data folder."""
    path = data / SEQUENCES_FILE
    if not path.is_file():
        raise ValueError(f"{path} is not there: scan a folder of photographs first")
    wanted = ("accepted", "ambiguous") if include_ambiguous else ("accepted",)
    sequences = [sequence for sequence in read_sequences(path) if sequence.status in wanted]
    with Progress("ingest", len(sequences), "scene") as progress:
        return ingest(
            data,
            sequences,
            limits=settings.scan,
            place=link_file if link else copy_file,
            on_scene=progress.advance,
        )


def ingest_tables(result: IngestReport) -> dict[str, pd.DataFrame]:
    """The scenes that could not be ingested, if any."""
    if not result.problems:
        return {}
    return {"Not ingested": pd.DataFrame(result.problems, columns=["scene", "reason"])}


def simulate_brackets(output: Path, seed: int, size: tuple[int, int], count: int) -> Report:
    """Simulate brackets as a command of its own."""
    with Progress("simulate", count + 1, "folder") as progress:
        simulate(output, seed=seed, size=size, count=count, on_scene=progress.advance)
    return Report(
        lines=(f"Photographs: {output / 'photos'}; their truth, for tests only: {output / 'truth'}",)
    )


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of `960x640`; ValueError for anything else."""
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if match is None:
        raise ValueError(f"size {text!r} is not WIDTHxHEIGHT in pixels, e.g. 960x640")
    return int(match[1]), int(match[2])
