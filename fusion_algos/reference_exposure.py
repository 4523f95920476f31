"""One exposure as the reference of a scene in motion, and as the others would show it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.row_strips import row_strips
from fusion_algos.row_windows import with_halo
from fusion_algos.stack import ExposureStack

Histograms = NDArray[np.int64]
LEVELS = 256


def least_clipped(stack: ExposureStack, darkest: float, brightest: float) -> int:
    """The middle of three exposures; of other counts the one with the fewest 3x3 patches out of range.

    A patch is out of range if its mean, of all channels in [0, 1], is below `darkest` or above `brightest`. Of
    equals the one nearest to the middle of the exposures, and of two of those the darker.
    """
    count = len(stack)
    if count == 3:
        return 1
    clipped = [_clipped_patches(stack, k, darkest, brightest) for k in range(count)]
    return min(range(count), key=lambda k: (clipped[k], abs(2 * k - count + 1), k))


def _clipped_patches(stack: ExposureStack, k: int, darkest: float, brightest: float) -> int:
    count = 0
    for rows in row_strips(stack.height, stack.width):
        outer, inner = with_halo(rows, stack.height, 1)
        gray = cv2.transform(stack.image(k, outer), np.full((1, 3), 1 / 3, np.float32))
        means = cv2.blur(gray, (3, 3), borderType=cv2.BORDER_REPLICATE)[inner]
        count += int(np.count_nonzero((means < darkest) | (means > brightest)))
    return count


def histograms(values: NDArray[Any]) -> Histograms:
    """How many of HxWxC uint8 values have each level, C x 256."""
    return np.stack([np.bincount(channel.ravel(), minlength=LEVELS) for channel in cv2.split(values)])


def matching_levels(source: Histograms, target: Histograms, steepest: int = LEVELS) -> NDArray[np.uint8]:
    """For each channel the 256 levels, 256 x C, that give values with `source` the histograms `target`.

    Each level of the source becomes that of the target's levels whose cumulative share is nearest, the lowest of
    equals. Both are C x 256 counts. From the source's median outwards neighbouring levels become at most
    `steepest` levels apart: more makes a picture of the steps of clipped or nearly clipped values.
    """
    tables = [_nearest(a, b) for a, b in zip(source, target, strict=True)]
    return np.stack(
        [_flattened(table, counts, steepest) for table, counts in zip(tables, source, strict=True)], axis=1
    )


def _flattened(table: NDArray[np.uint8], counts: NDArray[np.int64], steepest: int) -> NDArray[np.uint8]:
    steps = np.minimum(np.diff(table.astype(np.int64), prepend=table[:1]), steepest)
    heights = np.cumsum(steps)
    median = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return (heights - heights[median] + table[median]).astype(np.uint8)


def _nearest(source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.uint8]:
    present = np.flatnonzero(target)  # a level that the target lacks is none to give, not even to the darkest
    shares = [np.cumsum(counts) / counts.sum() for counts in (source, target)]
    distance = np.abs(shares[0][:, np.newaxis] - shares[1][present])
    return present[distance.argmin(axis=1)].astype(np.uint8)
