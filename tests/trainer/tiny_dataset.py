"""A dataset of tiny pictures in the exporter's layout: a scene is a smooth picture, exposures are powers of 2 of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from builder.atomic_files import sha256_hex
from builder.dataset.finished import CHECKSUMS, COLUMNS, MANIFEST
from builder.images import LinearPicture, encode_exr, encode_png
from fusion_algos.color import linear_to_srgb

SIZE = (48, 72)  # rows, columns
# split -> scene -> EV of its exposures; scenes have different numbers of them
SCENES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "train": {"mill": (-3, 0, 2), "pier": (-2, 2)},
    "val": {"arch": (-3, -2, 0.1, 2), "barn": (-3, 2), "cove": (-3, 0, 2, 3)},
    "test": {"dune": (-2, 0, 2)},
}


def write_dataset(
    folder: Path, scenes: Mapping[str, Mapping[str, Sequence[float]]] = SCENES, *, hdr: Sequence[str] = ()
) -> Path:
    """Writes manifest.csv, inputs and references; with `hdr` merged linear pictures of these scenes, and their list."""
    folder.mkdir(parents=True)
    rows, sums = [], []
    for split, names in scenes.items():
        for scene, values in names.items():
            light = _light(len(rows))
            reference = _stored(folder, f"{split}/references/{scene}.png", linear_to_srgb(light))
            if scene in hdr:
                content = encode_exr(LinearPicture(light))
                (folder / split / "hdr").mkdir(exist_ok=True)
                (folder / f"{split}/hdr/{scene}.exr").write_bytes(content)
                sums.append(f"{sha256_hex(content)}  {split}/hdr/{scene}.exr\n")
            for position, ev in enumerate(values, 1):
                path = f"{split}/inputs/{scene}/{position}.png"
                exposed = _stored(folder, path, linear_to_srgb(light * np.float32(2.0**ev)))
                rows.append(_row(split, scene, ev, (path, exposed), reference))
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if hdr:
        (folder / CHECKSUMS).write_text("".join(sums))
    return folder


def _light(seed: int) -> np.ndarray:
    """Linear light, HxWx3 float32 in [.02, .5]."""
    coarse = np.random.default_rng(seed).random((6, 9, 3)).astype(np.float32)
    return 0.02 + 0.48 * np.clip(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _stored(folder: Path, path: str, picture: np.ndarray) -> tuple[str, str]:
    """(path, SHA-256) of a picture in the dataset."""
    content = encode_png(np.round(picture * 255).astype(np.uint8))
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return path, sha256_hex(content)


def _row(
    split: str, scene: str, ev: float, exposed: tuple[str, tuple[str, str]], reference: tuple[str, str]
) -> dict[str, object]:
    return {
        "split": split,
        "group": scene,
        "scene": scene,
        "sice_number": 1,
        "input": exposed[0],
        "reference": reference[0],
        "relative_ev": ev,
        "width": SIZE[1],
        "height": SIZE[0],
        "input_sha256": exposed[1][1],
        "reference_sha256": reference[1],
        "algorithm": "mertens2007",
        "residual": 0.1,
        "verdict": "clear",
    }
