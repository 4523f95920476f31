"""What a build left: every byte, every row, and which host made what."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from builder.catalog import Base, Candidate, DamagedCopy, Exposure, Scene, open_catalog
from builder.execution.ledger import Ledger
from builder.store import STAGES

# What carries times or hosts: the records of commands, SQLite's own file, and `run` in the sidecar of a product.
RECORDS = ("runs/", "catalog.sqlite")
LEDGER = "ledger/"
MARKERS = "ledger/running/"
NUMBERS = {"id", "scene_id", "candidate_id"}  # given in the order in which scenes are finished
TABLES: tuple[type[Base], ...] = (Scene, Exposure, Candidate, DamagedCopy)


@dataclass(frozen=True)
class Made:
    """A product, who made it and when (ISO 8601, UTC, whole seconds)."""

    stage: str
    scene: str
    algorithm: str  # '' for what is no candidate
    host: str
    finished: str


def comparable_files(data: Path) -> dict[str, str]:
    """SHA-256 of each file that two builds must have in common, by path; of sidecars all but `run`."""
    chosen = (path for path in sorted(_paths(data)) if not path.startswith((*RECORDS, LEDGER)))
    return {path: _digest_without_run(data / path) for path in chosen if "unfinished" not in path}


def derived_files(data: Path) -> dict[str, str]:
    """SHA-256 of each derived file, sidecars with all that they say."""
    derived = (path for path in _paths(data) if path.startswith(STAGES))
    return {path: hashlib.sha256((data / path).read_bytes()).hexdigest() for path in derived}


def folder_times(data: Path) -> dict[Path, int]:
    """When (ns) a name was last made, changed or removed in each folder of derived files."""
    folders = (path for stage in STAGES for path in (data / stage).rglob("*") if path.is_dir())
    return {path: path.stat().st_mtime_ns for path in folders}


def unfinished(data: Path) -> tuple[str, ...]:
    """What a process that was ended left: files that it wrote, markers of what it did."""
    leftovers = (path for path in sorted(_paths(data)) if "unfinished" in path or path.startswith(MARKERS))
    return tuple(leftovers)


def failures(data: Path) -> tuple[str, ...]:
    """What is on record against steps of scenes."""
    found = Ledger(data / "ledger").failures()
    return tuple(f"{failure.scene}: {failure.step}: {failure.message}" for failure in found)


def _paths(data: Path) -> Iterator[str]:
    return (path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())


def _digest_without_run(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".json":
        document = json.loads(content)
        document.pop("run", None)
        content = json.dumps(document, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def made(data: Path, *stages: str) -> list[Made]:
    """All finished products of some stages, read from their sidecars."""
    found = []
    for path in sorted(path for stage in stages for path in (data / stage).glob("*/*.json")):
        document = json.loads(path.read_text())
        stage, scene = path.parts[-3:-1]
        algorithm = document["recipe"]["settings"].get("algorithm", "") if stage == "fused" else ""
        found.append(Made(stage, scene, algorithm, document["run"]["host"], document["run"]["finished"]))
    return found


def candidates(data: Path) -> list[Made]:
    """All finished candidates."""
    return [product for product in made(data, "fused") if product.algorithm]


def shared_scenes(data: Path, host: str) -> tuple[str, ...]:
    """Scenes of which one host made a part and others the rest."""
    hosts: dict[str, set[str]] = {}
    for product in made(data, *STAGES):
        hosts.setdefault(product.scene, set()).add(product.host)
    return tuple(sorted(scene for scene, names in hosts.items() if host in names and len(names) > 1))


def step_of(data: Path, host: str) -> tuple[str, str] | None:
    """The scene and the step that a host says it works on."""
    running = (one for one in Ledger(data / "ledger").running() if one.host == host)
    return next(((one.scene, one.step) for one in running), None)


def rows(url: str) -> Counter[str]:
    """Each row of scenes, exposures, candidates and damaged copies as a text, without running numbers."""
    catalog = open_catalog(url)
    try:
        with catalog.reading() as session:
            return Counter(text for table in TABLES for text in _rows(session, table))
    finally:
        catalog.close()


def _rows(session: Session, table: type[Base]) -> Iterator[str]:
    names = [column.key for column in inspect(table).columns if column.key not in NUMBERS]
    for row in session.scalars(select(table)):
        yield f"{table.__name__} " + repr({name: getattr(row, name) for name in names})
