"""Paired folders with LOL's names: `<split>/low/<scene>-<k>.png` and `<split>/high/<scene>-<k>.png`.

BasicSR's PairedImageDataset and most loaders for LOL want both files of a pair under one name, extension included.
JPEG inputs therefore become PNG with the same pixels; `meta_info.txt` lists each split's pairs as BasicSR reads it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from builder.atomic_files import new_text, replace_file
from builder.dataset.finished import existing, link, link_notices, read_pairs, write_table
from builder.dataset.splits import SPLITS
from builder.images import encode_png, read_image

COLUMNS = ("name", "split", "scene", "relative_ev", "algorithm", "stamp")


def write(dataset: Path, output: Path) -> None:
    """Fill `output`; all pairs of a scene share one file of the reference by hard links."""
    rows = []
    with ExitStack() as open_files:
        meta_info = {
            split: open_files.enter_context(new_text(output / split / "meta_info.txt")) for split in SPLITS
        }
        for pair in read_pairs(dataset):
            name, split = f"{pair.key}.png", output / pair.split
            link(existing(dataset, pair.reference), split / "high" / name)
            _as_png(existing(dataset, pair.input), split / "low" / name)
            meta_info[pair.split].write(f"{name} ({pair.height},{pair.width},3)\n")
            rows.append((name, pair.split, pair.scene, pair.relative_ev, pair.algorithm, pair.stamp))
    write_table(output / "pairs.csv", COLUMNS, rows)
    link_notices(dataset, output)


def _as_png(source: Path, target: Path) -> None:
    if source.suffix == ".png":
        link(source, target)
    else:
        replace_file(target, encode_png(read_image(source)))
