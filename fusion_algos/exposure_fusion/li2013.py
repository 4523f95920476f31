"""Guided filtering fusion: winner masks, guided-filtered for a base and a detail layer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.cells import Cells
from fusion_algos.color import luma_601, round_to_8_bit
from fusion_algos.edge_filters import LocalLine, guided_filter, guided_lines, lines_of_moments, scaled_radius
from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import enlarged_rows, over_tall_strips, with_halo
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

BASE_RADIUS = 15  # of the 31 x 31 mean
SALIENCY_RADIUS = 5  # of the 11 x 11 Gaussian; its sigma too
LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
SMALLEST_WEIGHT = np.float32(1e-12)
GUIDE_CENTER = np.float32(0.5)  # moments of small numbers lose little in float32
GRID_FROM = 2.0  # radius scale from which all windows are found on a grid of cells
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
    multiplies all radii, also those of the mean and the saliency. From a scale of 2 on, windows are found on a
    grid of cells of as many pixels, from the exact moments of each cell. Against exact windows that changes
    0.1 to 0.8 of 255 levels on average and 3 levels or less in 99 % of the values (published sequences at
    scales from 2 to 4, a simulated bracket of 12 MP and a photographed one of 24 MP; the most found: 27).
    """

    def windows(scale: float) -> _Windows:
        return _Windows(
            saliency=scaled_radius(SALIENCY_RADIUS, scale),
            layer=scaled_radius(BASE_RADIUS, scale),
            base=scaled_radius(base_radius, scale),
            detail=scaled_radius(detail_radius, scale),
            base_eps=base_eps,
            detail_eps=detail_eps,
        )

    if radius_scale < GRID_FROM:
        return _fused(stack, windows(radius_scale))
    step = min(int(radius_scale), stack.height, stack.width)
    cells = Cells(step, stack.height, stack.width)
    return _fused_on_grid(stack, windows(radius_scale / step), cells)


@dataclass(frozen=True)
class _Windows:
    """Radii, in pixels or cells, and the regularisation of the two guided filters."""

    saliency: int
    layer: int
    base: int
    detail: int
    base_eps: float
    detail_eps: float


def _fused(stack: ExposureStack, windows: _Windows) -> Plane:
    winner = _most_salient(stack, windows.saliency)
    lines = [_base_lines(stack, k, winner, windows.base, windows.base_eps) for k in range(len(stack))]
    fused = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        outer, inner = with_halo(rows, stack.height, max(2 * windows.detail, windows.layer))
        base_sum, detail_sum = _WeightedSum.zeros(fused[rows].shape), _WeightedSum.zeros(fused[rows].shape)
        for k in range(len(stack)):
            image, guide = stack.image(k, outer), _rounded_luma(stack, k, outer)
            base = cv2.blur(image, _window(windows.layer), borderType=cv2.BORDER_REPLICATE)[inner]
            base_sum.add(base, _rows_of(lines[k], rows, stack.shape[:2]).at(guide[inner]))
            mask = (winner[outer] == k).astype(np.float32)
            detail_weight = guided_filter(guide, mask, windows.detail, windows.detail_eps)
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
    return _smoothed(_contrast(luma), radius)


def _contrast(luma: Plane) -> Plane:
    return np.abs(cv2.filter2D(luma, -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE))


def _smoothed(contrast: Plane, radius: int) -> Plane:
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


def _fused_on_grid(stack: ExposureStack, windows: _Windows, cells: Cells) -> Plane:
    saliency, layers = _coarse_layers(stack, windows, cells)
    lines = _coarse_lines(stack, windows, cells, saliency)
    fused = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        base_sum, detail_sum = _WeightedSum.zeros(fused[rows].shape), _WeightedSum.zeros(fused[rows].shape)
        for k, (base_lines, detail_lines) in enumerate(lines):
            image, guide = stack.image(k, rows), _rounded_luma(stack, k, rows)
            base = cells.enlarged(layers[k], rows)
            base_sum.add(base, _enlarged(base_lines, cells, rows).at(guide))
            image -= base
            detail_sum.add(image, _enlarged(detail_lines, cells, rows).at(guide))
        np.clip(base_sum.mean() + detail_sum.mean(), 0, 1, out=fused[rows])

    over_strips(stack.height, stack.width, work)
    return fused


def _enlarged(lines: LocalLine, cells: Cells, rows: slice) -> LocalLine:
    return LocalLine(cells.enlarged(lines.slope, rows), cells.enlarged(lines.offset, rows))


def _coarse_layers(stack: ExposureStack, windows: _Windows, cells: Cells) -> tuple[list[Plane], list[Plane]]:
    """Saliency (h x w) and base layer (h x w x 3) of every exposure on the grid."""
    saliency = [np.empty(cells.shape, np.float32) for _ in range(len(stack))]
    layers = [np.empty((*cells.shape, 3), np.float32) for _ in range(len(stack))]

    def work(rows: slice) -> None:
        pixel_rows = cells.pixel_rows(rows)
        outer, inner = with_halo(pixel_rows, stack.height, 1)
        for k in range(len(stack)):
            saliency[k][rows] = cells.means(_contrast(_rounded_luma(stack, k, outer))[inner])
            layers[k][rows] = cells.means(stack.image(k, pixel_rows))

    cells.over_strips(work)
    replicate = cv2.BORDER_REPLICATE
    return (
        [_smoothed(contrast, windows.saliency) for contrast in saliency],
        [cv2.blur(layer, _window(windows.layer), borderType=replicate) for layer in layers],
    )


def _coarse_lines(
    stack: ExposureStack, windows: _Windows, cells: Cells, saliency: list[Plane]
) -> list[tuple[LocalLine, LocalLine]]:
    """Lines of both guided filters of every exposure's mask on the grid, from means over its cells.

    The mask is 1 at the pixels where this exposure's interpolated saliency is the greatest.
    """
    moments = np.empty((len(stack), 4, *cells.shape), np.float32)  # means of I, p, I p, I I

    def work(rows: slice) -> None:
        pixel_rows = cells.pixel_rows(rows)
        winner = np.argmax([cells.enlarged(plane, pixel_rows) for plane in saliency], axis=0)
        for k in range(len(stack)):
            guide = _rounded_luma(stack, k, pixel_rows) - GUIDE_CENTER
            mask = (winner == k).astype(np.float32)
            planes = (guide, mask, guide * mask, np.square(guide))
            moments[k, :, rows] = [cells.means(plane) for plane in planes]

    cells.over_strips(work)
    filters = ((windows.base, windows.base_eps), (windows.detail, windows.detail_eps))
    base, detail = ([_lines(planes, *parameters) for planes in moments] for parameters in filters)
    return list(zip(base, detail, strict=True))


def _lines(moments: Plane, radius: int, eps: float) -> LocalLine:
    guide, mask, product, square = moments
    lines = lines_of_moments(guide, mask, product, square, radius, eps)
    lines.offset[...] -= lines.slope * GUIDE_CENTER
    return lines
