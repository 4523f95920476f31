"""Guided filtering fusion: winner masks, guided-filtered for a base and a detail layer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.color import luma_601, round_to_8_bit
from fusion_algos.edge_filters import LocalLine, guided_filter, guided_lines, scaled_radius
from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import enlarged_rows, over_tall_strips, with_halo
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

BASE_RADIUS = 15  # of the 31 x 31 mean
SALIENCY_RADIUS = 5  # of the 11 x 11 Gaussian; its sigma too
LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
SMALLEST_WEIGHT = np.float32(1e-12)
COARSE_ABOVE = 4_000_000  # pixels; above, the wide filter's smooth lines are found on a grid of COARSE_STEP
COARSE_STEP = 4


@algorithm(
    title="Image fusion with guided filtering",
    cite="Li, Kang, Hu: Image fusion with guided filtering. IEEE Transactions on Image Processing 22(7), "
    "2864-2875, 2013",
    revision=1,
)
def fuse(
    stack: ExposureStack,
    *,
    base_radius: int = 45,
    base_eps: float = 0.3,
    detail_radius: int = 7,
    detail_eps: float = 1e-6,
    radius_scale: float = 1.0,
) -> Plane:
    """Base layers (31x31 means) and details, both blended by guided-filtered masks of the most salient one.

    Radii (pixels) and eps belong to the guided filters of the masks of the two layers; `radius_scale`
    multiplies all radii, also those of the mean and the saliency.
    """
    layer_radius, base_radius, detail_radius, saliency_radius = (
        scaled_radius(r, radius_scale) for r in (BASE_RADIUS, base_radius, detail_radius, SALIENCY_RADIUS)
    )
    winner = _most_salient(stack, saliency_radius)
    lines = [_base_lines(stack, k, winner, base_radius, base_eps) for k in range(len(stack))]
    fused = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        outer, inner = with_halo(rows, stack.height, max(2 * detail_radius, layer_radius))
        base_sum, detail_sum = _WeightedSum.zeros(fused[rows].shape), _WeightedSum.zeros(fused[rows].shape)
        for k in range(len(stack)):
            image, guide = stack.image(k, outer), _rounded_luma(stack, k, outer)
            base = cv2.blur(image, _window(layer_radius), borderType=cv2.BORDER_REPLICATE)[inner]
            base_sum.add(base, _rows_of(lines[k], rows, stack.shape[:2]).at(guide[inner]))
            mask = (winner[outer] == k).astype(np.float32)
            detail_weight = guided_filter(guide, mask, detail_radius, detail_eps)
            detail_sum.add(image[inner] - base, detail_weight[inner])
        np.clip(base_sum.mean() + detail_sum.mean(), 0, 1, out=fused[rows])

    over_tall_strips(stack.height, stack.width, work)
    return fused


@dataclass(frozen=True)
class _WeightedSum:
    """Running weighted mean of HxWx3 layers, the weights clipped to [0, 1]."""

    layers: Plane
    weights: Plane

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> _WeightedSum:
        return cls(np.zeros(shape, np.float32), np.zeros(shape[:2], np.float32))

    def add(self, layer: Plane, weight: Plane) -> None:
        weight = np.clip(weight, 0, 1) + SMALLEST_WEIGHT
        np.add(self.weights, weight, out=self.weights)
        cv2.accumulateProduct(layer, cv2.merge((weight, weight, weight)), self.layers)

    def mean(self) -> Plane:
        return self.layers / self.weights[..., np.newaxis]


def _rounded_luma(stack: ExposureStack, k: int, rows: slice) -> Plane:
    """Luma rounded to 8 bit, in [0, 1]: the published scores need the rounding."""
    return np.divide(round_to_8_bit(luma_601(stack.image(k, rows))), np.float32(255), dtype=np.float32)


def _window(radius: int) -> tuple[int, int]:
    return 2 * radius + 1, 2 * radius + 1


def _most_salient(stack: ExposureStack, radius: int) -> NDArray[np.uint8]:
    """Index of the exposure with the greatest smoothed |Laplacian| at every pixel; the first of equals."""
    winner = np.zeros(stack.shape[:2], np.uint8)

    def work(rows: slice) -> None:
        outer, inner = with_halo(rows, stack.height, radius + 1)
        greatest = _saliency(_rounded_luma(stack, 0, outer), radius)[inner]
        for k in range(1, len(stack)):
            saliency = _saliency(_rounded_luma(stack, k, outer), radius)[inner]
            winner[rows][saliency > greatest] = k
            np.maximum(greatest, saliency, out=greatest)

    over_tall_strips(stack.height, stack.width, work)
    return winner


def _saliency(luma: Plane, radius: int) -> Plane:
    contrast = np.abs(cv2.filter2D(luma, -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE))
    return cv2.GaussianBlur(contrast, _window(radius), radius, borderType=cv2.BORDER_REPLICATE)


def _base_lines(
    stack: ExposureStack, k: int, winner: NDArray[np.uint8], radius: int, eps: float
) -> LocalLine:
    """Lines of the guided filter of exposure k's mask, on a coarse grid for large images."""
    height, width = winner.shape
    step = COARSE_STEP if height * width > COARSE_ABOVE else 1
    size = (-(-width // step), -(-height // step))
    guide = np.empty(winner.shape, np.float32)

    def work(rows: slice) -> None:
        guide[rows] = _rounded_luma(stack, k, rows)

    over_strips(height, width, work)
    mask = (winner == k).astype(np.float32)
    guide, mask = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (guide, mask))
    return guided_lines(guide, mask, max(1, round(radius / step)), eps)


def _rows_of(lines: LocalLine, rows: slice, size: tuple[int, int]) -> LocalLine:
    if lines.slope.shape == size:
        return LocalLine(lines.slope[rows], lines.offset[rows])
    return LocalLine(enlarged_rows(lines.slope, rows, size), enlarged_rows(lines.offset, rows, size))
