"""Resizing: area averages, and the seed's bicubic (MATLAB's imresize with antialiasing)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Cubic convolution (Keys 1981, a = -1/2) stretched by 3, at the distances -5 ... 5 from the centre pixel of each
# triple: k(j/3) / 3, which are whole multiples of 1/81 and sum to 1. At the distances -6 and 6 it is zero.
THIRD_WEIGHTS = (-1, -2, 0, 9, 21, 27, 21, 9, 0, -2, -1)
THIRD_SUM = 81
BORDER = 4  # rows that the first and the last centre reach beyond the picture


def area_resized(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """HxWxC of the same type, area-averaged (cv2.INTER_AREA)."""
    rows, columns = picture.shape[:2]
    # cv2 averages areas only where both sides shrink: a side that grows is interpolated afterwards
    smaller = cv2.resize(picture, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    if smaller.shape[:2] == (height, width):
        return smaller
    return cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR)


def short_side_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """(height, width) with `short_side` as the shorter one; smaller sizes stay as they are."""
    shorter = min(height, width)
    if shorter <= short_side:
        return height, width
    return round(height * short_side / shorter), round(width * short_side / shorter)


def short_side_resized(picture: NDArray[Any], short_side: int) -> NDArray[Any]:
    """Area-resized so that the shorter side is `short_side`; smaller pictures stay as they are."""
    height, width = picture.shape[:2]
    return area_resized(picture, *short_side_size(height, width, short_side))


def third_resized(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As the SICE authors trained: cropped to multiples of 3, bicubic (a = -.5) stretched by 3, symmetric border.

    HxWx3 -> (H // 3)x(W // 3)x3, rounded to 8 bits. ValueError if a side has fewer than 3 pixels.
    """
    height, width = (side - side % 3 for side in picture.shape[:2])
    if not (height and width):
        raise ValueError(
            f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels has no third; leave it out"
        )
    rows = _third_of_rows(
        picture[:height, :width]
    )  # 8 bits between the passes too, rows first, as imresize works
    return np.ascontiguousarray(_third_of_rows(rows.swapaxes(0, 1)).swapaxes(0, 1))


def _third_of_rows(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every third row, filtered: sum_j w_j x[3 i + 1 + j] for i = 0 ... H/3 - 1."""
    count = len(picture) // 3
    padded = np.pad(picture, ((BORDER, BORDER), (0, 0), (0, 0)), mode="symmetric")
    total = np.zeros((count, *picture.shape[1:]), np.int32)
    for start, weight in enumerate(THIRD_WEIGHTS):
        if weight:
            total += weight * padded[start : start + 3 * count : 3].astype(np.int32)
    # floor(s/81 + 1/2): 81 is odd, so that no sum lies between two levels
    return np.clip((2 * total + THIRD_SUM) // (2 * THIRD_SUM), 0, 255).astype(np.uint8)
