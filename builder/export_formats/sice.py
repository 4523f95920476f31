"""The layout of SICE (Cai et al. 2018): `Dataset_Part1/<n>/<k>.JPG` and `Dataset_Part1/Label/<n>.JPG`.

SICE has no official splits and does not say which exposure is which; `scenes.csv` and `exposures.csv` do.
"""

from __future__ import annotations

from pathlib import Path

from builder.atomic_files import replace_file
from builder.dataset.finished import existing, link, link_notices, read_scenes, write_table
from builder.images import as_8_bit, encode_jpeg, read_image

PART, LABEL = "Dataset_Part1", "Label"


def write(dataset: Path, output: Path) -> None:
    """Fill `output`; JPEG inputs are the dataset's own files, all else becomes JPEG q95 4:4:4."""
    scenes, exposures = [], []
    for pairs in read_scenes(dataset):
        first = pairs[0]
        number = first.sice_number
        _as_jpeg(existing(dataset, first.reference), output / PART / LABEL / f"{number}.JPG")
        scenes.append((number, first.scene, first.group, first.split, first.algorithm, first.stamp))
        for pair in pairs:
            _as_jpeg(existing(dataset, pair.input), output / PART / str(number) / f"{pair.position}.JPG")
            exposures.append((number, pair.position, pair.relative_ev, pair.seconds, pair.f_number, pair.iso))
    write_table(output / "scenes.csv", ("number", "scene", "group", "split", "algorithm", "stamp"), scenes)
    columns = ("number", "position", "relative_ev", "seconds", "f_number", "iso")
    write_table(output / "exposures.csv", columns, exposures)
    link_notices(dataset, output)


def _as_jpeg(source: Path, target: Path) -> None:
    if source.suffix == ".jpg":
        link(source, target)
        return
    replace_file(target, encode_jpeg(as_8_bit(read_image(source))))
