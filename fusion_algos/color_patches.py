"""The compiled loops of structural patch decomposition: moments of all sampled N x N x 3 windows, row by row.

Planes hold integer levels (uint8 or uint16) and go through the windows as running sums of an accumulator type
in which they stay exact, so that a flat window has a norm of exactly 0 however the image is cut into strips.
Windows are sampled: their upper left corners lie at `tops` x `lefts`, of which h x w there are.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numba
import numpy as np

NORM_FLOOR = 0.001
WEIGHT_FLOOR = 0.001
CANCELLED = 1e-9  # of the squared norms: a smaller sum of structures is rounding, not structure
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@compiled
def patch_factors(planes, tops, lefts, size, pairs, accumulators, white, exposedness, selected, factors):
    """Fill `factors` so that each fused patch is sum_s factors[s] x_s + factors[S].

    `planes`: S x 3 x H x W levels up to `white`; `pairs`: P x 2, first (s, s) of all sources, then either all
    (j, k) with j < k, or none: then ||r|| counts as the sum of the weights, which cancels. `accumulators`:
    (S + P) x W zeros. `exposedness`: S weights of whole images and, last, 1 / (2 sigma^2) of the patch mean's.
    `selected`: S x h x w, whether a source takes part in a patch; `factors`: (S + 1) x h x w float32.
    """
    count = planes.shape[0]
    levels, leaving = _row_buffers(planes, accumulators)
    means, covariance = np.empty((count, lefts.size)), np.empty((len(pairs), lefts.size))
    done = 0
    for i in range(tops.size):
        done = _move_down(planes, done, tops[i] + size, size, pairs, levels, leaving, accumulators)
        _window_moments(accumulators, lefts, size, pairs, white, means, covariance)
        _row_factors(means, covariance, pairs, exposedness, selected[:, i], factors[:, i])


@compiled
def patch_likeness(planes, tops, lefts, size, accumulators, white, floor, means, likeness):
    """Means of all patches of two images and (cov + floor) / (sd sd + floor) between them.

    `planes`: 2 x 3 x H x W; `floor` in squared units of [0, 1] per entry; `means` 2 x h x w in [0, 1] and
    `likeness` h x w are filled.
    """
    pairs = np.array([[0, 0], [1, 1], [0, 1]])
    levels, leaving = _row_buffers(planes, accumulators)
    row, covariance = np.empty((2, lefts.size)), np.empty((3, lefts.size))
    floor *= 3 * size * size
    done = 0
    for i in range(tops.size):
        done = _move_down(planes, done, tops[i] + size, size, pairs, levels, leaving, accumulators)
        _window_moments(accumulators, lefts, size, pairs, white, row, covariance)
        for x in range(lefts.size):
            means[0, i, x], means[1, i, x] = row[0, x], row[1, x]
            norms = math.sqrt(max(covariance[0, x], 0.0) * max(covariance[1, x], 0.0))
            likeness[i, x] = (covariance[2, x] + floor) / (norms + floor)


@compiled
def _row_buffers(planes, accumulators):
    """Two buffers S x 3 x W of the accumulators' type."""
    shape = (planes.shape[0], 3, planes.shape[3])
    return np.zeros(shape, accumulators.dtype), np.zeros(shape, accumulators.dtype)


@compiled
def _move_down(planes, done, bottom, size, pairs, levels, leaving, accumulators):
    """Add rows until row `bottom` - 1 is the last of `size` rows in the sums; the number of rows added so far."""
    count = planes.shape[0]
    for y in range(done, bottom):
        _read_row(planes, y, levels)
        if y >= size:
            _read_row(planes, y - size, leaving)
        for s in range(count):
            new, old, total = levels[s], leaving[s], accumulators[s]
            for x in range(total.size):
                total[x] += new[0, x] + new[1, x] + new[2, x] - (old[0, x] + old[1, x] + old[2, x])
        for p in range(len(pairs)):
            j, k = pairs[p]
            _add_products(levels[j], levels[k], leaving[j], leaving[k], accumulators[count + p])
    return bottom


@compiled
def _read_row(planes, y, levels):
    for s in range(levels.shape[0]):
        for c in range(3):
            row, out = planes[s, c, y], levels[s, c]
            for x in range(out.size):
                out[x] = row[x]


@compiled
def _add_products(a, b, old_a, old_b, total):
    for x in range(total.size):
        new = a[0, x] * b[0, x] + a[1, x] * b[1, x] + a[2, x] * b[2, x]
        total[x] += new - (old_a[0, x] * old_b[0, x] + old_a[1, x] * old_b[1, x] + old_a[2, x] * old_b[2, x])


@compiled
def _window_moments(accumulators, lefts, size, pairs, white, means, covariance):
    """Mean and summed products of deviations, in units of [0, 1], of the windows at `lefts`."""
    count, entries = means.shape[0], 3 * size * size
    for s in range(count):
        _window_sums(accumulators[s], lefts, size, means[s])
    for p in range(len(pairs)):
        row, first, second = covariance[p], means[pairs[p, 0]], means[pairs[p, 1]]
        _window_sums(accumulators[count + p], lefts, size, row)
        for x in range(lefts.size):
            row[x] = (entries * row[x] - first[x] * second[x]) * (1 / (entries * white * white))
    means *= 1 / (entries * white)


@compiled
def _window_sums(row, lefts, size, sums):
    """Sums of row[left : left + size] for ascending `lefts`."""
    total, done = 0.0, 0
    for i in range(lefts.size):
        for x in range(done, lefts[i] + size):
            total += row[x]
            if x >= size:
                total -= row[x - size]
        done = lefts[i] + size
        sums[i] = total


@compiled
def _row_factors(means, covariance, pairs, exposedness, selected, factors):
    """gam_s = a_s c^ / ||r|| and l^ - sum_s gam_s l_s of one row of patches; see `ma2017`."""
    count, width = means.shape
    scaled = np.empty((count, width))  # a_s = s_s / c_s, but for the sum of the weights
    total, strongest, square = np.zeros(width), np.zeros(width), np.zeros(width)
    mean_sum, mean_weights = np.zeros(width), np.zeros(width)
    for s in range(count):
        for x in range(width):
            here = 1.0 if selected[s, x] else 0.0
            norm = math.sqrt(max(covariance[s, x], 0.0)) + NORM_FLOOR
            weight = here * (norm * norm * norm * norm + WEIGHT_FLOOR)
            scaled[s, x] = weight / norm
            total[x] += weight
            strongest[x] = max(strongest[x], here * norm)
            square[x] += scaled[s, x] * scaled[s, x] * covariance[s, x]
            distance = means[s, x] - 0.5
            weight = here * exposedness[s] * math.exp(-distance * distance * exposedness[count])
            mean_sum[x] += weight * means[s, x]
            mean_weights[x] += weight
    if len(pairs) > count:
        least = square * CANCELLED
        _add_pairs(covariance, pairs, scaled, square)
        for x in range(width):
            strongest[x] *= 1 / math.sqrt(square[x]) if square[x] > least[x] else 0.0
    else:
        strongest /= total
    mean_sum /= mean_weights
    for s in range(count):
        for x in range(width):
            factor = scaled[s, x] * strongest[x]
            factors[s, x] = factor
            mean_sum[x] -= factor * means[s, x]
    factors[count] = mean_sum


@compiled
def _add_pairs(covariance, pairs, scaled, square):
    for p in range(scaled.shape[0], len(pairs)):
        first, second, row = scaled[pairs[p, 0]], scaled[pairs[p, 1]], covariance[p]
        for x in range(square.size):
            square[x] += 2 * first[x] * second[x] * row[x]


@compiled
def blend_patches(planes, above, factors, covering_rows, covering_columns, white, fused):
    """Average of the fused patches that cover each pixel of `fused`, 3 x H x W float32 in [0, 1].

    `planes`: S x 3 x H' x W levels, of which the first `above` rows are left out; `factors`: (S + 1) x h x w of
    `patch_factors`; `covering_rows`: H x 2, first and one past the last row of patches over each row of pixels;
    `covering_columns`: W x 2.
    """
    count, width = planes.shape[0], planes.shape[3]
    sums = np.zeros((count + 1, factors.shape[2]))
    prefix, local = np.zeros(factors.shape[2] + 1), np.empty(width, np.float32)
    first = last = 0
    for y in range(len(covering_rows)):
        first, last = _move_patch_rows(factors, first, last, covering_rows[y], sums)
        for s in range(count, -1, -1):
            _covering_means(sums[s], prefix, covering_columns, 1 / (last - first), local)
            for c in range(3):
                out = fused[c, y]
                if s == count:
                    out[:] = local
                else:
                    _accumulate(local, planes[s, c, above + y], np.float32(1 / white), out)
        for c in range(3):
            _clip(fused[c, y])


@compiled
def _move_patch_rows(factors, first, last, covering, sums):
    """Sums over the rows of patches from covering[0] to covering[1]."""
    while last < covering[1]:
        for s in range(sums.shape[0]):
            for x in range(sums.shape[1]):
                sums[s, x] += factors[s, last, x]
        last += 1
    while first < covering[0]:
        for s in range(sums.shape[0]):
            for x in range(sums.shape[1]):
                sums[s, x] -= factors[s, first, x]
        first += 1
    return first, last


@compiled
def _covering_means(sums, prefix, covering_columns, share, local):
    for x in range(sums.size):
        prefix[x + 1] = prefix[x] + sums[x]
    for x in range(local.size):
        left, right = covering_columns[x]
        local[x] = (prefix[right] - prefix[left]) * share / (right - left)


@compiled
def _accumulate(factor, levels, scale, out):
    for x in range(out.size):
        out[x] += factor[x] * (np.float32(levels[x]) * scale)


@compiled
def _clip(row):
    for x in range(row.size):
        row[x] = min(max(row[x], np.float32(0)), np.float32(1))
