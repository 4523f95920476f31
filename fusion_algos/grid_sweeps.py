"""Compiled loops of (Id + weighted Laplacian) on the pixel grid itself: no matrix is stored.

down: (H-1)xW and right: Hx(W-1) weights of the edges to the pixel below and to the right, float64; other planes are
HxW. Each row is summed up first, which is vectorised, and only then solved from pixel to pixel.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@compiled
def inverse_diagonal(down, right):
    """1 / (1 + sum of the pixel's weights), float32."""
    height, width = right.shape[0], down.shape[1]
    inverse = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            total = 1.0
            if i > 0:
                total += down[i - 1, j]
            if i < height - 1:
                total += down[i, j]
            if j > 0:
                total += right[i, j - 1]
            if j < width - 1:
                total += right[i, j]
            inverse[i, j] = 1 / total
    return inverse


@compiled
def next_direction(down, right, factor, error, direction, image):
    """direction = error + factor direction and image = A direction; direction'A direction."""
    height, width = direction.shape
    energy = 0.0
    for i in range(height):
        d, product = direction[i], image[i]
        for j in range(width):
            d[j] = error[i, j] + factor * d[j]
            product[j] = d[j]
            energy += d[j] * d[j]
        for j in range(width - 1):
            difference = d[j + 1] - d[j]
            energy += right[i, j] * difference * difference
        for j in range(1, width):
            product[j] += right[i, j - 1] * (d[j] - d[j - 1])
        for j in range(width - 1):
            product[j] += right[i, j] * (d[j] - d[j + 1])
        if i > 0:
            above, product_above, a = direction[i - 1], image[i - 1], down[i - 1]
            for j in range(width):
                difference = d[j] - above[j]
                energy += a[j] * difference * difference
                product[j] += a[j] * difference
                product_above[j] -= a[j] * difference
    return energy


@compiled
def residual(down, right, right_side, u, rest):
    """rest = f - A u."""
    height, width = u.shape
    for i in range(height):
        r = rest[i]
        for j in range(width):
            r[j] = right_side[i, j] - u[i, j]
        for j in range(1, width):
            r[j] -= right[i, j - 1] * (u[i, j] - u[i, j - 1])
        for j in range(width - 1):
            r[j] -= right[i, j] * (u[i, j] - u[i, j + 1])
        if i > 0:
            for j in range(width):
                r[j] -= down[i - 1, j] * (u[i, j] - u[i - 1, j])
        if i < height - 1:
            for j in range(width):
                r[j] -= down[i, j] * (u[i, j] - u[i + 1, j])


@compiled
def step_along(step, direction, image, solution, rest):
    """solution += step direction, rest -= step image."""
    for i in range(rest.shape[0]):
        for j in range(rest.shape[1]):
            solution[i, j] += step * direction[i, j]
            rest[i, j] -= step * image[i, j]


@compiled
def largest_and_products(error, rest, image):
    """(largest |error|, error'rest, error'image)."""
    largest, along, across = 0.0, 0.0, 0.0
    for i in range(rest.shape[0]):
        for j in range(rest.shape[1]):
            e = error[i, j]
            largest = max(largest, abs(e))
            along += e * rest[i, j]
            across += e * image[i, j]
    return largest, along, across


@compiled
def sweep_and_restrict(down, right, inverse, aggregate, right_side, u, rest):
    """Gauss-Seidel forward from 0; its residual, added up on aggregates.

    Of A = D - L - U the sweep solves (D - L) u = f, so that f - A u = U u: each pixel takes from those after it.
    """
    height, width = u.shape
    known, left = np.zeros(width, np.float32), np.zeros(width, np.float32)
    part = np.zeros(width, np.float32)
    for a in range(rest.size):
        rest[a] = 0
    for i in range(height):
        row, over = u[i], inverse[i]
        for j in range(width):
            known[j] = np.float32(right_side[i, j]) * over[j]
        if i > 0:
            above, a = u[i - 1], down[i - 1]
            for j in range(width):
                known[j] += np.float32(a[j]) * over[j] * above[j]
        for j in range(1, width):
            left[j] = np.float32(right[i, j - 1]) * over[j]
        last = np.float32(0)
        for j in range(width):
            last = known[j] + left[j] * last
            row[j] = last
        if i > 0:
            for j in range(width):
                part[j] += np.float32(down[i - 1, j]) * row[j]
            for j in range(width):
                rest[aggregate[i - 1, j]] += part[j]
        for j in range(width - 1):
            part[j] = np.float32(right[i, j]) * row[j + 1]
        part[width - 1] = 0
    for j in range(width):
        rest[aggregate[height - 1, j]] += part[j]


@compiled
def add_and_sweep_back(down, right, inverse, aggregate, right_side, constants, u):
    """u += constants of the aggregates; Gauss-Seidel backward."""
    height, width = u.shape
    onward = np.zeros(width, np.float32)
    known = np.zeros(width, np.float32)
    _add_constants(constants, aggregate[height - 1], u[height - 1])
    for i in range(height - 1, -1, -1):
        row, over = u[i], inverse[i]
        known[0] = 0
        for j in range(1, width):
            known[j] = np.float32(right[i, j - 1]) * row[j - 1]
        for j in range(width):
            known[j] += np.float32(right_side[i, j])
        if i > 0:
            above, a = u[i - 1], down[i - 1]
            _add_constants(constants, aggregate[i - 1], above)
            for j in range(width):
                known[j] += np.float32(a[j]) * above[j]
        if i < height - 1:
            below, a = u[i + 1], down[i]
            for j in range(width):
                known[j] += np.float32(a[j]) * below[j]
        for j in range(width - 1):
            onward[j] = np.float32(right[i, j]) * over[j]
        for j in range(width):
            known[j] *= over[j]
        last = np.float32(0)
        for j in range(width - 1, -1, -1):
            last = known[j] + onward[j] * last
            row[j] = last


@compiled
def _add_constants(constants, aggregate, row):
    for j in range(row.size):
        row[j] += constants[aggregate[j]]
