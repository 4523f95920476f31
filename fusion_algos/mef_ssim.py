"""MEF-SSIM: how well a fused image keeps the structure of its exposures.

Ma, Zeng, Wang, "Perceptual quality assessment for multi-exposure image fusion", IEEE TIP 24(11), 2015: gray,
3 scales, as in the published tables. It ignores color and does not penalise halos, so it must never choose
the best candidate alone.

No window is visited on its own: for a window with sources x_k (means removed) the desired patch is
sum_k a_k x_k, where the a_k need only norms; the norms and all moments of sums over k follow from the
covariances of pairs, which are box or Gaussian filtered products.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import round_to_8_bit
from fusion_algos.mef_ssim_windows import WINDOW, desired_patches, gaussian_taps, sum_of_similarities
from fusion_algos.row_strips import row_strips
from fusion_algos.stack import ExposureStack

SCALE_EXPONENTS = (0.0448, 0.2856, 0.3001)  # fine to coarse; normalised over the scales in use
TAPS = gaussian_taps(1.5)
TILE_VALUES = 1 << 17  # so many float32 of filtered rows stay in a processor's cache

Result = TypeVar("Result")


def mef_ssim(stack: ExposureStack, fused: NDArray[Any]) -> float | None:
    """MEF-SSIM in [0, 1] of one fused HxWx3 RGB image (uint8, or float32 in [0, 1]); None below 11 pixels."""
    return StackStructure(stack).score(fused)


class StackStructure:
    """What MEF-SSIM needs of a stack, computed once to score many fused images.

    Holds about 8 K + 5 bytes per pixel. Raises ValueError if a fused image has another size.
    """

    def __init__(self, stack: ExposureStack) -> None:
        self.shape = stack.shape
        self.scales = [] if min(stack.shape[:2]) < WINDOW else _scales(stack)

    def score(self, fused: NDArray[Any]) -> float | None:
        """MEF-SSIM in [0, 1] of one fused HxWx3 RGB image; as `mef_ssim`."""
        if fused.shape != self.shape:
            raise ValueError(
                f"the fused image has shape {fused.shape}, its stack {self.shape}; score equal sizes"
            )
        if fused.dtype not in (np.uint8, np.float32):
            raise ValueError(f"the fused image has type {fused.dtype}; give uint8, or float32 in [0, 1]")
        exponents = SCALE_EXPONENTS[: len(self.scales)]
        if not exponents:
            return None
        gray, score = _sixteenths(_gray(fused)), 1.0
        for scale, exponent in zip(self.scales, exponents, strict=True):
            quality = scale.mean_similarity(gray)
            score *= max(quality, 0.0) ** (exponent / sum(exponents))
            gray = _halved(gray)
        return score


@dataclass(frozen=True)
class _Scale:
    """One scale of the stack; h, w = H-10, W-10 are the valid window positions."""

    gray: NDArray[np.uint16]  # K x H x W, in sixteenths of a gray level
    factors: NDArray[np.float32]  # K x h x w: the a_k of the desired patch
    variance: NDArray[np.float32]  # h x w: Gaussian-weighted variance of the desired patch

    def mean_similarity(self, fused: NDArray[np.uint16]) -> float:
        def tile_sum(left: int, size: int) -> float:
            return float(
                sum_of_similarities(
                    self.gray, left, size, TAPS, self.factors, self.variance, fused[np.newaxis]
                )
            )

        rings = 2 * len(self.gray) + 2
        return sum(_over_tiles(tile_sum, self.variance.shape[1], rings)) / self.variance.size


def _over_tiles(work: Callable[[int, int], Result], width: int, rings: int) -> list[Result]:
    """Results of `work(left, size)` for tiles of columns from left to right, on as many threads as OpenCV."""
    tile = max(32, TILE_VALUES // (rings * WINDOW))
    lefts = range(0, width, tile)
    sizes = [min(tile, width - left) for left in lefts]
    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:
        return list(pool.map(work, lefts, sizes))


def _scales(stack: ExposureStack) -> list[_Scale]:
    gray: NDArray[np.uint16] = np.stack([_sixteenths(_gray(image)) for image in stack.images])
    scales: list[_Scale] = []
    while min(gray.shape[1:]) >= WINDOW and len(scales) < len(SCALE_EXPONENTS):
        scales.append(_scale(gray))
        gray = np.stack([_halved(plane) for plane in gray])
    return scales


def _scale(gray: NDArray[np.uint16]) -> _Scale:
    count, height, width = gray.shape
    size = (height - WINDOW + 1, width - WINDOW + 1)
    factors, variance = np.empty((count, *size), np.float32), np.empty(size, np.float32)

    def fill(left: int, size: int) -> None:
        desired_patches(gray, left, size, TAPS, factors, variance)

    _over_tiles(fill, size[1], count + count * (count + 1) // 2)
    return _Scale(gray, factors, variance)


def _gray(image: NDArray[Any]) -> NDArray[np.uint8]:
    """floor(.298936 R + .587043 G + .114021 B + .5) of the 8-bit rounded image, in exact integers."""
    gray = np.empty(image.shape[:2], np.uint8)
    for rows in row_strips(*image.shape[:2]):
        strip = image[rows] if image.dtype == np.uint8 else round_to_8_bit(image[rows])
        red, green, blue = np.moveaxis(strip.astype(np.int32), 2, 0)
        gray[rows] = (298936 * red + 587043 * green + 114021 * blue + 500000) // 1000000
    return gray


def _sixteenths(gray: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Gray levels times 16, so that the means of 2x2 pixels stay exact through the two coarser scales."""
    return np.left_shift(gray, 4, dtype=np.uint16)


def _halved(plane: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Means of 2x2 pixels, the last row or column repeated at odd sizes: HxW -> ceil(H/2) x ceil(W/2)."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    rows = even[::2] + even[1::2]
    return np.right_shift(rows[:, ::2] + rows[:, 1::2], 2, dtype=np.uint16)
