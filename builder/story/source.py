"""The files of one run, as the sections read them: the catalog, an export, a training, an evaluation, pictures."""

from __future__ import annotations

import csv
import json
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from builder.catalog import Scene, catalog_url, open_catalog
from builder.dataset.finished import MANIFEST, Pair, read_pairs

Parsed = TypeVar("Parsed")
STEPS = "steps.tsv"  # start (UTC), seconds, command: written by `make demo`


class Missing(ValueError):
    """A file that a section tells about is not there or cannot be read; the sentence says which and what makes it."""


@dataclass(frozen=True)
class Frame:
    """One exposure; `picture` is the file to show."""

    position: int
    relative_ev: float | None
    seconds: float | None
    picture: Path


@dataclass(frozen=True)
class Fused:
    """One candidate; `picture` is None where the algorithm failed."""

    algorithm: str
    key: str
    mef_ssim: float | None
    failure: str
    gate_failures: tuple[str, ...]
    picture: Path | None


@dataclass(frozen=True)
class SceneFacts:
    """What the catalog knows of one scene."""

    name: str
    status: str
    flags: tuple[str, ...]
    ghost_score: float | None
    frames: tuple[Frame, ...]
    candidates: tuple[Fused, ...]

    @property
    def middle(self) -> Frame | None:
        """The exposure nearest to 0 EV, for a thumbnail."""
        return min(self.frames, key=lambda one: abs(one.relative_ev or 0), default=None)


@dataclass(frozen=True)
class Source:
    """Where the files of the run are; None where there are none."""

    data: Path
    dataset: Path | None
    evaluation: Path | None = None
    model: Path | None = None
    enhanced: Path | None = None

    def shown(self, path: Path) -> str:
        """A path as the reader would type it; those outside by their last parts, which name no home folder."""
        here = Path(os.path.relpath(path, self.data.parent))
        return "/".join(path.parts[-2:]) if ".." in here.parts else here.as_posix()

    @cached_property
    def scenes(self) -> Mapping[str, SceneFacts]:
        """All scenes of the catalog by name."""
        with closing(open_catalog(catalog_url(self.data))) as catalog, catalog.reading() as session:
            both = (selectinload(Scene.exposures), selectinload(Scene.candidates))
            rows = session.scalars(select(Scene).options(*both).order_by(Scene.name))
            return {row.name: _scene_facts(self.data, row) for row in rows}

    @cached_property
    def pairs(self) -> Sequence[Pair]:
        """The rows of manifest.csv."""
        return list(read_pairs(self.exported(MANIFEST).parent))

    @cached_property
    def judged(self) -> Mapping[str, Mapping[str, Any]]:
        """The lines of scenes.jsonl by scene: splits, references, verdicts."""
        lines = _read(self.exported("scenes.jsonl"), _json_lines)
        return {line["scene"]: line for line in lines}

    @cached_property
    def picks(self) -> Sequence[Mapping[str, str]]:
        """The rows of candidates.csv."""
        return _read(self.exported("candidates.csv"), _rows)

    @cached_property
    def excluded(self) -> Sequence[Mapping[str, str]]:
        """The rows of excluded.csv."""
        return _read(self.exported("excluded.csv"), _rows)

    @cached_property
    def followed(self) -> SceneFacts:
        """The scene that the story follows: of the test split if there is one, the one with most exposures."""
        if not self.scenes:
            raise Missing(f"{self.shown(self.data)} has no scenes: build first")
        splits = {pair.scene: pair.split for pair in self.pairs} if self.dataset else {}
        rank = {"test": 3, "val": 2, "train": 1}
        names = sorted(
            self.scenes,
            key=lambda name: (-rank.get(splits.get(name, ""), 0), -len(self.scenes[name].frames), name),
        )
        return self.scenes[names[0]]

    def exported(self, name: str) -> Path:
        """A file of the export."""
        if self.dataset is None:
            raise Missing(
                f"{self.shown(self.data / 'exports')} has no finished export: python -m builder export"
            )
        return _there(self, self.dataset / name, "python -m builder export")

    def trained(self, name: str) -> Path:
        """A file of the training."""
        if self.model is None:
            raise Missing("no training was named: --model RUN, a folder of python -m trainer train")
        return _there(self, self.model / name, "python -m trainer train")

    def evaluated(self, name: str) -> Path:
        """A file of the evaluation."""
        if self.evaluation is None:
            raise Missing("no evaluation was named: --evaluation DIR, a folder of python -m trainer evaluate")
        return _there(self, self.evaluation / name, "python -m trainer evaluate")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """settings.toml of the training."""
        return _read(self.trained("settings.toml"), tomllib.loads)

    @cached_property
    def training_log(self) -> Sequence[Mapping[str, Any]]:
        """The lines of metrics.jsonl."""
        return _read(self.trained("metrics.jsonl"), _json_lines)

    @cached_property
    def summary(self) -> Sequence[Mapping[str, str]]:
        """The rows of summary.csv."""
        return _read(self.evaluated("summary.csv"), _rows)

    @cached_property
    def images(self) -> Sequence[Mapping[str, str]]:
        """The rows of images.csv: scores of each output."""
        return _read(self.evaluated("images.csv"), _rows)

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """evaluation.json."""
        return _read(self.evaluated("evaluation.json"), json.loads)

    @cached_property
    def simulated_frames(self) -> int:
        """How many accepted photographs of sequences.csv lie in the data folder's own simulation."""
        path, folder = self.data / "sequences.csv", (self.data / "simulated").resolve()
        rows = _read(path, _rows) if path.is_file() else []
        taken = [row["file"] for row in rows if (row["status"], row["role"]) == ("accepted", "frame")]
        return sum(Path(file).resolve().is_relative_to(folder) for file in taken)

    @property
    def networks(self) -> Sequence[str]:
        """What the evaluation calls the trained networks."""
        return list(self.report["header"]["networks"])

    def enhanced_of(self, pair: Pair) -> Path | None:
        """The enhanced version of an input, if `enhance` was given the folder of its split."""
        if self.enhanced is None:
            return None
        place = PurePosixPath(pair.input).relative_to(f"{pair.split}/inputs").with_suffix("")
        return next(iter(sorted(self.enhanced.glob(f"{place}.*"))), None)

    @cached_property
    def steps(self) -> Sequence[tuple[str, float, str]]:
        """(start, seconds, command) of each step, in order."""

        def parse(text: str) -> list[tuple[str, float, str]]:
            lines = [line.split("\t") for line in text.splitlines()]
            return [(start, float(seconds), command) for start, seconds, command in lines]

        return _read(_there(self, self.data / STEPS, "make demo"), parse)

    @cached_property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The builder's own records of its commands, in order."""
        return [_read(path, json.loads) for path in sorted((self.data / "runs").glob("*/run.json"))]


def newest_export(data: Path) -> Path | None:
    """The newest finished export of a data folder; an unfinished one has no manifest."""
    found = (data / "exports").glob(f"*/{MANIFEST}")
    return max(
        (path.parent for path in found), key=lambda one: (one / MANIFEST).stat().st_mtime, default=None
    )


def _there(source: Source, path: Path, maker: str) -> Path:
    if not path.is_file():
        raise Missing(f"{source.shown(path)} is not there: {maker} makes it")
    return path


def _read(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Missing(f"{path.name} cannot be read ({error})") from error


def _rows(text: str) -> list[Mapping[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def _json_lines(text: str) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _scene_facts(data: Path, row: Scene) -> SceneFacts:
    frames = tuple(
        Frame(one.position, one.relative_ev, one.seconds, _preview(data, one.preview_path, path))
        for one in row.exposures
        if (path := one.aligned_path or one.original_path)
    )
    candidates = tuple(
        Fused(
            one.algorithm, one.key, one.quality, one.error or "", tuple(one.gate_failures),
            _preview(data, one.preview_path, one.path) if one.path else None,
        )
        for one in row.candidates
        if one.status != "superseded"
    )  # fmt: skip
    return SceneFacts(row.name, row.status, tuple(row.flags), row.ghost_score, frames, candidates)


def _preview(data: Path, preview: str | None, file: str) -> Path:
    """The small preview, or the file itself where none was made."""
    found = (data / preview).glob("w*.jpg") if preview else ()
    return min(found, key=lambda path: int(path.stem[1:]), default=data / file)
