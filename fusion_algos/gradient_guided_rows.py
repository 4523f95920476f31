"""The compiled loops of the gradient domain guided filter: moments of windows that slide down the rows.

Sums down a window's columns are kept in float64, so that nothing drifts; sums along rows are float32. Buffers
of columns have `radius` zeros at either end, which stand for what lies outside the image.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

from fusion_algos.fast_exp import exp_below_0

DELTA = np.float32(1e-6)
FARTHEST = np.float32(20)  # a sigmoid is 0 or 1 beyond
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@compiled
def edge_measures(guide, center, radius, first, last, chi, sums):
    """chi = sd_3x3 sd_r for rows `first` .. `last` - 1, and of each row sum chi, sum 1 / (chi + delta), min chi.

    `guide` and `chi` are HxW float32, `sums` Hx3 float64; `center` is taken off the guide.
    """
    height, width = guide.shape
    small, large = np.zeros((2, width + 2)), np.zeros((2, width + 2 * radius))
    variance = np.empty((2, width), np.float32)
    mean = np.empty(width, np.float32)
    start = max(first - radius, 0)
    for bottom in range(start, last + radius):
        if bottom < height:
            _add_guide(guide[bottom], center, radius, 1.0, large)
        if bottom - 2 * radius - 1 >= start:
            _add_guide(guide[bottom - 2 * radius - 1], center, radius, -1.0, large)
        row = bottom - radius
        if row < first:
            continue
        if row == first:
            for y in range(max(row - 1, 0), min(row + 1, height)):
                _add_guide(guide[y], center, 1, 1.0, small)
        if row + 1 < height:
            _add_guide(guide[row + 1], center, 1, 1.0, small)
        if row - 2 >= max(first - 1, 0):
            _add_guide(guide[row - 2], center, 1, -1.0, small)
        _variance(small, 1, _inside(row, 1, height), mean, variance[0])
        _variance(large, radius, _inside(row, radius, height), mean, variance[1])
        _measure_row(variance, chi[row], sums[row])


@compiled
def _add_guide(row, center, radius, sign, columns):
    """Add (or take off) a row of I and I I."""
    for x in range(row.size):
        value = np.float64(row[x] - center)
        columns[0, x + radius] += sign * value
        columns[1, x + radius] += sign * (value * value)


@compiled
def _inside(row, radius, height):
    """How many rows of the window around `row` lie inside the image."""
    return min(row + radius, height - 1) - max(row - radius, 0) + 1


@compiled
def _variance(columns, radius, rows, mean, variance):
    _window_mean(columns[0], radius, rows, mean)
    _window_mean(columns[1], radius, rows, variance)
    for x in range(mean.size):
        variance[x] = max(variance[x] - mean[x] * mean[x], np.float32(0))


@compiled
def _window_mean(columns, radius, rows, mean):
    """Means over windows of `rows` rows from the sums of their columns."""
    width = mean.size
    narrow = columns.astype(np.float32)
    mean[:] = 0
    for shift in range(2 * radius + 1):
        for x in range(width):
            mean[x] += narrow[x + shift]
    share = np.float32(1 / (rows * (2 * radius + 1)))
    for x in range(width):
        mean[x] *= share
    for x in range(min(radius, width)):  # fewer columns at the ends; both corrections in a narrow image
        _correct_end(mean, x, radius)
        if width - 1 - x >= radius:
            _correct_end(mean, width - 1 - x, radius)


@compiled
def _correct_end(mean, x, radius):
    mean[x] *= np.float32((2 * radius + 1) / _inside(x, radius, mean.size))


@compiled
def _measure_row(variance, chi, sums):
    total, inverses, least = 0.0, 0.0, np.float32(np.inf)
    for x in range(chi.size):
        chi[x] = np.sqrt(variance[0, x] * variance[1, x])
    for x in range(chi.size):
        total += chi[x]
        inverses += np.float32(1) / (chi[x] + DELTA)
        least = min(least, chi[x])
    sums[0], sums[1], sums[2] = total, inverses, least


@compiled
def filtered_rows(guide, source, center, radius, chi, terms, first, last, filtered):
    """Fill rows `first` .. `last` - 1 of the filtered source; all planes are HxW float32.

    `terms`: eps / mean(1 / (chi + delta)), mean of chi, steepness of the edge awareness.
    """
    height, width = guide.shape
    size = 2 * radius + 1
    moments, lines = np.zeros((4, width + 2 * radius)), np.zeros((2, width + 2 * radius))
    ring = np.zeros((size, 2, width), np.float32)
    means = np.empty((4, width), np.float32)
    first_line = max(first - radius, 0)
    start = max(first_line - radius, 0)
    for bottom in range(start, last + 2 * radius):
        if bottom < height:
            _add_moments(guide[bottom], source[bottom], center, radius, 1.0, moments)
        if bottom - size >= start:
            _add_moments(guide[bottom - size], source[bottom - size], center, radius, -1.0, moments)
        row = bottom - radius
        if row < first_line:
            continue
        line = ring[row % size]
        _add_line(line, radius, -1.0, lines)
        line[:] = 0
        if row < height:
            for m in range(4):
                _window_mean(moments[m], radius, _inside(row, radius, height), means[m])
            _line_row(means, chi[row], terms, line)
            _add_line(line, radius, 1.0, lines)
        ready = row - radius
        if ready >= first:
            for m in range(2):
                _window_mean(lines[m], radius, _inside(ready, radius, height), means[m])
            _apply(means, guide[ready], center, filtered[ready])


@compiled
def _add_moments(guide, source, center, radius, sign, columns):
    """Add (or take off) a row of I, p, I p and I I."""
    for x in range(guide.size):
        value, weight = np.float64(guide[x] - center), np.float64(source[x])
        columns[0, x + radius] += sign * value
        columns[1, x + radius] += sign * weight
        columns[2, x + radius] += sign * (value * weight)
        columns[3, x + radius] += sign * (value * value)


@compiled
def _add_line(line, radius, sign, columns):
    for m in range(2):
        for x in range(line.shape[1]):
            columns[m, x + radius] += sign * line[m, x]


@compiled
def _line_row(means, chi, terms, line):
    """a = (cov(I, p) + lambda gamma) / (var I + lambda), b = mean p - a mean I."""
    regularisation, mean_chi, steepness = terms[0], terms[1], terms[2]
    for x in range(chi.size):
        guide, source = means[0, x], means[1, x]
        local = regularisation / (chi[x] + DELTA)
        gamma = _sigmoid((chi[x] - mean_chi) * steepness)
        variance = max(means[3, x] - guide * guide, np.float32(0))
        slope = (means[2, x] - guide * source + local * gamma) / (variance + local)
        line[0, x] = slope
        line[1, x] = source - slope * guide


@compiled
def _sigmoid(x):
    power = exp_below_0(-min(abs(x), FARTHEST))
    return (power if x < 0 else np.float32(1)) / (np.float32(1) + power)


@compiled
def _apply(means, guide, center, filtered):
    for x in range(guide.size):
        filtered[x] = means[0, x] * (guide[x] - center) + means[1, x]
