"""Triplets as DRHT (Yang et al. 2018) learns from: a badly exposed picture, the merged HDR picture, the reference.

`<split>/under/<scene>-<k>.*` and `<split>/over/...` are exposures darker and brighter than the scene's middle one,
`<split>/hdr/<scene>.exr` the merged light, `<split>/reference/<scene>.png` the reference; `triplets.csv` joins them.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from builder.dataset.finished import Pair, existing, link, link_notices, read_scenes, write_table
from builder.exposure_values import reference_position

COLUMNS = ("split", "scene", "exposure", "relative_ev", "ldr", "hdr", "hdr_scale", "reference", "stamp")


def write(dataset: Path, output: Path) -> None:
    """Fill `output` with hard links. ValueError if the dataset was exported without HDR pictures."""
    merged = _merged_pictures(dataset)
    rows = []
    for pairs in read_scenes(dataset):
        first = pairs[0]
        source, scale = merged[first.scene]
        hdr = f"{first.split}/hdr/{first.scene}{PurePosixPath(source).suffix}"
        reference = f"{first.split}/reference/{first.scene}.png"
        link(existing(dataset, source), output / hdr)
        link(existing(dataset, first.reference), output / reference)
        for pair in pairs:
            exposure = _exposure(pair, len(pairs))
            if exposure == "middle":
                continue
            ldr = f"{pair.split}/{exposure}/{pair.key}{PurePosixPath(pair.input).suffix}"
            link(existing(dataset, pair.input), output / ldr)
            rows.append(
                (pair.split, pair.scene, exposure, pair.relative_ev, ldr, hdr, scale, reference, pair.stamp)
            )
    write_table(output / "triplets.csv", COLUMNS, rows)
    link_notices(dataset, output)


def _merged_pictures(dataset: Path) -> dict[str, tuple[str, str]]:
    """(path, what 1.0 means) of every scene's HDR picture."""
    with existing(dataset, "scenes.jsonl").open(encoding="utf-8") as stream:
        scenes = [json.loads(line) for line in stream]
    lacking = [scene["scene"] for scene in scenes if "hdr" not in scene]
    if lacking:
        raise ValueError(
            f"{dataset}: {len(lacking)} scenes have no merged HDR picture, the first is {lacking[0]!r}; triplets "
            f"need a version that was exported with --hdr"
        )
    return {scene["scene"]: (scene["hdr"]["path"], scene["hdr"]["scale"]) for scene in scenes}


def _exposure(pair: Pair, exposures: int) -> str:
    """`under`, `middle` or `over`; by its place in the bracket where the EV is not known."""
    against_middle = pair.relative_ev
    if against_middle is None:
        against_middle = pair.position - 1 - reference_position(exposures)
    return "middle" if against_middle == 0 else "under" if against_middle < 0 else "over"
