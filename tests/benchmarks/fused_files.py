"""The file side of a benchmark of whole programs: `bracket FOLDER MEGAPIXELS` or `fuse OUTPUT INPUT...`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from fusion_algos import ExposureStack
from fusion_algos.color import round_to_8_bit
from fusion_algos.exposure_fusion import mertens2009
from tests.benchmarks.bracket import bracket

UNCOMPRESSED = (cv2.IMWRITE_TIFF_COMPRESSION, 1)


def write_bracket(folder: Path, megapixels: int) -> None:
    images, _ = bracket(megapixels)
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f"{k}.tif"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), UNCOMPRESSED)


def fuse_files(output: str, inputs: list[str]) -> None:
    images: list[np.ndarray] = []
    for path in inputs:
        image = cv2.imread(path)
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image))
    fused = round_to_8_bit(mertens2009.fuse(ExposureStack(images)))
    cv2.imwrite(output, cv2.cvtColor(fused, cv2.COLOR_RGB2BGR), UNCOMPRESSED)


if __name__ == "__main__":
    if sys.argv[1] == "bracket":
        write_bracket(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        fuse_files(sys.argv[2], sys.argv[3:])
