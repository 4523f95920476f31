"""The tables of a dataset, written scene by scene: nothing grows in memory with the number of scenes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from builder.atomic_files import new_text
from builder.dataset.records import Excluded, HdrFact, InputFact, ReferenceFact, SceneFact
from builder.dataset.splits import SPLITS, Place
from builder.export_formats.basicsr import meta_info_lines
from builder.export_formats.huggingface import metadata_lines

MANIFEST_COLUMNS = (
    "split", "group", "scene", "sice_number", "input", "reference", "relative_ev", "seconds", "f_number", "iso",
    "width", "height", "input_sha256", "reference_sha256", "algorithm", "residual", "ghost_score", "verdict",
    "stamp",
)  # fmt: skip
CANDIDATE_COLUMNS = (
    "split", "scene", "algorithm", "revision", "parameters", "key", "sha256", "status", "first_picks",
    "is_reference", "is_co_best", "mef_ssim", "gate_failures", "imported", "path", "stamp",
)  # fmt: skip
EXCLUDED_COLUMNS = ("scene", "group", "reason", "sentence")
GROUP_COLUMNS = ("scene", "group", "split", "sice_number")


class Tables:
    """Open tables; `add` writes the rows of one scene into all of them."""

    def __init__(self, dataset: Path, open_files: ExitStack) -> None:
        def text(path: str) -> TextIO:
            return open_files.enter_context(new_text(dataset / path))

        self._manifest = _csv(text("manifest.csv"), MANIFEST_COLUMNS)
        self._candidates = _csv(text("candidates.csv"), CANDIDATE_COLUMNS)
        self._scenes = text("scenes.jsonl")
        self._splits = {split: text(f"splits/{split}.txt") for split in SPLITS}
        self._metadata = {split: text(f"{split}/metadata.jsonl") for split in SPLITS}
        self._meta_info = {split: text(f"{split}/meta_info.txt") for split in SPLITS}

    def add(self, scene: SceneFact) -> None:
        """One scene, in the order of the release."""
        self._manifest.writerows(manifest_rows(scene))
        self._candidates.writerows(candidate_rows(scene))
        self._scenes.write(json.dumps(scene_document(scene), allow_nan=False) + "\n")
        self._splits[scene.split].write(f"{scene.name}\n")
        self._metadata[scene.split].writelines(metadata_lines(scene))
        self._meta_info[scene.split].writelines(meta_info_lines(scene))


@contextmanager
def open_tables(dataset: Path) -> Iterator[Tables]:
    """All tables that get rows scene by scene."""
    with ExitStack() as open_files:
        yield Tables(dataset, open_files)


def write_excluded(dataset: Path, excluded: Iterable[Excluded]) -> None:
    """`excluded.csv`: what is not in the dataset, and why."""
    with new_text(dataset / "excluded.csv") as stream:
        rows = sorted(excluded, key=lambda one: (one.scene.encode(), one.reason))
        _csv(stream, EXCLUDED_COLUMNS).writerows(asdict(one) for one in rows)


def write_groups(dataset: Path, places: Sequence[Place]) -> None:
    """`splits/groups.csv`: which scenes were kept together."""
    with new_text(dataset / "splits" / "groups.csv") as stream:
        rows = [
            {"scene": place.name, "group": place.joined, "split": place.split, "sice_number": place.number}
            for place in places
        ]
        _csv(stream, GROUP_COLUMNS).writerows(rows)


def manifest_rows(scene: SceneFact) -> Iterator[dict[str, Any]]:
    """A row per exposure-reference pair."""
    reference = scene.reference
    for one in scene.inputs:
        yield {
            "split": scene.split,
            "group": scene.group,
            "scene": scene.name,
            "sice_number": scene.number,
            "input": one.file.path,
            "reference": reference.file.path,
            "relative_ev": rounded(one.relative_ev),
            "seconds": rounded(one.seconds, 9),
            "f_number": rounded(one.f_number),
            "iso": rounded(one.iso),
            "width": scene.width,
            "height": scene.height,
            "input_sha256": one.file.sha256,
            "reference_sha256": reference.file.sha256,
            "algorithm": reference.algorithm,
            "residual": rounded(one.residual, 3),
            "ghost_score": rounded(scene.ghost_score),
            "verdict": reference.verdict,
            "stamp": reference.stamp,
        }


def candidate_rows(scene: SceneFact) -> Iterator[dict[str, Any]]:
    """A row per candidate: what people picked, and what they did not."""
    for one in scene.candidates:
        yield {
            "split": scene.split,
            "scene": scene.name,
            "algorithm": one.algorithm,
            "revision": one.revision,
            "parameters": json.dumps(one.parameters, sort_keys=True),
            "key": one.key,
            "sha256": one.sha256,
            "status": one.status,
            "first_picks": "" if one.first_picks is None else one.first_picks,
            "is_reference": int(one.is_reference),
            "is_co_best": int(one.is_co_best),
            "mef_ssim": rounded(one.mef_ssim),
            "gate_failures": "; ".join(one.gate_failures),
            "imported": int(one.imported),
            "path": one.path,
            "stamp": scene.reference.stamp,
        }


def scene_document(scene: SceneFact) -> dict[str, Any]:
    """A line of `scenes.jsonl`: what does not fit into a row per pair."""
    document: dict[str, Any] = {
        "scene": scene.name,
        "split": scene.split,
        "group": scene.group,
        "sice_number": scene.number,
        "width": scene.width,
        "height": scene.height,
        "year": scene.year,
        "flags": list(scene.flags),
        "ghost_score": scene.ghost_score,
        "inputs": [_input_document(one) for one in scene.inputs],
        "reference": _reference_document(scene.reference),
    }
    if scene.hdr is not None:
        document["hdr"] = _hdr_document(scene.hdr)
    return document


def _input_document(one: InputFact) -> dict[str, Any]:
    return {
        "path": one.file.path,
        "relative_ev": one.relative_ev,
        "alignment": one.alignment,
        "as_shot": one.as_shot,
    }


def _reference_document(reference: ReferenceFact) -> dict[str, Any]:
    return {
        "path": reference.file.path,
        "algorithm": reference.algorithm,
        "revision": reference.revision,
        "parameters": dict(reference.parameters),
        "verdict": reference.verdict,
        "stamp": reference.stamp,
        "raters": reference.raters,
        "first_picks": reference.first_picks,
        "margin": reference.margin,
        "p_best": reference.p_best,
        "acceptable_share": reference.acceptable_share,
        "co_best": list(reference.co_best),
        "rule_version": reference.rule_version,
    }


def _hdr_document(hdr: HdrFact) -> dict[str, Any]:
    return {
        "path": hdr.file.path,
        "sha256": hdr.file.sha256,
        "scale": hdr.scale,
        "response": hdr.response,
        "largest": round(hdr.largest, 4),
        "clipped_pixels": hdr.clipped,
    }


def rounded(value: float | None, digits: int = 6) -> str:
    """The shortest text of a number, without a needless `.0`; "" for None."""
    if value is None:
        return ""
    number = round(value, digits)
    return str(int(number)) if number == int(number) else str(number)


def _csv(stream: TextIO, columns: Sequence[str]) -> csv.DictWriter[str]:
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    return writer
