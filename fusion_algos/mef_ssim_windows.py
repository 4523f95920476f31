"""The compiled loops of MEF-SSIM: box and Gaussian moments of all 11x11 windows, row by row.

Tiles of some columns go down the image. Box sums are float64 running sums of multiples of a power of two, so
they are exact and a flat window has a norm of exactly 0. Gaussian moments are float32 of values around 0.
A pair (j, k), j <= k, has the index k (k + 1) / 2 + j.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

WINDOW = 11
AREA = WINDOW * WINDOW
CENTER = 127.5
EPSILON = float(np.finfo(np.float64).eps)
NORM_FLOOR = 0.001
GREATEST_POWER_FROM = math.atan(10.0) * 2 / math.pi  # the consistency above which the power is 10
STABILITY = (0.03 * 255) ** 2  # C of SSIM
compiled = numba.njit(nogil=True, cache=True)


def gaussian_taps(sigma: float) -> NDArray[np.float32]:
    """11 taps whose sum is 1 as exactly as float32 can, else flat windows would seem to vary."""
    taps = np.exp(-np.square(np.arange(WINDOW) - WINDOW // 2) / (2 * sigma**2))
    rounded = (taps / taps.sum()).astype(np.float32)
    rounded[WINDOW // 2] -= rounded.sum(dtype=np.float64) - 1
    return rounded


@compiled
def sums_of_similarities(sources, fused, unit, left, size, taps):
    """Sums of (2 cov(x^, y) + C) / (var x^ + var y + C) over `size` columns of windows from `left`: N numbers.

    x^ is a window's desired patch, y one of the N fused images. `sources` (K x H x W) and `fused` (N x H x W)
    are in steps of `unit` gray levels.
    """
    count, height, _ = sources.shape
    pairs = count * (count + 1) // 2
    wide = size + WINDOW - 1
    values, oldest = np.zeros((count, wide)), np.zeros((count, wide))
    box_sums, box_products = np.zeros((count, wide)), np.zeros((pairs, wide))
    covariance, centered = np.empty((pairs, size)), np.empty((count, wide), np.float32)
    ring = np.empty((count + pairs, WINDOW, size), np.float32)
    fused_rings = np.empty((len(fused), count + 2, WINDOW, size), np.float32)
    factors, means = np.empty((count, size), np.float32), np.empty((count, size), np.float32)
    variance, totals = np.empty(size, np.float32), np.zeros(len(fused))
    for row in range(height):
        _read_row(sources, row, left, unit, values)
        if row >= WINDOW:
            _read_row(sources, row - WINDOW, left, unit, oldest)
        _move_box_sums(values, oldest, box_sums, box_products)
        _filter_sources(values, taps, ring, row % WINDOW, centered)
        _filter_fused(fused, row, left, unit, centered, taps, fused_rings)
        if row >= WINDOW - 1:
            topmost = (row + 1) % WINDOW
            _box_covariances(box_sums, box_products, covariance)
            _row_factors(covariance, factors)
            _row_variance(ring, topmost, taps, factors, means, variance)
            for n in range(len(fused)):
                totals[n] += _row_similarity(fused_rings[n], topmost, taps, factors, means, variance)
    return totals


@compiled
def _read_row(gray, row, left, unit, values):
    for k in range(values.shape[0]):
        for x in range(values.shape[1]):
            values[k, x] = gray[k, row, left + x] * unit


@compiled
def _move_box_sums(values, oldest, sums, products):
    """Move the sums of 11 rows, of all images and all pairs, down by one row."""
    for k in range(values.shape[0]):
        for x in range(values.shape[1]):
            sums[k, x] += values[k, x] - oldest[k, x]
        for j in range(k + 1):
            pair = products[k * (k + 1) // 2 + j]
            for x in range(values.shape[1]):
                pair[x] += values[j, x] * values[k, x] - oldest[j, x] * oldest[k, x]


@compiled
def _filter_sources(values, taps, ring, slot, centered):
    """Horizontal Gaussian pass of the `centered` sources and of all products of pairs of them."""
    count, wide = values.shape
    product = np.empty(wide, np.float32)
    for k in range(count):
        for x in range(wide):
            centered[k, x] = values[k, x] - CENTER
        gaussian_row(centered[k], taps, ring[k, slot])
        for j in range(k + 1):
            for x in range(wide):
                product[x] = centered[j, x] * centered[k, x]
            gaussian_row(product, taps, ring[count + k * (k + 1) // 2 + j, slot])


@compiled
def _filter_fused(fused, row, left, unit, centered, taps, rings):
    """Horizontal Gaussian pass of each fused image's products with the sources, of itself and its square."""
    count, wide = centered.shape
    fused_row, product = np.empty(wide, np.float32), np.empty(wide, np.float32)
    for n in range(len(fused)):
        for x in range(wide):
            fused_row[x] = fused[n, row, left + x] * unit - CENTER
        for k in range(count):
            for x in range(wide):
                product[x] = centered[k, x] * fused_row[x]
            gaussian_row(product, taps, rings[n, k, row % WINDOW])
        gaussian_row(fused_row, taps, rings[n, count, row % WINDOW])
        for x in range(wide):
            product[x] = fused_row[x] * fused_row[x]
        gaussian_row(product, taps, rings[n, count + 1, row % WINDOW])


@compiled
def gaussian_row(row, taps, out):
    """Horizontal pass; `row` is 10 longer than `out`."""
    t0, t1, t2, t3, t4, t5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for x in range(out.size):
        outer = t0 * (row[x] + row[x + 10]) + t1 * (row[x + 1] + row[x + 9]) + t2 * (row[x + 2] + row[x + 8])
        out[x] = outer + t3 * (row[x + 3] + row[x + 7]) + t4 * (row[x + 4] + row[x + 6]) + t5 * row[x + 5]


@compiled
def gaussian_column(ring, first, taps, out):
    """Vertical pass over a ring of 11 rows, of which slot `first` is the topmost."""
    middle = ring[(first + 5) % WINDOW]
    for x in range(out.size):
        out[x] = taps[5] * middle[x]
    for t in range(5):
        above, below, tap = ring[(first + t) % WINDOW], ring[(first + 10 - t) % WINDOW], taps[t]
        for x in range(out.size):
            out[x] += tap * (above[x] + below[x])


@compiled
def _box_row(row, out):
    for x in range(out.size):
        left = row[x] + row[x + 1] + row[x + 2] + row[x + 3] + row[x + 4] + row[x + 5]
        out[x] = left + row[x + 6] + row[x + 7] + row[x + 8] + row[x + 9] + row[x + 10]


@compiled
def _box_covariances(sums, products, covariance):
    """Summed products of deviations, of all pairs, in one row of windows."""
    box = np.empty((sums.shape[0], covariance.shape[1]))
    for k in range(box.shape[0]):
        _box_row(sums[k], box[k])
        for j in range(k + 1):
            pair = covariance[k * (k + 1) // 2 + j]
            _box_row(products[k * (k + 1) // 2 + j], pair)
            for x in range(pair.size):
                pair[x] = (AREA * pair[x] - box[j, x] * box[k, x]) * (1 / AREA)  # exactly 0 if flat


@compiled
def _row_factors(covariance, factors):
    """a_k = w_k / c_k * max c / ||r|| of one row of windows."""
    count, size = factors.shape
    norm_sum, greatest, square, weights = (
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        np.empty((count, size)),
    )
    for k in range(count):
        for x in range(size):
            norm = math.sqrt(max(covariance[k * (k + 1) // 2 + k, x], 0.0))
            norm_sum[x] += norm
            greatest[x] = max(greatest[x], norm + NORM_FLOOR)
            weights[k, x] = norm + NORM_FLOOR  # c_k for now
    weights_of_1 = np.ones((count, size))
    _add_weighted_pairs(covariance, weights_of_1, square)
    for x in range(size):
        power = _weight_power((math.sqrt(max(square[x], 0.0)) + EPSILON) / (norm_sum[x] + EPSILON))
        for k in range(count):
            weights[k, x] = (_power(weights[k, x] / WINDOW, power) + EPSILON) / weights[k, x]
    _add_weighted_pairs(covariance, weights, square)  # ||r||^2, but for the sum of w, which cancels
    for k in range(count):
        for x in range(size):
            # a window without any structure has a flat desired patch
            factors[k, x] = weights[k, x] * greatest[x] / math.sqrt(square[x]) if square[x] > 0 else 0.0


@compiled
def _add_weighted_pairs(covariance, weights, square):
    """||sum_k w_k x_k||^2 of the deviations, in place of what `square` holds."""
    square[:] = 0
    for k in range(weights.shape[0]):
        for j in range(k + 1):
            twice = 1.0 if j == k else 2.0
            pair = covariance[k * (k + 1) // 2 + j]
            for x in range(square.size):
                square[x] += twice * weights[j, x] * weights[k, x] * pair[x]


@compiled
def _weight_power(consistency):
    """p = min(10, tan(pi R / 2)) for the consistency R of the structures, capped below 1."""
    if consistency >= GREATEST_POWER_FROM:
        return 10.0
    return min(10.0, math.tan(math.pi / 2 * consistency))


@compiled
def _power(value, power):
    """value ** power; most windows are consistent, so that the power is 10."""
    if power == 10.0:
        square = value * value
        fourth = square * square
        return fourth * fourth * square
    return math.exp(power * math.log(value))


@compiled
def _row_variance(ring, first, taps, factors, means, variance):
    """Gaussian means of the sources, and sum_jk a_j a_k Gcov_jk, of one row of windows."""
    count, size = factors.shape
    moment = np.empty(size, np.float32)
    variance[:] = 0
    for k in range(count):
        gaussian_column(ring[k], first, taps, means[k])
        for j in range(k + 1):
            gaussian_column(ring[count + k * (k + 1) // 2 + j], first, taps, moment)
            twice = np.float32(1 if j == k else 2)
            for x in range(size):
                covariance = moment[x] - means[j, x] * means[k, x]
                variance[x] += twice * factors[j, x] * factors[k, x] * covariance


@compiled
def _row_similarity(ring, first, taps, factors, means, variance):
    """Sum over a row of windows; cov(x^, y) = sum_k a_k (G(x_k y) - G(x_k) G(y))."""
    count, size = factors.shape
    mean, moment = np.empty(size, np.float32), np.empty(size, np.float32)
    covariance = np.zeros(size, np.float32)
    gaussian_column(ring[count], first, taps, mean)
    for k in range(count):
        gaussian_column(ring[k], first, taps, moment)
        for x in range(size):
            covariance[x] += factors[k, x] * (moment[x] - means[k, x] * mean[x])
    gaussian_column(ring[count + 1], first, taps, moment)
    total = 0.0
    for x in range(size):
        spread = variance[x] + moment[x] - mean[x] * mean[x]
        total += (2 * covariance[x] + STABILITY) / (spread + STABILITY)
    return total
