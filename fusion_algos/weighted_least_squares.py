"""Edge-preserving smoothing by weighted least squares: (Id + weighted Laplacian of the pixel grid) u = f.

Farbman, Fattal, Lischinski, Szeliski, "Edge-preserving decompositions for multi-scale tone and detail manipulation",
ACM TOG 27(3), 2008.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.graph_multigrid import approximate_solution, levels_of_grid

Plane = NDArray[np.float64]
LOG_OFFSET = float(np.finfo(np.float64).eps)  # 2^-52, so that black has a logarithm
EDGE_OFFSET = 1e-4  # so that equal pixels have a finite weight
MOST_STEPS = 300
SAFETY = 4.0  # the estimate of the error may be short by this
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


def smoothed(luminance: Plane, *, amount: float, alpha: float) -> Plane:
    """The base u of HxW luminance >= 0, with weights amount / (|difference of logarithms|^alpha + 1e-4)."""
    logarithm = np.log(luminance + LOG_OFFSET)

    def weights(axis: int) -> Plane:
        return amount / (np.abs(np.diff(logarithm, axis=axis)) ** alpha + EDGE_OFFSET)

    return solve_weighted_laplacian(luminance, weights(0), weights(1))


def solve_weighted_laplacian(
    right_side: Plane, down: Plane, right: Plane, *, tolerance: float = 5e-5
) -> Plane:
    """u of (Id + sum over edges (p, q) of a (e_p - e_q)(e_p - e_q)^T) u = f, HxW float64.

    `right_side`: f, HxW. `down`, (H-1)xW, and `right`, Hx(W-1): weights a >= 0 of the edges to the pixel below and to
    the right, which may jump by any factor. `tolerance`: largest error of u, estimated. The mean of u is that of f.
    Raises ValueError for wrong shapes, weights below 0 or what is not finite. Conjugate gradients, preconditioned.
    """
    target, down, right = (np.ascontiguousarray(plane, np.float64) for plane in (right_side, down, right))
    _check(target, down, right)
    levels = levels_of_grid(down, right)
    solution, image = target.copy(), np.empty_like(target)
    _multiply(down, right, solution, image)
    rest = target - image
    error = approximate_solution(levels, rest.ravel()).reshape(target.shape)  # about that of the solution
    direction, along = error.copy(), np.vdot(rest, error)
    for _ in range(MOST_STEPS):
        if max(error.max(), -error.min()) <= tolerance / SAFETY:
            solution += error
            return solution + (target.mean() - solution.mean())
        _multiply(down, right, direction, image)
        step = along / np.vdot(direction, image)
        _add(step, direction, solution)
        _add(-step, image, rest)
        error = approximate_solution(levels, rest.ravel()).reshape(target.shape)
        direction *= (
            -step * np.vdot(error, image) / along
        )  # Polak and Ribière: the preconditioner is not quite linear
        direction += error
        along = np.vdot(rest, error)
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
        if not (np.isfinite(plane).all() and (plane >= lowest).all()):
            raise ValueError(f"a {name} is below {lowest} or not finite")


@compiled
def _multiply(down, right, u, product):
    """(Id + sum over edges a (e_p - e_q)(e_p - e_q)^T) u."""
    height, width = u.shape
    product[:] = u
    for i in range(height):
        for j in range(width - 1):
            flow = right[i, j] * (u[i, j] - u[i, j + 1])
            product[i, j] += flow
            product[i, j + 1] -= flow
        if i > 0:
            for j in range(width):
                flow = down[i - 1, j] * (u[i - 1, j] - u[i, j])
                product[i - 1, j] += flow
                product[i, j] -= flow


@compiled
def _add(factor, plane, total):
    """total += factor plane, without a plane between."""
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += factor * plane[i, j]
