"""Gaussian and Laplacian pyramids, and blending in them one image at a time.

Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Trans. Communications 31(4), 1983:
taps [1 4 6 4 1]/16. Borders are those of the published exposure fusion programs: a half-sample mirror on the
way down, a repeated edge on the way up. Images are HxW or HxWxC; pyramids are lists of float32 levels, the
finest first.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from fusion_algos.row_strips import over_strips

Plane = NDArray[np.float32]


def level_count(height: int, width: int, *, spared: int = 0) -> int:
    """Number of levels, the coarsest one included, for an image of that size: floor(log2 min) - spared."""
    return max(1, min(height, width).bit_length() - 1 - spared)


def downsample(image: NDArray[Any]) -> Plane:
    """The next coarser Gaussian level of a uint8 or float32 image: ceil(H/2) x ceil(W/2)."""
    height, width = image.shape[:2]
    coarse = np.empty((-(-height // 2), -(-width // 2), *image.shape[2:]), np.float32)

    def work(rows: slice) -> None:
        # Row i reads input rows 2i-2 .. 2i+2; one more output row keeps the strip's mirror out of the rest.
        early = min(rows.start, 1)
        fine = float_rows(image, slice(2 * (rows.start - early), 2 * rows.stop + 1))
        strip = cv2.pyrDown(fine, borderType=cv2.BORDER_REFLECT)
        coarse[rows] = strip[early : early + rows.stop - rows.start]

    over_strips(coarse.shape[0], width * 2, work)
    return coarse


def upsample(image: Plane, shape: Sequence[int]) -> Plane:
    """The image expanded to the rows and columns of the next finer level, whose `shape` is given."""
    return _expanded_rows(image, slice(0, shape[0]))[:, 2 : 2 + shape[1]]


def _expanded_rows(image: Plane, rows: slice) -> Plane:
    """Some rows (the first one even) of the next finer level, with 2 columns too many left and some right."""
    # Fine row 2i reads coarse rows i-1, i, i+1; row 2i+1 reads i, i+1. What pyrUp's own borders touch is cut.
    first, last = rows.start // 2 - 1, (rows.stop - 1) // 2 + 1
    above, below = max(0, -first), max(0, last + 1 - image.shape[0])
    padded = cv2.copyMakeBorder(image[max(0, first) : last + 1], above, below, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.pyrUp(padded)[2 : 2 + rows.stop - rows.start]


def float_rows(image: NDArray[Any], rows: slice) -> Plane:
    """Some rows as contiguous float32, in the image's own units."""
    return np.ascontiguousarray(image[rows], np.float32)


def gaussian_pyramid(image: Plane, levels: int) -> list[Plane]:
    """`levels` Gaussian levels of a float32 image, of which the first is the image itself."""
    pyramid = [image]
    for _ in range(levels - 1):
        pyramid.append(downsample(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: Plane, levels: int) -> list[Plane]:
    """`levels` - 1 Laplacian levels of a float32 image, and the Gaussian one that is left."""
    gaussian = gaussian_pyramid(image, levels)
    details = [fine - upsample(coarse, fine.shape) for fine, coarse in pairwise(gaussian)]
    return [*details, gaussian[-1]]


def empty_pyramid(shape: Sequence[int], levels: int) -> list[Plane]:
    """Zeros in the shapes of the `levels` pyramid levels of an image of `shape`."""
    height, width, *channels = shape
    return [np.zeros((-(-height >> n), -(-width >> n), *channels), np.float32) for n in range(levels)]


def add_blended(total: Sequence[Plane], image: NDArray[Any], weight: Plane) -> None:
    """Add the Laplacian pyramid of `image` times the Gaussian one of `weight` to `total`, level by level.

    `total`: HxWx3 levels in the units of `image`; `image`: HxWx3 uint8 or float32; `weight`: HxW.
    """
    for blended in total[:-1]:
        coarse_image, coarse_weight = downsample(image), downsample(weight)
        add_weighted_detail(blended, image, coarse_image, weight)
        image, weight = coarse_image, coarse_weight
    total[-1][...] += weight[..., np.newaxis] * image


def add_weighted_detail(total: Plane, image: NDArray[Any], coarse: Plane, weight: Plane) -> None:
    """Add weight (image - upsampled coarse) to `total`: one weighted Laplacian level, HxWx3."""

    def work(rows: slice) -> None:
        _add_weighted(total[rows], float_rows(image, rows), coarse, rows.start, weight[rows])

    over_strips(weight.shape[0], weight.shape[1], work)


# What follows does upsample's arithmetic row by row, so that no expanded image is ever in memory. Numba turns
# loops over whole one-dimensional rows into vector instructions, loops over [y, x, channel] not.
@njit(nogil=True, cache=True, error_model="numpy")
def _add_weighted(total: Plane, fine: Plane, coarse: Plane, first: int, weight: Plane) -> None:
    """total += weight (fine - upsampled coarse) for the rows from `first`, which is even, of HxWx3 images."""
    last = coarse.shape[0] - 1
    between = np.empty(3 * coarse.shape[1] + 6, np.float32)
    expanded = np.empty(6 * coarse.shape[1], np.float32)
    threefold = np.empty(3 * weight.shape[1], np.float32)
    for y in range(weight.shape[0]):
        i = (first + y) // 2
        above, here, below = coarse[max(i - 1, 0)], coarse[i], coarse[min(i + 1, last)]
        if y % 2 == 0:
            _blend_three_rows(above.reshape(-1), here.reshape(-1), below.reshape(-1), between)
        else:
            _blend_two_rows(here.reshape(-1), below.reshape(-1), between)
        _expand_row(between, expanded)
        _repeat_three_times(weight[y], threefold)
        _add_weighted_row(total[y].reshape(-1), fine[y].reshape(-1), expanded, threefold)


@njit(nogil=True, cache=True, error_model="numpy")
def _blend_three_rows(above: Plane, here: Plane, below: Plane, between: Plane) -> None:
    for j in range(here.size):
        between[j + 3] = np.float32(0.125) * (above[j] + below[j]) + np.float32(0.75) * here[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _blend_two_rows(here: Plane, below: Plane, between: Plane) -> None:
    for j in range(here.size):
        between[j + 3] = np.float32(0.5) * (here[j] + below[j])


@njit(nogil=True, cache=True, error_model="numpy")
def _expand_row(row: Plane, expanded: Plane) -> None:
    """Twice as many RGB pixels of a row that has room for one more at either end."""
    for c in range(3):
        row[c] = row[3 + c]
        row[row.size - 3 + c] = row[row.size - 6 + c]
    for i in range(expanded.size // 6):
        j = 3 * i
        expanded[2 * j] = np.float32(0.125) * (row[j] + row[j + 6]) + np.float32(0.75) * row[j + 3]
        expanded[2 * j + 1] = np.float32(0.125) * (row[j + 1] + row[j + 7]) + np.float32(0.75) * row[j + 4]
        expanded[2 * j + 2] = np.float32(0.125) * (row[j + 2] + row[j + 8]) + np.float32(0.75) * row[j + 5]
        expanded[2 * j + 3] = np.float32(0.5) * (row[j + 3] + row[j + 6])
        expanded[2 * j + 4] = np.float32(0.5) * (row[j + 4] + row[j + 7])
        expanded[2 * j + 5] = np.float32(0.5) * (row[j + 5] + row[j + 8])


@njit(nogil=True, cache=True, error_model="numpy")
def _repeat_three_times(values: Plane, threefold: Plane) -> None:
    for x in range(values.size):
        threefold[3 * x] = values[x]
        threefold[3 * x + 1] = values[x]
        threefold[3 * x + 2] = values[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _add_weighted_row(total: Plane, fine: Plane, expanded: Plane, weight: Plane) -> None:
    for i in range(total.size):
        total[i] += weight[i] * (fine[i] - expanded[i])


def collapse(pyramid: Sequence[Plane]) -> Plane:
    """The image of a Laplacian pyramid. Its levels are overwritten: the first becomes the image."""
    for detail, coarse in zip(pyramid[-2::-1], pyramid[:0:-1], strict=True):
        _add_expanded(detail, coarse)
    return pyramid[0]


def _add_expanded(detail: Plane, coarse: Plane) -> None:
    height, width = detail.shape[:2]

    def work(rows: slice) -> None:
        detail[rows] += _expanded_rows(coarse, rows)[:, 2 : 2 + width]

    over_strips(height, width, work)
