"""Merging the exposures of a stack to one linear radiance image.

Radiance is float32 HxWx3, linear Rec.709, in units of the darkest exposure: 1 is its white, and an exposure
of relative seconds t sees radiance * t. Exposures are read strip by strip; memory holds the result only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.camera_response import (
    CameraResponse,
    Levels,
    image_levels,
    level_count_of,
    named_response,
    srgb_response,
)
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

# Of linear planes: full trust below the first share of white, none above the second.
UNSATURATED, SATURATED = np.float32(0.90), np.float32(0.98)
SMALLEST_WEIGHT = np.float32(1e-6)
LARGEST_ALONE = np.float32(0.01)  # weight of pixels whose least channel is black, against others'


def merge(stack: ExposureStack, response: str = "srgb") -> Plane:
    """Radiance from the linear planes if the stack has them, else from the images by one of RESPONSES."""
    if stack.linear_images is not None:
        return merge_linear(stack)
    return merge_encoded(stack, named_response(stack, response))


# Gives for exposure k and some rows how far each pixel is trusted: HxW float32, larger than 0, up to 1.
Trust = Callable[[int, slice], Plane]


def merge_linear(stack: ExposureStack, trust: Trust | None = None) -> Plane:
    """Radiance from linear planes: all light of the unsaturated exposures over all their time.

    sum w_k x_k / sum w_k t_k is the best estimate under photon noise; w_k falls from 1 to 0 while the largest
    channel rises from .90 to .98 of white, times `trust`. Saturated everywhere: the darkest exposure.
    Raises ValueError if the stack has no linear planes.
    """
    if stack.linear_images is None:
        raise ValueError("merge_linear: the stack has no linear_images; use merge_encoded for sRGB images")

    def merge_rows(rows: slice) -> Plane:
        light = stack.linear_image(0, rows) * SMALLEST_WEIGHT
        time = np.full(light.shape[:2], SMALLEST_WEIGHT)
        for k, seconds in enumerate(stack.relative_seconds):
            linear = stack.linear_image(k, rows)
            weight = unsaturated_weight(linear)
            if trust is not None:
                weight *= trust(k, rows)
            _add_product(linear, weight, light)
            time += weight * np.float32(seconds)
        return light / time[..., np.newaxis]

    return _by_strips(stack, merge_rows)


def unsaturated_weight(linear: Plane) -> Plane:
    """1 below .90 of white, 0 above .98, by the largest channel: HxWx3 -> HxW float32."""
    return np.clip((SATURATED - _largest_channel(linear)) / (SATURATED - UNSATURATED), 0, 1)


def merge_encoded(
    stack: ExposureStack, response: CameraResponse | None = None, trust: Trust | None = None
) -> Plane:
    """Radiance from the images: sum w_k light(x_k) / sum w_k t_k, light(x) by `response` or else sRGB.

    One weight per pixel, against color fringes: see `LevelWeights`; times `trust`. Debevec and Malik average
    ln E instead, but level 0 has no logarithm. The seconds weigh too (their square does in Robertson et al. 2003):
    one level of noise is much radiance in a short exposure, and many of them would gray and roughen the shadows.
    """
    tables = exposure_tables(stack, response or srgb_response())
    weights = [LevelWeights.of(stack, k) for k in range(len(stack))]

    def merge_rows(rows: slice) -> Plane:
        shape = stack.images[0][rows].shape
        light, total = np.zeros(shape, np.float32), np.zeros(shape[:2], np.float32)
        for k in range(len(stack)):
            levels = image_levels(stack, k, rows)
            weight = weights[k].of_levels(levels)
            weight *= np.float32(stack.relative_seconds[k])
            if trust is not None:
                weight *= trust(k, rows)
            _add_exposure(levels, tables[k], weight, light, total)
        light /= total[..., np.newaxis]
        return light

    return _by_strips(stack, merge_rows)


def exposure_tables(stack: ExposureStack, response: CameraResponse) -> list[Plane]:
    """For each exposure the radiance of every level in each channel, 3 x levels: light(x) / t_k."""
    table = response.table(level_count_of(stack.images[0]))
    return [table / np.float32(seconds) for seconds in stack.relative_seconds]


@dataclass(frozen=True, eq=False)
class LevelWeights:
    """How far the levels of one exposure are trusted: one float32 for each level.

    The hat 1 - |2x - 1|, squared where x > .5, because the rim of what is clipped is not true either; the
    darkest exposure counts fully above .5 and the brightest below .5, so that clipped areas take their values
    from the end that sees them.
    """

    hat: Plane

    @classmethod
    def of(cls, stack: ExposureStack, k: int) -> LevelWeights:
        values = np.linspace(0, 1, level_count_of(stack.images[k]), dtype=np.float32)
        hat = 1 - np.abs(2 * values - 1)
        hat[values > 0.5] **= 2
        if k == 0:
            hat[values > 0.5] = 1
        if k == len(stack) - 1:
            hat[values < 0.5] = 1
        return cls(hat)

    def of_levels(self, levels: Levels) -> Plane:
        """The weight of each pixel, HxW: the least of its channels', which the extreme channels have.

        A pixel of which some channel is dark whenever another one is bright is trusted for the largest.
        """
        weight = np.empty(levels.shape[:2], np.float32)
        _pixel_weights(levels, self.hat, weight)
        return weight


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pixel_weights(levels, hat, weight):  # type: ignore[no-untyped-def]
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            r, g, b = levels[y, x, 0], levels[y, x, 1], levels[y, x, 2]
            at_largest, at_least = hat[max(r, g, b)], hat[min(r, g, b)]
            weight[y, x] = min(at_largest, at_least) + LARGEST_ALONE * at_largest + SMALLEST_WEIGHT


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_exposure(levels, table, weight, light, total):  # type: ignore[no-untyped-def]
    """light += weight table[levels], HxWx3; total += weight, HxW."""
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            w = weight[y, x]
            total[y, x] += w
            for c in range(3):
                light[y, x, c] += w * table[c, levels[y, x, c]]


def _by_strips(stack: ExposureStack, merge_rows: Callable[[slice], Plane]) -> Plane:
    """An HxWx3 image of what `merge_rows` gives for each strip of rows."""
    radiance = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        radiance[rows] = merge_rows(rows)

    over_strips(stack.height, stack.width, work)
    return radiance


def _add_product(image: Plane, weight: Plane, total: Plane) -> None:
    cv2.accumulateProduct(image, cv2.merge((weight, weight, weight)), total)


def _largest_channel(image: Plane) -> Plane:
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
