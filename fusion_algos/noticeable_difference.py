"""Just noticeable difference: how much detail of an image the eye can miss, a measure of saliency.

Yang, Lin, Lu, Ong, Yao, "Motion-compensated residue preprocessing in video coding based on just-noticeable-
distortion profile", IEEE Trans. Circuits and Systems for Video Technology 15(6), 742-752, 2005.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from fusion_algos.color import luma_601, round_to_8_bit
from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import with_halo
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

EDGE_SIGMA = 2**0.5  # of the Gaussian whose derivatives find edges
EDGE_RADIUS = 6
EDGE_SHARE = 0.5  # of the greatest gradient: strong edges, whose texture hides nothing
LEAST_GRADIENT = 1e-3  # in 8-bit levels: less is rounding
DISK_RADIUS = 6  # around an edge
BLUR_RADIUS = 3  # of the 7 x 7 Gaussian that softens the disks' outline
BLUR_SIGMA = 0.8
HALO = EDGE_RADIUS + DISK_RADIUS + BLUR_RADIUS


def _gaussian(radius: int, sigma: float) -> Plane:
    values = np.exp(-np.square(np.arange(-radius, radius + 1)) / (2 * sigma**2))
    return (values / values.sum()).astype(np.float32)


def _disk(radius: int) -> NDArray[np.uint8]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (y * y + x * x <= radius * radius).astype(np.uint8)


def edge_level(stack: ExposureStack, k: int) -> float:
    """Squared gradient above which a pixel of exposure k is a strong edge."""
    strongest: list[float] = []

    def work(rows: slice) -> None:
        outer, inner = with_halo(rows, stack.height, EDGE_RADIUS)
        strongest.append(float(_squared_gradient(_luma(stack, k, outer))[inner].max()))

    over_strips(stack.height, max(1, stack.width // 4), work)
    return EDGE_SHARE**2 * max(strongest)


def noticeable_difference(stack: ExposureStack, k: int, edge_level: float, rows: slice) -> Plane:
    """The difference that is just noticed in some rows of exposure k, in levels of 25.5, always positive.

    It is a sum of luminance masking by the background bg, Jl = 17 (1 - sqrt(bg / 127)) + 3 or
    3/128 (bg - 127) + 3, and texture masking Jt = G (.0001 bg + .115) + .5 - .01 bg by the greatest G of four
    directional gradients, less .3 min(Jl, Jt); G is kept low near strong edges.
    """
    outer, inner = with_halo(rows, stack.height, HALO)
    luma = _luma(stack, k, outer)
    edges = (_squared_gradient(luma) > max(edge_level, LEAST_GRADIENT**2)).astype(np.uint8)
    calm = 1 - np.float32(0.95) * cv2.dilate(edges, _disk(DISK_RADIUS))
    taps = _gaussian(BLUR_RADIUS, BLUR_SIGMA)
    calm = cv2.sepFilter2D(calm, -1, taps, taps, borderType=cv2.BORDER_CONSTANT)
    difference = np.empty_like(luma[inner])
    _difference(cv2.copyMakeBorder(luma, 2, 2, 2, 2, cv2.BORDER_CONSTANT), calm, inner.start, difference)
    return difference


def _luma(stack: ExposureStack, k: int, rows: slice) -> Plane:
    """Whole numbers from 0 to 255."""
    return round_to_8_bit(luma_601(stack.image(k, rows))).astype(np.float32)


def _squared_gradient(luma: Plane) -> Plane:
    taps = _gaussian(EDGE_RADIUS, EDGE_SIGMA)
    slopes = taps * np.arange(-EDGE_RADIUS, EDGE_RADIUS + 1, dtype=np.float32) / np.float32(EDGE_SIGMA**2)
    across = cv2.sepFilter2D(luma, -1, slopes, taps, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(luma, -1, taps, slopes, borderType=cv2.BORDER_REPLICATE)
    return np.add(np.square(across, out=across), np.square(down, out=down), out=across)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _difference(luma: Plane, calm: Plane, first: int, difference: Plane) -> None:
    """Rows from `first` on; `luma` has a frame of 2 pixels, so row y of `calm` is its row y + 2."""
    for y in range(difference.shape[0]):
        row = y + first
        _difference_row(
            luma[row], luma[row + 1], luma[row + 2], luma[row + 3], luma[row + 4], calm[row], difference[y]
        )


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _difference_row(a: Plane, b: Plane, c: Plane, d: Plane, e: Plane, calm: Plane, difference: Plane) -> None:
    three, eight = np.float32(3), np.float32(8)
    for x in range(difference.size):
        w, z = x + 1, x + 3
        m, p = x + 2, x + 4
        ring = a[x] + a[w] + a[m] + a[z] + a[p] + e[x] + e[w] + e[m] + e[z] + e[p]
        ring += b[x] + c[x] + d[x] + b[p] + c[p] + d[p]
        near = b[w] + b[m] + b[z] + c[w] + c[z] + d[w] + d[m] + d[z]
        background = (ring + near + near) * np.float32(1 / 32)
        gradient = abs(
            b[x] + b[p] - d[x] - d[p] + three * (b[w] + b[z] - d[w] - d[z]) + eight * (b[m] - d[m])
        )
        upright = abs(a[w] + e[w] - a[z] - e[z] + three * (b[w] + d[w] - b[z] - d[z]) + eight * (c[w] - c[z]))
        level = a[m] - e[m]
        middle = c[x] - c[p] + three * (c[w] - c[z])
        falling = abs(level + middle + eight * (b[w] - d[z]) + three * (b[m] - d[m]))
        rising = abs(level - middle + eight * (b[z] - d[w]) + three * (b[m] - d[m]))
        gradient = max(max(gradient, upright), max(falling, rising)) * np.float32(1 / 16) * calm[x]
        dark = np.float32(17) * (np.float32(1) - np.sqrt(background * np.float32(1 / 127)))
        bright = np.float32(3 / 128) * (background - np.float32(127))
        luminance = (dark if background <= np.float32(127) else bright) + three
        texture = gradient * (np.float32(1e-4) * background + np.float32(0.115))
        texture += np.float32(0.5) - np.float32(0.01) * background
        total = luminance + texture - np.float32(0.3) * min(luminance, texture)
        difference[x] = total * np.float32(10 / 255)
