"""A small dataset in the layout of the export, quick to write; test_real_export.py compares it with a real one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.atomic_files import sha256_hex
from builder.dataset.finished import CHECKSUMS, COLUMNS, MANIFEST
from builder.images import LinearPicture, encode_exr, encode_png

WIDTH, HEIGHT = 60, 40
EVS = (-4.0, -2.0, 0.0, 2.0)


@dataclass(frozen=True)
class TinyScene:
    """A scene to write: one exposure per relative EV."""

    name: str
    split: str = "train"
    group: str = ""
    evs: Sequence[float | None] = EVS
    size: tuple[int, int] = (WIDTH, HEIGHT)
    hdr: bool = False
    residual: float | None = 0.1


TINY_SCENES = (
    TinyScene("alley"), TinyScene("bridge"), TinyScene("church"), TinyScene("dune", "val"), TinyScene("elm", "test"),
)  # fmt: skip


def noise(seed: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """A picture that no other seed resembles, in any turn."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def light_of(scene: TinyScene) -> NDArray[np.float32]:
    """Linear light that the export would merge."""
    width, height = scene.size
    return np.random.default_rng(99).random((height, width, 3)).astype(np.float32) * 4


def write_dataset(folder: Path, scenes: Iterable[TinyScene] = TINY_SCENES) -> Path:
    """Pictures, manifest.csv and the checksum list; returns `folder`."""
    rows, sums = [], {}

    def put(path: str, content: bytes) -> str:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        sums[path] = sha256_hex(content)
        return sums[path]

    for number, scene in enumerate(scenes):
        width, height = scene.size
        reference = f"{scene.split}/references/{scene.name}.png"
        put(reference, encode_png(noise(100 * number, width, height)))
        if scene.hdr:
            put(f"{scene.split}/hdr/{scene.name}.exr", encode_exr(LinearPicture(light_of(scene))))
        for position, ev in enumerate(scene.evs, 1):
            path = f"{scene.split}/inputs/{scene.name}/{position}.png"
            put(path, encode_png(noise(100 * number + position, width, height)))
            rows.append(
                {
                    "split": scene.split, "group": scene.group or scene.name, "scene": scene.name,
                    "sice_number": number + 1, "input": path, "reference": reference, "relative_ev": ev,
                    "width": width, "height": height, "input_sha256": sums[path],
                    "reference_sha256": sums[reference], "algorithm": "mertens2009", "residual": scene.residual,
                    "ghost_score": 0, "verdict": "accept", "stamp": "",
                }
            )  # fmt: skip
    write_manifest(folder, rows)
    lines = [f"{sha256}  {path}\n" for path, sha256 in sums.items()]
    (folder / CHECKSUMS).write_text("".join(lines))
    return folder


def write_manifest(folder: Path, rows: Iterable[dict]) -> None:
    """manifest.csv of these rows."""
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, tuple(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def change_row(folder: Path, line: int, **values: object) -> None:
    """Other values in one line of manifest.csv; line 2 is the first row."""
    with (folder / MANIFEST).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    rows[line - 2].update({name: str(value) for name, value in values.items()})
    write_manifest(folder, rows)


def replace_picture(folder: Path, line: int, content: bytes) -> None:
    """Another input file in one line of manifest.csv, with its right SHA-256."""
    with (folder / MANIFEST).open(newline="", encoding="utf-8") as stream:
        path = list(csv.DictReader(stream))[line - 2]["input"]
    (folder / path).write_bytes(content)
    change_row(folder, line, input_sha256=sha256_hex(content))
