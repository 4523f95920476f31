"""Detail of a two-level Laplacian pyramid whose every coefficient first boosts the image around it.

Shen et al., "Exposure fusion using boosting Laplacian pyramid", IEEE Trans. Cybernetics 44(9), 2014, in the
manner of Paris, Hasinoff, Kautz, "Local Laplacian filters", ACM TOG 30(4), 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Plane = NDArray[np.float32]

TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05], np.float32)
REACH = 4  # up(down(.)) at a pixel reads 9 x 9 pixels
LARGE = 8_000_000  # pixels; in larger images taps below SMALL_TAP are left out
SMALL_TAP = 0.004
SMALLEST_GAIN = np.float32(1e-4)  # what weighs less cannot change the result by a tenth of an 8-bit level
BLOCK = 1024  # columns that are worked on together
# log2(1 + f) = f (C1 + f (C2 + ...)) to 2e-4 for 0 <= f <= 1
C1, C2, C3, C4 = (np.float32(c) for c in (1.43807325, -0.67476667, 0.31700073, -0.08030731))


@dataclass(frozen=True)
class DetailKernel:
    """Taps of up(down(.)) of each row (H x 9) and each column (9 x W); the least product that counts."""

    row_taps: Plane
    column_taps: Plane
    least: float

    @classmethod
    def of_size(cls, height: int, width: int) -> DetailKernel:
        least = SMALL_TAP if height * width > LARGE else 1e-9
        return cls(_taps_along(height), np.ascontiguousarray(_taps_along(width).T), least)


def _taps_along(length: int) -> Plane:
    """Taps (length x 9) of up(down(.)) along one axis.

    Down keeps every second value, up doubles; a tap outside of the image leaves its weight to the others.
    """
    place = np.arange(length)
    taps, inside = TAPS.astype(np.float64), np.ones(length)
    down_sum = np.convolve(np.pad(inside, 2), taps, "valid")
    up_sum = np.convolve(np.pad(inside * (place % 2 == 0), 2), taps, "valid")
    table = np.zeros((length, 2 * REACH + 1))
    for coarse in (-1, 0, 1):
        center = 2 * (place // 2 + coarse)
        offset = center - place
        up = np.where((center >= 0) & (center < length) & (abs(offset) <= 2), 1 / up_sum, 0)
        up *= taps[np.clip(offset + 2, 0, 4)]
        for tap in range(5):
            source = center + tap - 2
            valid = (up > 0) & (source >= 0) & (source < length)
            share = up * taps[tap] / down_sum[np.clip(center, 0, length - 1)]
            table[place[valid], (source - place + REACH)[valid]] += share[valid]
    return table.astype(np.float32)


def add_boosted_detail(
    image: Plane, smooth: Plane, guidance: Plane, gain: Plane, kernel: DetailKernel, rows: slice, total: Plane
) -> None:
    """Add `gain` times the boosted detail to `rows` of the HxWx3 `total`.

    `image` (x3) and `guidance` in [0, 1] reach REACH rows beyond `rows` as far as there are any, `smooth` (x3,
    the centre g of the boost) and `gain` do not. A pixel's detail is r(x) - up(down(r(.))) with
    r(v) = g + m (v - g) / d, d = |v - g|, m = t d^n / (d^n + .5^n) + (1 - t) d, n = .2^guidance and
    t = z^2 (z - 2)^2, z = 40 d - 1 clipped to [0, 1].
    """
    above = REACH - min(rows.start, REACH)
    below = REACH - min(total.shape[0] - rows.stop, REACH)
    planes = (*cv2.split(image), np.power(np.float32(0.2), guidance))
    frame = (above, below, REACH, REACH, cv2.BORDER_CONSTANT)
    pixels = np.stack([cv2.copyMakeBorder(plane, *frame) for plane in planes], axis=1)
    centers = np.stack(cv2.split(smooth), axis=1)
    row_taps = kernel.row_taps[rows]
    counts = row_taps[:, :, np.newaxis] * kernel.column_taps.max(axis=1) >= kernel.least
    _add_details(pixels, centers, gain, row_taps, kernel.column_taps, counts, total[rows])


@njit(nogil=True, cache=True, error_model="numpy")
def _add_details(pixels, centers, gain, row_taps, column_taps, counts, total):  # type: ignore[no-untyped-def]
    """Add the detail of a block of a row at a time.

    Rows of `pixels` are those of R, G, B and n, with a frame of REACH pixels, rows of `centers` those of R, G, B
    of g. `counts` says which of the 9 x 9 taps matter in a row.
    """
    height, width = gain.shape
    detail = np.empty((3, BLOCK), np.float32)
    scratch = np.empty(BLOCK, np.float32)
    for y in range(height):
        for x in range(0, width, BLOCK):
            size = min(BLOCK, width - x)
            if gain[y, x : x + size].max() < SMALLEST_GAIN:
                continue
            detail[:] = 0
            for i in range(9):
                for j in range(9):
                    if counts[y, i, j]:
                        here = np.float32(i == REACH and j == REACH)
                        taps = column_taps[j, x : x + size]
                        _add_tap(
                            pixels[y + i], x + j, centers[y], x, taps, row_taps[y, i], here, scratch, detail
                        )
            for place in range(size):
                weight = gain[y, x + place]
                if weight >= SMALLEST_GAIN:
                    for c in range(3):
                        total[y, x + place, c] += weight * detail[c, place]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _add_tap(pixels, first, centers, x0, taps, row_tap, here, scratch, detail):  # type: ignore[no-untyped-def]
    """Add (here - tap) (r(v) - g) to the detail: `here` is 1 for the tap at the pixel itself, else 0."""
    size = taps.size
    red, green, blue = pixels[0, first:], pixels[1, first:], pixels[2, first:]
    cr, cg, cb = centers[0, x0:], centers[1, x0:], centers[2, x0:]
    exponent = pixels[3, first:]
    r, g, b = detail[0], detail[1], detail[2]
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    for x in range(size):
        dr, dg, db = red[x] - cr[x], green[x] - cg[x], blue[x] - cb[x]
        scratch[x] = dr * dr + dg * dg + db * db + np.float32(1e-6)
    bits = scratch.view(np.int32)
    for x in range(size):
        # ln 2d = (log2 d^2 + 2) ln(2) / 2; log2 from a float's exponent and a polynomial of its mantissa
        f = np.float32(bits[x] & 0x7FFFFF) * np.float32(2**-23)
        e = np.float32((bits[x] >> 23) - 127)
        log2 = e + f * (C1 + f * (C2 + f * (C3 + f * C4)))
        u = exponent[x] * (log2 + two) * np.float32(0.25 * 0.6931471805599453)
        q = u * u
        # d^n / (d^n + .5^n) = (1 + tanh(n ln(2d) / 2)) / 2
        den = np.float32(15) + np.float32(6) * q
        num = u * (np.float32(15) + q)
        d = np.sqrt(scratch[x])
        z = min(max(np.float32(40) * d - one, np.float32(0)), one)
        z = z * (two - z)
        t = z * z
        scale = one + t * (half * (den + num) / (den * d) - one)
        w = (here - row_tap * taps[x]) * scale
        r[x] += w * (red[x] - cr[x])
        g[x] += w * (green[x] - cg[x])
        b[x] += w * (blue[x] - cb[x])
