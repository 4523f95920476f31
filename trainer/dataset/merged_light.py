"""The merged linear pictures of an exported dataset: which scenes have one, and their light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.atomic_files import sha256_hex
from builder.dataset.finished import Pair, dataset_files
from builder.images import decode_exr, read_bytes
from trainer.dataset.manifest import Dataset, DatasetError, hdr_path


def lights_of(dataset: Dataset, pairs: Sequence[Pair]) -> dict[str, str]:
    """SHA-256 of the merged linear picture by scene, of those that have one; DatasetError if none has."""
    listed = dataset_files(dataset.folder)
    paths = {pair.scene: hdr_path(pair.split, pair.scene) for pair in pairs}
    found = {scene: listed[path] for scene, path in paths.items() if path in listed}
    if not found:
        raise DatasetError(
            f"{dataset.folder}: none of the {len(paths)} scenes has a merged linear picture, which this network learns "
            f"from; export again with --hdr"
        )
    return found


def read_light(dataset: Path, path: str, sha256: str) -> NDArray[np.float32]:
    """HxWx3 linear light, reference white = 1. ValueError (UnreadableImage) if it is damaged or another file's."""
    content = read_bytes(dataset / path)
    if sha256_hex(content) != sha256:  # pictures were hashed when the dataset was opened
        raise ValueError("its SHA-256 is not the one that the dataset lists; restore it")
    return decode_exr(content, name=path).pixels
