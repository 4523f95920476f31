"""The part of the reference frame that all frames of a bracket cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from builder.registration.motion_model import Matrix

KERNEL_REACH = 1.0, 2.0  # pixels that a cubic kernel needs before and after the pixel it falls in


@dataclass(frozen=True)
class Crop:
    """A rectangle of the reference frame in pixels."""

    x: int
    y: int
    width: int
    height: int


def common_crop(matrices: Sequence[Matrix], width: int, height: int) -> Crop:
    """Largest rectangle whose pixels every frame has, the cubic kernel's reach included; even sides.

    `matrices` (3x3, reference pixel -> frame pixel) are those of the frames that are resampled;
    with none, the whole frame stays as it is. A homography keeps a rectangle inside if it keeps its
    corners inside, and for a corner that is linear, so log width + log height is maximised under
    linear constraints.
    """
    if not matrices:
        return Crop(0, 0, width, height)
    a, b, c = np.vstack([_inside(matrix, width, height) for matrix in matrices]).T
    # each constraint a x + b y + c >= 0 at the corner of (left, top, right, bottom) where it is tightest
    rows = np.column_stack([np.maximum(a, 0), np.maximum(b, 0), np.minimum(a, 0), np.minimum(b, 0)])
    limits = np.array([width, height, width, height], float) - 1
    left, top, right, bottom = _largest_box(rows, c, limits)
    x, y = int(np.ceil(left - 1e-3)), int(np.ceil(top - 1e-3))
    columns, lines = (int(np.floor(end + 1e-3)) - start + 1 for start, end in ((x, right), (y, bottom)))
    return Crop(x, y, max(columns, 0) // 2 * 2, max(lines, 0) // 2 * 2)


def _inside(matrix: Matrix, width: int, height: int) -> NDArray[np.float64]:
    """Rows (a, b, c): a x + b y + c >= 0 where `matrix` leads at least the kernel's reach into the frame."""
    first, second, third = matrix / matrix[2, 2]
    before, after = KERNEL_REACH
    return np.array(
        [
            first - before * third,
            (width - 1 - after) * third - first,
            second - before * third,
            (height - 1 - after) * third - second,
        ]
    )


def _largest_box(rows: NDArray, offsets: NDArray, limits: NDArray) -> NDArray[np.float64]:
    """(left, top, right, bottom) of largest area with rows @ box + offsets >= 0, 0 <= box <= limits."""
    scale = limits.max()
    rows = np.vstack([rows, [-1, 0, 1, 0], [0, -1, 0, 1]])  # right >= left, bottom >= top
    offsets = np.append(offsets, [0, 0]) / scale
    bounds = [(0, limit / scale) for limit in limits]
    start = linprog([1, 1, -1, -1], A_ub=-rows, b_ub=offsets, bounds=bounds)
    if not start.success:
        return np.array([0.0, 0.0, -1.0, -1.0])
    best = minimize(
        lambda box: -np.log(max(box[2] - box[0], 1e-9)) - np.log(max(box[3] - box[1], 1e-9)),
        start.x,
        method="SLSQP",
        bounds=bounds,
        constraints={"type": "ineq", "fun": lambda box: rows @ box + offsets, "jac": lambda _: rows},
        options={"ftol": 1e-10},
    )
    box: NDArray[np.float64] = best.x * scale
    return box
