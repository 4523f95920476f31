"""`meta_info.txt` of a split: a line `target, input` per pair, as Real-ESRGAN's paired dataset reads it."""

from __future__ import annotations

from collections.abc import Iterator

from builder.dataset.records import SceneFact


def meta_info_lines(scene: SceneFact) -> Iterator[str]:
    """Paths relative to the split's folder, which is both `dataroot_gt` and `dataroot_lq`."""
    below = len(scene.split) + 1
    for one in scene.inputs:
        yield f"{scene.reference.file.path[below:]}, {one.file.path[below:]}\n"
