"""Boosting Laplacian pyramid: details boosted by a local sigmoid, a base by a power, hybrid weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.boosted_detail import TAPS, DetailKernel, add_boosted_detail
from fusion_algos.color import luma_601
from fusion_algos.noticeable_difference import edge_level, noticeable_difference
from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import with_halo
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

SMALLEST_WEIGHT = np.float32(1e-12)
WELL_ENOUGH_EXPOSED = np.float32(0.001)  # share of the exposedness below which a pixel gives no detail
THREE_GAMMAS = (0.8, 1.0, 1.2)  # dark, normal, bright: the published program knows three exposures only
DETAIL_REACH = 4  # rows above and below that a detail coefficient reads
TALL = 4  # strips so many times taller than usual pay for the rows around them


@algorithm(
    title="Exposure fusion using boosting Laplacian pyramid",
    cite="Shen, Zhao, Yan, Li: Exposure fusion using boosting Laplacian pyramid. IEEE Transactions on "
    "Cybernetics 44(9), 1579-1590, 2014",
    revision=1,
)
def fuse(stack: ExposureStack, *, base_gamma: tuple[float, ...] | None = None) -> Plane:
    """Two levels: details boosted where an exposure is salient, and base layers to the power `base_gamma`.

    `base_gamma` has one exponent per exposure from dark to bright; None means .8, 1, 1.2 for three exposures
    and 1 for any other number. This is the behaviour of the program that the authors released, which made the
    published scores, not that of the paper: its global weight is 1 everywhere, and it gives the exponents
    to three exposures in the order of their file names.
    """
    gammas = _checked_gammas(base_gamma, len(stack))
    edge_levels = [edge_level(stack, k) for k in range(len(stack))]
    kernel = DetailKernel.of_size(stack.height, stack.width)
    fused = np.zeros(stack.shape, np.float32)
    base = np.zeros((-(-stack.height // 2), -(-stack.width // 2), 3), np.float32)

    def blend(rows: slice) -> None:
        near, inner = with_halo(rows, stack.height, DETAIL_REACH)
        weights = _Weights.of_rows(stack, edge_levels, near)
        for k, gamma in enumerate(gammas):
            image, weight = stack.image(k, near), weights.weight(k)
            gain = np.where(weights.well_exposed(k), _twice_smoothed(weight), np.float32(0))
            smooth, guidance = _twice_smoothed(image), weights.guidance(k)
            add_boosted_detail(image, smooth[inner], guidance, gain[inner], kernel, rows, fused)
            share = _halved(weight, near, inner, stack.shape)[..., np.newaxis]
            layer = cv2.pow(_halved(image, near, inner, stack.shape), gamma)
            base[rows.start // 2 : -(-rows.stop // 2)] += share * layer

    over_strips(stack.height, max(1, stack.width // TALL), blend)
    over_strips(stack.height, stack.width, lambda rows: _add_doubled(base, rows, fused))
    return fused


def _checked_gammas(given: tuple[float, ...] | None, count: int) -> tuple[float, ...]:
    if given is None:
        return THREE_GAMMAS if count == 3 else (1.0,) * count
    if len(given) != count or not all(0 < gamma < np.inf for gamma in given):
        raise ValueError(
            f"shen2014: base_gamma is {given!r} for {count} exposures; "
            "give one positive exponent per exposure from dark to bright, or None"
        )
    return tuple(float(gamma) for gamma in given)


@dataclass(frozen=True)
class _Weights:
    """Exposedness E and saliency J (lists of K planes) of some rows, and their sums over k."""

    exposedness: list[Plane]
    saliency: list[Plane]
    sum_of_weights: Plane
    sum_of_exposedness: Plane
    sum_of_saliency: Plane

    @classmethod
    def of_rows(cls, stack: ExposureStack, edge_levels: list[float], rows: slice) -> _Weights:
        exposedness = [_exposedness(stack, k, rows) for k in range(len(stack))]
        salient = [noticeable_difference(stack, k, level, rows) for k, level in enumerate(edge_levels)]
        sums = [np.full(salient[0].shape, len(stack) * SMALLEST_WEIGHT, np.float32) for _ in range(3)]
        for e, j in zip(exposedness, salient, strict=True):
            for total, term in zip(sums, (e * j, e, j), strict=True):
                total += term
        return cls(exposedness, salient, *sums)

    def weight(self, k: int) -> Plane:
        """E_k J_k over its sum: the share of exposure k in the result."""
        return (self.exposedness[k] * self.saliency[k] + SMALLEST_WEIGHT) / self.sum_of_weights

    def well_exposed(self, k: int) -> NDArray[np.bool_]:
        """Where exposure k is not all but black or white against the others."""
        return self.exposedness[k] + SMALLEST_WEIGHT > WELL_ENOUGH_EXPOSED * self.sum_of_exposedness

    def guidance(self, k: int) -> Plane:
        """Share of the saliency, 0 where exposure k is not well exposed: how much its details are boosted."""
        share = (self.saliency[k] + SMALLEST_WEIGHT) / self.sum_of_saliency
        return share * self.well_exposed(k)


def _exposedness(stack: ExposureStack, k: int, rows: slice) -> Plane:
    return np.clip(luma_601(stack.mapped(k, _exposedness_curve, rows)), 0, 1)


def _exposedness_curve(value: Plane) -> Plane:
    """1 - |(ln(u / (1 - u)) + 1.3) / 3.2| with u = x^2.5."""
    u = np.clip(np.power(value.astype(np.float64), 2.5), 1e-6, 1 - 1e-6)
    return (1 - np.abs((np.log(u / (1 - u)) + 1.3) / 3.2)).astype(np.float32)


def _twice_smoothed(plane: Plane) -> Plane:
    """HxW or HxWxC, smoothed twice by the pyramid's taps; DETAIL_REACH rows at a strip's ends are wrong."""
    once = cv2.sepFilter2D(plane, -1, TAPS, TAPS, borderType=cv2.BORDER_REFLECT)
    return cv2.sepFilter2D(once, -1, TAPS, TAPS, borderType=cv2.BORDER_REFLECT)


def _halved(plane: Plane, near: slice, inner: slice, shape: tuple[int, ...]) -> Plane:
    """Every second of the `inner` rows and of the columns of the smoothed rows `near`.

    Taps outside of the image do not count: the others share their weight.
    """
    smooth = cv2.sepFilter2D(plane, -1, TAPS, TAPS, borderType=cv2.BORDER_CONSTANT)[inner][::2, ::2]
    return smooth / _tap_sums(np.ones(shape[0]), np.ones(shape[1]), near, inner, smooth.ndim)[::2, ::2]


def _add_doubled(base: Plane, rows: slice, fused: Plane) -> None:
    """Add the base's expansion to the rows of the details and clip: the result."""
    height, width = fused.shape[:2]
    near, inner = with_halo(rows, height, 2)
    spread = np.zeros((near.stop - near.start, width, 3), np.float32)
    spread[::2, ::2] = base[near.start // 2 : -(-near.stop // 2)]
    smooth = cv2.sepFilter2D(spread, -1, TAPS, TAPS, borderType=cv2.BORDER_CONSTANT)[inner]
    kept_rows, kept_columns = ((np.arange(length) % 2 == 0).astype(np.float64) for length in (height, width))
    smooth /= _tap_sums(kept_rows, kept_columns, near, inner, 3)
    np.clip(fused[rows] + smooth, 0, 1, out=fused[rows])


def _tap_sums(
    rows: NDArray[np.float64], columns: NDArray[np.float64], near: slice, inner: slice, axes: int
) -> Plane:
    """Sum of the taps that meet a 1 of `rows` and of `columns`, for the `inner` ones of the rows `near`."""
    sums = [np.convolve(np.pad(line, 2), TAPS, "valid").astype(np.float32) for line in (rows, columns)]
    table = np.multiply.outer(sums[0][near][inner], sums[1])
    return table.reshape(*table.shape, *(1,) * (axes - 2))
