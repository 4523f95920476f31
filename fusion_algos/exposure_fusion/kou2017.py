"""Multi-scale exposure fusion with edge-aware smoothing of the weights at every pyramid level."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.color import LUMA_601, luma_601
from fusion_algos.edge_filters import gradient_guided_filter
from fusion_algos.exposure_fusion.mertens2009 import SMALLEST_WEIGHT, quality_rows
from fusion_algos.pyramids import add_weighted_detail, collapse, downsample, empty_pyramid, level_count
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

LEVELS_SPARED = 2  # the coarsest level keeps at least about 4 pixels
SMALLEST_SUM = np.float32(1e-9)  # filtered weights may be slightly negative; no division by less than this


@algorithm(
    title="Multi-scale exposure fusion via gradient domain guided image filtering",
    cite="Kou, Li, Wen, Chen: Multi-scale exposure fusion via gradient domain guided image filtering. "
    "IEEE International Conference on Multimedia and Expo, 1105-1110, 2017",
    revision=1,
)
def fuse(stack: ExposureStack, *, radius: int = 4, eps: float = 1 / 1024) -> Plane:
    """Mertens weights times the squared mean luma, smoothed by gradient domain guided filters at every level.

    `radius` (pixels of the level) and `eps` belong to the filters, whose guide is the luma.
    """
    weights = _Weights(stack)
    levels = level_count(stack.height, stack.width, spared=LEVELS_SPARED)
    blended = empty_pyramid(stack.shape, levels)
    sums = empty_pyramid(stack.shape[:2], levels)
    for k, image in enumerate(stack.images):
        guide, weight = _luma(stack, k), weights.normalised(k)
        _add_blended(blended, sums, image, guide, weight, radius, eps)
    _divide(blended, sums, np.float32(255 if stack.is_8_bit else 1))
    fused = collapse(blended)
    return np.clip(fused, 0, 1, out=fused)


def _add_blended(
    blended: list[Plane],
    sums: list[Plane],
    image: NDArray[Any],
    guide: Plane,
    weight: Plane,
    radius: int,
    eps: float,
) -> None:
    """Add one exposure's Laplacian levels times its filtered weights, and these weights, level by level."""
    for level, (total, weight_sum) in enumerate(zip(blended, sums, strict=True)):
        filtered = gradient_guided_filter(guide, weight, radius, eps)
        filtered += SMALLEST_WEIGHT
        weight_sum += filtered
        if level == len(blended) - 1:
            total += filtered[..., np.newaxis] * image
        else:
            coarse = downsample(image)
            add_weighted_detail(total, image, coarse, filtered)
            image, guide, weight = coarse, downsample(guide), downsample(weight)


def _divide(blended: list[Plane], sums: list[Plane], unit: np.float32) -> None:
    for total, weight_sum in zip(blended, sums, strict=True):

        def work(rows: slice, total: Plane = total, weight_sum: Plane = weight_sum) -> None:
            divisor = weight_sum[rows] * unit
            divisor[np.abs(divisor) < SMALLEST_SUM] = SMALLEST_SUM
            total[rows] /= divisor[..., np.newaxis]

        over_strips(weight_sum.shape[0], weight_sum.shape[1], work)


def _luma(stack: ExposureStack, k: int) -> Plane:
    plane = np.empty(stack.shape[:2], np.float32)

    def work(rows: slice) -> None:
        plane[rows] = luma_601(stack.image(k, rows))

    over_strips(stack.height, stack.width, work)
    return plane


class _Weights:
    """Mertens weights w_k / sum w, times m_k^2 (m_k the mean luma of exposure k), normalised again."""

    def __init__(self, stack: ExposureStack) -> None:
        unit = 255 if stack.is_8_bit else 1
        means = [np.dot(LUMA_601, cv2.mean(image)[:3]) / unit for image in stack.images]
        self._images = stack.images
        self._emphasis = [np.float32(mean * mean) for mean in means]
        self._sum = np.zeros(stack.shape[:2], np.float32)
        self._emphasised_sum = np.zeros(stack.shape[:2], np.float32)
        over_strips(stack.height, stack.width, self._add_rows)

    def _add_rows(self, rows: slice) -> None:
        for image, emphasis in zip(self._images, self._emphasis, strict=True):
            weight = quality_rows(image, rows) + SMALLEST_WEIGHT
            self._sum[rows] += weight
            self._emphasised_sum[rows] += weight * emphasis
        self._emphasised_sum[rows] /= self._sum[rows]
        self._emphasised_sum[rows] += len(self._images) * SMALLEST_WEIGHT

    def normalised(self, k: int) -> Plane:
        """Weights of exposure k, HxW, that sum to 1 over all k."""
        plane = np.empty_like(self._sum)

        def work(rows: slice) -> None:
            weight = quality_rows(self._images[k], rows) + SMALLEST_WEIGHT
            weight *= self._emphasis[k]
            weight /= self._sum[rows]
            np.divide(weight + SMALLEST_WEIGHT, self._emphasised_sum[rows], out=plane[rows])

        over_strips(plane.shape[0], plane.shape[1], work)
        return plane
