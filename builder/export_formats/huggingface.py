"""`metadata.jsonl` of a split: with it Hugging Face `datasets` reads the folder as pairs of images."""

from __future__ import annotations

import json
from collections.abc import Iterator

from builder.dataset.records import SceneFact


def metadata_lines(scene: SceneFact) -> Iterator[str]:
    """A line per pair; paths relative to the split's folder. Columns `input` and `target` become images."""
    below = len(scene.split) + 1
    for position, one in enumerate(scene.inputs, start=1):
        row = {
            "input_file_name": one.file.path[below:],
            "target_file_name": scene.reference.file.path[below:],
            "scene": scene.name,
            "group": scene.group,
            "position": position,
            "exposures": len(scene.inputs),
            "relative_ev": one.relative_ev,
            "algorithm": scene.reference.algorithm,
            "verdict": scene.reference.verdict,
            "stamp": scene.reference.stamp,
        }
        yield json.dumps(row, sort_keys=False, allow_nan=False) + "\n"
