"""ExpoBlend: a blend in the log domain, weighted by exponentiated local entropy."""

from __future__ import annotations

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.color import luminance_709
from fusion_algos.edge_filters import scaled_radius
from fusion_algos.row_strips import over_strips, row_strips
from fusion_algos.row_windows import enlarged_rows
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

PUBLISHED_RADIUS = 29  # pixels, for images of about 512 x 384
LEVEL_COUNT = int(255 * np.log(2) + 0.5) + 1  # of round(255 ln(1 + x)), x in [0, 1]


@algorithm(
    title="ExpoBlend: exposure blending based on normalized log-domain entropy",
    cite="Bruce: ExpoBlend: information preserving exposure blending based on normalized log-domain entropy. "
    "Computers & Graphics 39, 12-23, 2014",
    revision=1,
)
def fuse(
    stack: ExposureStack, *, radius: int = PUBLISHED_RADIUS, exponent: float = 6.0, radius_scale: float = 1.0
) -> Plane:
    """exp(sum_k W_k ln(1 + x_k)), W_k ~ exp(exponent H_k / sum H), stretched to the whole range [0, 1].

    H_k is the entropy of the 8-bit log luminance in disks of `radius` pixels times `radius_scale`.
    """
    radius = scaled_radius(radius, radius_scale)
    entropies = [_entropy(stack, k, radius) for k in range(len(stack))]
    fused = np.empty(stack.shape, np.float32)

    def work(rows: slice) -> None:
        fused[rows] = _blended_rows(stack, entropies, exponent, rows)

    over_strips(stack.height, stack.width, work)
    _stretch(fused)
    return fused


def _blended_rows(stack: ExposureStack, entropies: list[Plane], exponent: float, rows: slice) -> Plane:
    """exp of the weighted mean of ln(1 + x_k): values from 1 to 2."""
    local = [enlarged_rows(entropy, rows, stack.shape[:2]) for entropy in entropies]
    scale = np.float32(exponent) / (np.sum(local, axis=0) + np.float32(1e-12))
    numerator = np.zeros((*scale.shape, 3), np.float32)
    denominator = np.zeros_like(scale)
    for k, entropy in enumerate(local):
        weight = np.exp(entropy * scale)
        denominator += weight
        cv2.accumulateProduct(stack.mapped(k, np.log1p, rows), cv2.merge((weight, weight, weight)), numerator)
    numerator /= denominator[..., np.newaxis]
    return np.exp(numerator, out=numerator)


def _stretch(fused: Plane) -> None:
    """(F - min) / (max - min) over all channels, in place; F - 1 where the image is constant."""
    lowest, highest = fused.min(), fused.max()
    gain = np.float32(1) / (highest - lowest) if highest > lowest else np.float32(1)
    offset = lowest if highest > lowest else np.float32(1)

    def work(rows: slice) -> None:
        fused[rows] -= offset
        fused[rows] *= gain
        np.clip(fused[rows], 0, 1, out=fused[rows])

    over_strips(fused.shape[0], fused.shape[1], work)


def _entropy(stack: ExposureStack, k: int, radius: int) -> Plane:
    """Local entropy in bits of exposure k at the pixels nearest to the cells of a coarser grid."""
    levels = np.empty(stack.shape[:2], np.uint8)
    for strip in row_strips(*stack.shape[:2]):
        luminance = luminance_709(stack.mapped(k, np.log1p, strip))
        levels[strip] = luminance * np.float32(255) + np.float32(0.5)
    # A large disk is as well filled by every second or third or further pixel.
    thinning = max(1, min(radius // PUBLISHED_RADIUS, *levels.shape))
    levels, radius = levels[thinning // 2 :: thinning, thinning // 2 :: thinning], radius // thinning
    step = _grid_step(levels.size)
    rows, columns = _cell_centers(levels.shape[0], step), _cell_centers(levels.shape[1], step)
    padded = cv2.copyMakeBorder(levels, radius, radius, radius, radius, cv2.BORDER_REFLECT)
    half_widths = np.sqrt(radius**2 - np.square(np.arange(-radius, radius + 1))).astype(np.int64)
    entropy = np.empty((len(rows), len(columns)), np.float32)

    def work(strip: slice) -> None:
        _disk_entropy(padded, rows[strip], columns, half_widths, entropy[strip])

    over_strips(len(rows), levels.shape[1], work)
    return entropy


def _grid_step(pixels: int) -> int:
    """Entropy is smooth: it is found at every pixel of small images, at one in 4 x 4 of large ones."""
    return 1 if pixels <= 500_000 else 2 if pixels <= 2_000_000 else 4


def _cell_centers(length: int, step: int) -> NDArray[np.int64]:
    """Pixels nearest to the centers of ceil(length / step) equal cells."""
    cells = -(-length // step)
    return ((np.arange(cells) + 0.5) * length / cells).astype(np.int64)


@numba.njit(nogil=True, cache=True)
def _disk_entropy(padded, rows, columns, half_widths, entropy):  # type: ignore[no-untyped-def]
    """Entropy of the disk around each (row, column): the histogram slides along a row.

    `padded` has a border as wide as the disk's radius; with n pixels of the disk and counts c of the levels,
    H = log2 n - sum c log2 c / n.
    """
    radius = half_widths.size // 2
    size = 2 * np.sum(half_widths) + half_widths.size
    terms = np.zeros(size + 1)
    for count in range(2, size + 1):
        terms[count] = count * np.log2(count)
    for i in range(rows.size):
        counts = np.zeros(LEVEL_COUNT, np.int32)
        window = padded[rows[i] : rows[i] + half_widths.size]
        x = 0
        for line in range(half_widths.size):
            for column in range(radius - half_widths[line], radius + half_widths[line] + 1):
                counts[window[line, column]] += 1
        for j in range(columns.size):
            while x < columns[j]:
                for line in range(half_widths.size):
                    counts[window[line, x + radius - half_widths[line]]] -= 1
                    counts[window[line, x + radius + half_widths[line] + 1]] += 1
                x += 1
            total = 0.0
            for level in range(LEVEL_COUNT):
                total += terms[counts[level]]
            entropy[i, j] = np.log2(size) - total / size
