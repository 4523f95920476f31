"""What work on a strip of rows needs around it: neighbouring rows, or rows of a coarser plane."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.row_strips import over_strips

Plane = NDArray[np.float32]


TALL = 16  # strips so many times taller than usual pay for the rows around them


def with_halo(rows: slice, height: int, halo: int) -> tuple[slice, slice]:
    """The rows and `halo` more on both sides as far as the image goes, and where `rows` lie in them."""
    first = max(rows.start - halo, 0)
    return slice(first, min(rows.stop + halo, height)), slice(rows.start - first, rows.stop - first)


def over_tall_strips(height: int, width: int, work: Callable[[slice], None]) -> None:
    """As `row_strips.over_strips`, for work that reads some rows above and below its strip."""
    over_strips(height, max(1, width // TALL), work)


def enlarged_rows(coarse: Plane, rows: slice, size: tuple[int, int]) -> Plane:
    """Rows of the float32 `coarse` (HxW or HxWxC) enlarged bilinearly to `size`, outline on outline."""
    height, width = size
    position = (np.arange(rows.start, rows.stop) + 0.5) * (coarse.shape[0] / height) - 0.5
    position = np.clip(position, 0, coarse.shape[0] - 1)
    upper = position.astype(np.intp)
    lower = np.minimum(upper + 1, coarse.shape[0] - 1)
    share = (position - upper).astype(np.float32).reshape(-1, *[1] * (coarse.ndim - 1))
    narrow = coarse[upper] * (1 - share) + coarse[lower] * share
    return cv2.resize(narrow, (width, len(narrow)), interpolation=cv2.INTER_LINEAR)
