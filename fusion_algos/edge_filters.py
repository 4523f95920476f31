"""Edge-preserving filters: guided, gradient-domain guided, and the bilateral grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Plane = NDArray[np.float32]

GRID_PADDING = 3  # empty cells on every side of a bilateral grid, as in the published program
GRID_KERNEL = np.exp(
    -np.square([-1.0, 0.0, 1.0]) / 2
)  # exp(-d^2/2), d in cells; the 3x3x3 kernel is its product


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
        """Bilateral filtered values of an HxW float32 plane whose row 0 is `first_row` of the filtered image."""
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
