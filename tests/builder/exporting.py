"""Exports in this process, and what is in a dataset."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from builder.catalog import catalog_url, open_catalog
from builder.settings import load_settings
from builder.stages.export import ExportOutcome, ExportRequest, OnScene, export_dataset


def silent(_stage: str, _scene: str, _total: int) -> None:
    """Nobody listens."""


def export(data: Path, output: Path, *, on_scene: OnScene = silent, **request: Any) -> ExportOutcome:
    """`export_dataset` with the settings of the data folder."""
    catalog = open_catalog(catalog_url(data))
    try:
        settings = load_settings(data / "project.toml", {})
        return export_dataset(data, settings, catalog, ExportRequest(output, **request), on_scene)
    finally:
        catalog.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV table."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSON-lines table."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def splits_of(dataset: Path) -> dict[str, str]:
    """Scene -> split, from the official lists."""
    return {
        scene: split
        for split in ("train", "val", "test")
        for scene in (dataset / "splits" / f"{split}.txt").read_text().splitlines()
    }
