"""Exposure fusion: per-pixel quality weights blended in a Laplacian pyramid."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.fast_exp import exp_below_0
from fusion_algos.pyramids import add_blended, collapse, empty_pyramid, float_rows, level_count
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

# Every exposure gets this much, so that one is left where none has any quality.
SMALLEST_WEIGHT = np.float32(1e-12)
# A smaller contrast is float32's rounding noise, which would drown SMALLEST_WEIGHT where all is flat.
ROUNDING_NOISE = np.float32(1e-6)


@algorithm(
    title="Exposure fusion",
    cite="Mertens, Kautz, Van Reeth: Exposure fusion: a simple and practical alternative to high dynamic "
    "range photography. Computer Graphics Forum 28(1), 161-171, 2009",
    revision=1,
)
def fuse(stack: ExposureStack) -> Plane:
    """Blend by contrast x saturation x well-exposedness, level by level of a Laplacian pyramid.

    Beyond the stack, memory holds one blended pyramid, two weight planes and one exposure's coarser levels,
    however many exposures there are.
    """
    sum_of_weights = _sum_of_weights(stack)
    weight = np.empty_like(sum_of_weights)
    blended = empty_pyramid(stack.shape, level_count(stack.height, stack.width))
    for image in stack.images:
        _write_weight(image, sum_of_weights, weight)
        add_blended(blended, image, weight)
    return _in_unit_range(collapse(blended), _white(stack.images[0]))


def _sum_of_weights(stack: ExposureStack) -> Plane:
    total = np.zeros((stack.height, stack.width), np.float32)

    def work(rows: slice) -> None:
        for image in stack.images:
            total[rows] += quality_rows(image, rows) + SMALLEST_WEIGHT

    over_strips(stack.height, stack.width, work)
    return total


def _write_weight(image: NDArray[Any], sum_of_weights: Plane, weight: Plane) -> None:
    def work(rows: slice) -> None:
        np.add(quality_rows(image, rows), SMALLEST_WEIGHT, out=weight[rows])
        weight[rows] /= sum_of_weights[rows]

    over_strips(weight.shape[0], weight.shape[1], work)


def _in_unit_range(image: Plane, white: np.float32) -> Plane:
    def work(rows: slice) -> None:
        image[rows] /= white
        np.clip(image[rows], 0, 1, out=image[rows])

    over_strips(image.shape[0], image.shape[1], work)
    return image


def _white(image: NDArray[Any]) -> np.float32:
    """The value that stands for 1."""
    return np.float32(255 if image.dtype == np.uint8 else 1)


def quality(image: NDArray[Any]) -> Plane:
    """Contrast x saturation x well-exposedness, HxW, of an HxWx3 RGB image: uint8, or float32 in [0, 1].

    Not normalised: Mertens' weights are this plus SMALLEST_WEIGHT over its sum over the exposures.
    """
    height, width = image.shape[:2]
    plane = np.empty((height, width), np.float32)

    def work(rows: slice) -> None:
        plane[rows] = quality_rows(image, rows)

    over_strips(height, width, work)
    return plane


def quality_rows(image: NDArray[Any], rows: slice) -> Plane:
    """The quality of some rows of the image."""
    first, last = max(rows.start - 1, 0), min(rows.stop + 1, image.shape[0])
    plane = np.empty((rows.stop - rows.start, image.shape[1]), np.float32)
    _quality(float_rows(image, slice(first, last)), _white(image), rows.start - first, plane)
    return plane


@njit(nogil=True, cache=True, error_model="numpy")
def _quality(image: Plane, white: np.float32, first: int, quality: Plane) -> None:
    """Quality of the rows from `first` of an HxWx3 image; the luma repeats its edge around the image."""
    height, width = image.shape[:2]
    channels = np.empty((3, 3, width), np.float32)  # of the rows above, here and below in turn
    luma = np.empty((3, width + 2), np.float32)
    for y in range(first - 1, first + quality.shape[0] + 1):
        row = image[min(max(y, 0), height - 1)].reshape(-1)
        _split_channels(row, white, channels[y % 3])
        _padded_luma(channels[y % 3], luma[y % 3])
        if y > first:
            above, here, below = luma[(y - 2) % 3], luma[(y - 1) % 3], luma[y % 3]
            _quality_row(channels[(y - 1) % 3], above, here, below, quality[y - 1 - first])


@njit(nogil=True, cache=True, error_model="numpy")
def _split_channels(row: Plane, white: np.float32, channels: Plane) -> None:
    for x in range(channels.shape[1]):
        channels[0, x] = row[3 * x] / white
        channels[1, x] = row[3 * x + 1] / white
        channels[2, x] = row[3 * x + 2] / white


@njit(nogil=True, cache=True, error_model="numpy")
def _padded_luma(channels: Plane, luma: Plane) -> None:
    width = channels.shape[1]
    for x in range(width):
        red, green, blue = channels[0, x], channels[1, x], channels[2, x]
        luma[x + 1] = np.float32(0.2989) * red + np.float32(0.5870) * green + np.float32(0.1140) * blue
    luma[0] = luma[1]
    luma[width + 1] = luma[width]


@njit(nogil=True, cache=True, error_model="numpy")
def _quality_row(channels: Plane, above: Plane, here: Plane, below: Plane, quality: Plane) -> None:
    """|Laplacian of Y| x std(R, G, B) x exp(-sum (v - .5)^2 / (2 .2^2)) along a row."""
    half = np.float32(0.5)
    for x in range(quality.size):
        red, green, blue = channels[0, x], channels[1, x], channels[2, x]
        neighbours = (above[x + 1] + below[x + 1]) + (here[x] + here[x + 2])
        contrast = abs(neighbours - np.float32(4) * here[x + 1])
        contrast = contrast if contrast > ROUNDING_NOISE else np.float32(0)
        # Variance of three values = their squared differences' sum / 9, which is exactly 0 for a grey pixel.
        differences = (red - green) ** 2 + (green - blue) ** 2 + (blue - red) ** 2
        distance = (red - half) ** 2 + (green - half) ** 2 + (blue - half) ** 2
        exposedness = exp_below_0(distance * np.float32(-1 / (2 * 0.2**2)))
        quality[x] = contrast * np.sqrt(differences) * np.float32(1 / 3) * exposedness
