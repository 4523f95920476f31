"""Edge-preserving smoothing by weighted least squares: (Id + weighted Laplacian of the pixel grid) u = f."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

Plane = NDArray[np.float64]


def solve_weighted_laplacian(
    right_side: Plane, down: Plane, right: Plane, *, tolerance: float = 1e-6
) -> Plane:
    """u of (Id + sum over edges (p, q) of a (e_p - e_q)(e_p - e_q)^T) u = f, HxW float64.

    `right_side`: f, HxW. `down`, (H-1)xW, and `right`, Hx(W-1): weights a >= 0 of the edges to the pixel below and to
    the right. `tolerance`: the largest error of u allowed, about. The mean of u is that of f.
    """
    height, width = right_side.shape
    number = np.arange(height * width).reshape(height, width)
    p = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    q = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    a = np.concatenate([down.ravel(), right.ravel()])
    every = number.ravel()
    values = np.concatenate([np.ones(every.size), a, a, -a, -a])
    places = (np.concatenate([every, p, q, p, q]), np.concatenate([every, p, q, q, p]))
    matrix = coo_array((values, places), shape=(every.size,) * 2).tocsc()
    return spsolve(matrix, right_side.ravel(), permc_spec="MMD_AT_PLUS_A").reshape(height, width)
