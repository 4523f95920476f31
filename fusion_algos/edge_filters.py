"""Edge-preserving filters: guided, gradient-domain guided, and the bilateral grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from fusion_algos.gradient_guided_rows import edge_measures, filtered_rows
from fusion_algos.row_windows import over_tall_strips

Plane = NDArray[np.float32]

GRID_PADDING = 3  # empty cells on every side of a bilateral grid, as in the published program
GRID_KERNEL = np.exp(
    -np.square([-1.0, 0.0, 1.0]) / 2
)  # exp(-d^2/2), d in cells; the 3x3x3 kernel is its product


def scaled_radius(radius: int, scale: float) -> int:
    """A published radius in pixels for images `scale` times larger than the published ones: at least 1."""
    return max(1, round(radius * scale))


def box_mean(plane: Plane, radius: int) -> Plane:
    """Mean of an HxW float32 plane over (2 radius + 1)^2 windows, of what lies inside the image."""
    size = (2 * radius + 1, 2 * radius + 1)
    total = cv2.boxFilter(plane, cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    total *= (1 / _inside_count(plane.shape[0], radius))[:, np.newaxis]
    total *= 1 / _inside_count(plane.shape[1], radius)
    return total


def _inside_count(length: int, radius: int) -> NDArray[np.float32]:
    """How many of the 2 radius + 1 positions around each of `length` positions lie inside."""
    position = np.arange(length)
    return (np.minimum(position + radius, length - 1) - np.maximum(position - radius, 0) + 1).astype(
        np.float32
    )


@dataclass(frozen=True)
class LocalLine:
    """The averaged lines of a guided filter: filtered = slope * guide + offset at every pixel."""

    slope: Plane
    offset: Plane

    def at(self, guide: Plane) -> Plane:
        """Filtered values, HxW, for the guide's values."""
        filtered = self.slope * guide
        filtered += self.offset
        return filtered


def guided_lines(guide: Plane, source: Plane, radius: int, eps: float) -> LocalLine:
    """Lines a I + b that fit `source` to `guide` (both HxW float32) in every window, averaged.

    He, Sun, Tang, "Guided image filtering", IEEE TPAMI 35(6), 2013: a = cov(I, p) / (var I + eps).
    """
    center = np.float32(guide.mean(dtype=np.float64))  # small numbers, so that float32 moments lose little
    guide = guide - center
    lines = lines_of_moments(guide, source, guide * source, np.square(guide), radius, eps)
    lines.offset[...] -= lines.slope * center
    return lines


def lines_of_moments(
    guide: Plane, source: Plane, product: Plane, square: Plane, radius: int, eps: float
) -> LocalLine:
    """The guided filter's lines from I, p, I p and I I: HxW float32 of pixels, or means over cells of a grid.

    With cells the windows still hold all pixels' moments: only their outlines and the lines are coarser.
    """
    mean_guide, mean_source = box_mean(guide, radius), box_mean(source, radius)
    slope = box_mean(product, radius)
    slope -= mean_guide * mean_source
    variance = box_mean(square, radius)
    variance -= np.square(mean_guide)
    np.maximum(variance, 0, out=variance)
    variance += np.float32(eps)
    slope /= variance
    mean_source -= slope * mean_guide
    return LocalLine(box_mean(slope, radius), box_mean(mean_source, radius))


def guided_filter(guide: Plane, source: Plane, radius: int, eps: float) -> Plane:
    """`source` smoothed but for the edges of `guide`: HxW float32, He et al. 2013 as in `guided_lines`."""
    return guided_lines(guide, source, radius, eps).at(guide)


def gradient_guided_filter(guide: Plane, source: Plane, radius: int, eps: float) -> Plane:
    """Guided filter whose smoothing is weaker near edges of the guide: HxW float32.

    Kou, Chen, Wen, Li, "Gradient domain guided image filtering", IEEE TIP 24(11), 2015: with the
    regularisation lambda = eps / Gamma and the edge awareness gamma,
    a = (cov(I, p) + lambda gamma) / (var I + lambda); chi = sd_3x3 sd_r of the guide,
    Gamma = (chi + delta) mean(1 / (chi + delta)), gamma a sigmoid of chi.
    """
    center = np.float32(guide.mean(dtype=np.float64))
    chi, filtered = np.empty_like(guide), np.empty_like(guide)
    sums = np.empty(
        (len(guide), 3)
    )  # one of each per row: the result cannot depend on the order of the strips

    def measure(rows: slice) -> None:
        edge_measures(guide, center, radius, rows.start, rows.stop, chi, sums)

    over_tall_strips(guide.shape[0], guide.shape[1], measure)
    mean_chi, mean_inverse = sums[:, :2].sum(axis=0) / guide.size
    steepness = 4 / (mean_chi - sums[:, 2].min() + 1e-12)
    terms = np.array([eps / mean_inverse, mean_chi, steepness], np.float32)

    def work(rows: slice) -> None:
        filtered_rows(guide, source, center, radius, chi, terms, rows.start, rows.stop, filtered)

    over_tall_strips(guide.shape[0], guide.shape[1], work)
    return filtered


@dataclass(frozen=True)
class BilateralGrid:
    """A smoothed bilateral grid, to be read at pixels of the plane that it was made of.

    Paris and Durand, "A fast approximation of the bilateral filter using a signal processing approach", 2009.
    """

    cells: NDArray[np.float64]  # rows x columns x range
    spatial_step: float
    range_step: float
    lowest: float

    def read(self, plane: Plane, first_row: int = 0) -> Plane:
        """Filtered values of an HxW float32 plane, which is row `first_row` and on of the grid's image."""
        filtered = np.empty_like(plane)
        _read(plane, first_row, self.spatial_step, self.range_step, self.lowest, self.cells, filtered)
        return filtered


def bilateral_grid(
    strips: Iterable[tuple[int, Plane]],
    size: tuple[int, int],
    *,
    spatial_step: float,
    range_step: float,
    value_range: tuple[float, float],
) -> BilateralGrid:
    """The grid of an image of `size` (height, width) given as (first row, float32 rows) strips.

    Steps of the grid are pixels and units of the values, which lie in `value_range`.
    """
    lowest, highest = value_range
    extents = ((size[0] - 1) / spatial_step, (size[1] - 1) / spatial_step, (highest - lowest) / range_step)
    shape = [int(extent + 0.5) + 1 + 2 * GRID_PADDING for extent in extents]
    sums, counts = np.zeros(shape), np.zeros(shape)
    for first_row, plane in strips:
        _accumulate(plane, first_row, spatial_step, range_step, lowest, sums, counts)
    for axis in range(3):
        sums = correlate1d(sums, GRID_KERNEL, axis, mode="constant")
        counts = correlate1d(counts, GRID_KERNEL, axis, mode="constant")
    cells = np.divide(sums, counts, out=np.zeros(shape), where=counts > 0)
    return BilateralGrid(cells, spatial_step, range_step, lowest)


@numba.njit(nogil=True, cache=True)
def _accumulate(plane, first_row, spatial_step, range_step, lowest, sums, counts):  # type: ignore[no-untyped-def]
    """Add every pixel to the nearest cell."""
    for i in range(plane.shape[0]):
        row = int((first_row + i) / spatial_step + 0.5) + GRID_PADDING
        for j in range(plane.shape[1]):
            column = int(j / spatial_step + 0.5) + GRID_PADDING
            level = int((plane[i, j] - lowest) / range_step + 0.5) + GRID_PADDING
            sums[row, column, level] += plane[i, j]
            counts[row, column, level] += 1


@numba.njit(nogil=True, cache=True)
def _read(plane, first_row, spatial_step, range_step, lowest, cells, filtered):  # type: ignore[no-untyped-def]
    """Trilinear interpolation of the cells at the unrounded position of every pixel."""
    for i in range(plane.shape[0]):
        y = (first_row + i) / spatial_step + GRID_PADDING
        y0 = int(y)
        fy = y - y0
        for j in range(plane.shape[1]):
            x = j / spatial_step + GRID_PADDING
            x0 = int(x)
            fx = x - x0
            z = (plane[i, j] - lowest) / range_step + GRID_PADDING
            z0 = int(z)
            fz = z - z0
            value = 0.0
            for dy in range(2):
                wy = fy if dy else 1 - fy
                for dx in range(2):
                    w = wy * (fx if dx else 1 - fx)
                    near, far = cells[y0 + dy, x0 + dx, z0], cells[y0 + dy, x0 + dx, z0 + 1]
                    value += w * (near + fz * (far - near))
            filtered[i, j] = value
