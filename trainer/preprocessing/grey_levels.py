"""MATLAB's rgb2gray of 8-bit pictures, of which the published networks' luminance was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = (298_936, 587_043, 114_021)  # of R, G, B in millionths
MILLION = 1_000_000
ROWS = 64  # at a time, so that a large picture is never copied in wider numbers


def grey_levels(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """round(.298936 R + .587043 G + .114021 B), HxWx3 -> HxW; halves up, exactly.

    picture: uint8, or float in [0, 1], which is rounded to 8 bits first.
    """
    grey = np.empty(picture.shape[:2], np.uint8)
    for top in range(0, len(grey), ROWS):
        rows = slice(top, top + ROWS)
        grey[rows] = _of_levels(_eight_bits(picture[rows]))
    return grey


def _of_levels(levels: NDArray[np.uint8]) -> NDArray[np.int32]:
    # without cv2, whose threads are not there in a forked loader process
    weighted = np.full(levels.shape[:2], MILLION // 2, np.int32)
    for channel, weight in enumerate(WEIGHTS):
        weighted += levels[..., channel].astype(np.int32) * np.int32(weight)
    return weighted // MILLION


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return pixels if pixels.dtype == np.uint8 else np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
