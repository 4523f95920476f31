"""Edge-preserving smoothing by weighted least squares: (Id + weighted Laplacian of the pixel grid) u = f.

Farbman, Fattal, Lischinski, Szeliski, "Edge-preserving decompositions for multi-scale tone and detail manipulation",
ACM TOG 27(3), 2008.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fusion_algos.graph_multigrid import Multigrid
from fusion_algos.grid_sweeps import largest_and_products, next_direction, residual, step_along

Plane = NDArray[np.float64]
LOG_OFFSET = float(np.finfo(np.float64).eps)  # 2^-52, so that black has a logarithm
EDGE_OFFSET = 1e-4  # so that equal pixels have a finite weight
MOST_STEPS = 300
SAFETY = 10.0  # the estimate of the error may be short by this: specks in flat regions come to 8


def smoothed(luminance: Plane, *, amount: float, alpha: float) -> Plane:
    """The base u of HxW luminance >= 0, with weights amount / (|difference of logarithms|^alpha + 1e-4)."""
    return solve_weighted_laplacian(luminance, *_weights(np.log(luminance + LOG_OFFSET), amount, alpha))


def _weights(logarithm: Plane, amount: float, alpha: float) -> tuple[Plane, Plane]:
    """amount / (|difference|^alpha + 1e-4) downwards and to the right, without further planes."""
    differences: tuple[Plane, Plane] = np.diff(logarithm, axis=0), np.diff(logarithm, axis=1)
    for plane in differences:
        np.abs(plane, out=plane)
        plane **= alpha
        plane += EDGE_OFFSET
        np.divide(amount, plane, out=plane)
    return differences


def solve_weighted_laplacian(
    right_side: Plane, down: Plane, right: Plane, *, tolerance: float = 1e-4
) -> Plane:
    """u of (Id + sum over edges (p, q) of a (e_p - e_q)(e_p - e_q)^T) u = f, HxW float64.

    `right_side`: f, HxW. `down`, (H-1)xW, and `right`, Hx(W-1): weights a >= 0 of the edges to the pixel below and to
    the right, which may jump by any factor. `tolerance`: largest error of u, estimated. The mean of u is that of f.
    Raises ValueError for wrong shapes, weights below 0 or what is not finite. Conjugate gradients, preconditioned.
    """
    target, down, right = (np.ascontiguousarray(plane, np.float64) for plane in (right_side, down, right))
    _check(target, down, right)
    multigrid = Multigrid(down, right)
    solution, rest = target.copy(), np.empty_like(target)
    residual(down, right, target, solution, rest)
    direction, image = np.zeros_like(target), np.zeros_like(target)
    along, step = np.inf, 0.0
    for _ in range(MOST_STEPS):
        error = multigrid.error_of(rest)  # about that of the solution
        largest, new_along, across = largest_and_products(error, rest, image)
        if largest <= tolerance / SAFETY:
            solution += error
            solution += target.mean() - solution.mean()
            return solution
        # Polak and Ribière: the preconditioner is not quite linear
        energy = next_direction(down, right, -step * across / along, error, direction, image)
        along, step = new_along, new_along / energy
        if not np.isfinite(step):
            break
        step_along(step, direction, image, solution, rest)
    raise ArithmeticError(
        f"no solution to {tolerance:g} in {MOST_STEPS} steps: weights too far apart for float64"
    )


def _check(right_side: Plane, down: Plane, right: Plane) -> None:
    height, width = right_side.shape
    if down.shape != (height - 1, width) or right.shape != (height, width - 1):
        raise ValueError(f"weights of {down.shape} and {right.shape} for a plane of {right_side.shape}")
    for name, plane, lowest in (
        ("right side", right_side, -np.inf),
        ("weight", down, 0),
        ("weight", right, 0),
    ):
        least, most = plane.min(initial=0), plane.max(initial=0)
        if not (least > -np.inf and least >= lowest and most < np.inf):
            raise ValueError(f"a {name} is below {lowest} or not finite")
