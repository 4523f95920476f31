"""Bilinear enlargement of a coarse plane, a few rows at a time."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def enlarged_rows(coarse: Plane, rows: slice, size: tuple[int, int]) -> Plane:
    """Rows `rows` of the HxW float32 `coarse` enlarged to `size` (height, width); pixels are little squares."""
    height, width = size
    position = (np.arange(rows.start, rows.stop) + 0.5) * (coarse.shape[0] / height) - 0.5
    position = np.clip(position, 0, coarse.shape[0] - 1)
    upper = position.astype(np.intp)
    lower = np.minimum(upper + 1, coarse.shape[0] - 1)
    share = (position - upper).astype(np.float32)[:, np.newaxis]
    narrow = coarse[upper] * (1 - share) + coarse[lower] * share
    return cv2.resize(narrow, (width, len(narrow)), interpolation=cv2.INTER_LINEAR)
