"""Bilateral filter based compositing: weights by the deviation from a very wide bilateral filter."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.color import luminance_709
from fusion_algos.edge_filters import BilateralGrid, bilateral_grid
from fusion_algos.row_strips import over_strips, row_strips
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]


@algorithm(
    title="Bilateral filter based compositing",
    cite="S. Raman, S. Chaudhuri. Bilateral filter based compositing for variable exposure photography. "
    "Eurographics 2009 Short Papers, 1-4.",
    revision=1,
)
def fuse(stack: ExposureStack, *, range_share: float = 0.1, offset: float = 70 / 255) -> Plane:
    """Weighted mean with w_k = offset + |L_k - bilateral(L_k)|, L the Rec.709 luma of the encoded values.

    The filter's range step is `range_share` of the stack's range, its spatial step the shorter side: the
    published numbers come from this coarse grid, not from an exact bilateral filter.
    """
    value_range = _value_range(stack)
    grids = [_grid(stack, k, range_share, value_range) for k in range(len(stack))]
    fused = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        numerator = np.zeros_like(fused[rows])
        denominator = np.zeros(numerator.shape[:2], np.float32)
        for k, grid in enumerate(grids):
            image = stack.image(k, rows)
            luma = luminance_709(image)
            weight = np.abs(luma - grid.read(luma, rows.start)) + np.float32(offset)
            denominator += weight
            cv2.accumulateProduct(image, cv2.merge((weight, weight, weight)), numerator)
        np.clip(numerator / denominator[..., np.newaxis], 0, 1, out=fused[rows])

    over_strips(stack.height, stack.width, work)
    return fused


def _value_range(stack: ExposureStack) -> tuple[float, float]:
    """Least and greatest value of all channels of all exposures, in [0, 1]."""
    scale = 255 if stack.is_8_bit else 1
    return float(min(x.min() for x in stack.images)) / scale, float(
        max(x.max() for x in stack.images)
    ) / scale


def _grid(
    stack: ExposureStack, k: int, range_share: float, value_range: tuple[float, float]
) -> BilateralGrid:
    lowest, highest = value_range

    def strips() -> Iterator[tuple[int, Plane]]:
        for rows in row_strips(stack.height, stack.width):
            yield rows.start, luminance_709(stack.image(k, rows))

    return bilateral_grid(
        strips(),
        stack.shape[:2],
        spatial_step=min(stack.shape[:2]),
        range_step=max(range_share * (highest - lowest), 1e-6),
        value_range=value_range,
    )
