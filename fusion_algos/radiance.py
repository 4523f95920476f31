"""Merging the exposures of a stack to one linear radiance image.

Radiance is float32 HxWx3, linear Rec.709, in units of the darkest exposure: 1 is its white, and an exposure
of relative seconds t sees radiance * t. Exposures are read strip by strip; memory holds the result only.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

# Of linear planes: full trust below the first share of white, none above the second.
UNSATURATED, SATURATED = np.float32(0.90), np.float32(0.98)
SMALLEST_WEIGHT = np.float32(1e-6)


def merge(stack: ExposureStack) -> Plane:
    """Radiance from the linear planes if the stack has them, else from the images taken as plain sRGB."""
    return merge_encoded(stack) if stack.linear_images is None else merge_linear(stack)


def merge_linear(stack: ExposureStack) -> Plane:
    """Radiance from linear planes: all light of the unsaturated exposures over all their time.

    sum w_k x_k / sum w_k t_k is the best estimate under photon noise; w_k falls from 1 to 0 while the largest
    channel rises from .90 to .98 of white. Saturated everywhere: the darkest exposure.
    Raises ValueError if the stack has no linear planes.
    """
    if stack.linear_images is None:
        raise ValueError("merge_linear: the stack has no linear_images; use merge_encoded for sRGB images")

    def merge_rows(rows: slice) -> Plane:
        light = stack.linear_image(0, rows) * SMALLEST_WEIGHT
        time = np.full(light.shape[:2], SMALLEST_WEIGHT)
        for k, seconds in enumerate(stack.relative_seconds):
            linear = stack.linear_image(k, rows)
            weight = np.clip((SATURATED - _largest_channel(linear)) / (SATURATED - UNSATURATED), 0, 1)
            _add_product(linear, weight, light)
            time += weight * np.float32(seconds)
        return light / time[..., np.newaxis]

    return _by_strips(stack, merge_rows)


def merge_encoded(stack: ExposureStack) -> Plane:
    """Radiance from the images, decoded as sRGB: sum w_k lin(x_k) / t_k / sum w_k.

    w is the hat 1 - |2x - 1|, least over the channels against color fringes; the darkest exposure counts
    fully above .5 and the brightest below .5, so that clipped areas take their values from the end that sees
    them.
    """

    def merge_rows(rows: slice) -> Plane:
        shape = stack.images[0][rows].shape
        light, weights = np.zeros(shape, np.float32), np.zeros(shape[:2], np.float32)
        for k, seconds in enumerate(stack.relative_seconds):
            weight = _least_channel(stack.mapped(k, _hat_of(k, len(stack)), rows))
            weight += SMALLEST_WEIGHT
            weights += weight
            _add_product(stack.decoded_image(k, rows), weight / np.float32(seconds), light)
        return light / weights[..., np.newaxis]

    return _by_strips(stack, merge_rows)


def _by_strips(stack: ExposureStack, merge_rows: Callable[[slice], Plane]) -> Plane:
    radiance = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        radiance[rows] = merge_rows(rows)

    over_strips(stack.height, stack.width, work)
    return radiance


def _hat_of(k: int, count: int) -> Callable[[Plane], Plane]:
    def hat(values: Plane) -> Plane:
        weight = 1 - np.abs(2 * values - 1)
        if k == 0:
            weight[values > 0.5] = 1
        if k == count - 1:
            weight[values < 0.5] = 1
        return weight

    return hat


def _add_product(image: Plane, weight: Plane, total: Plane) -> None:
    cv2.accumulateProduct(image, cv2.merge((weight, weight, weight)), total)


def _largest_channel(image: Plane) -> Plane:
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def _least_channel(image: Plane) -> Plane:
    return np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
