"""MEF-SSIM: how well a fused image keeps the structure of its exposures.

Ma, Zeng, Wang, "Perceptual quality assessment for multi-exposure image fusion", IEEE TIP 24(11), 2015: gray,
3 scales, as in the published tables. It ignores color and does not penalise halos, so it must never choose
the best candidate alone.

No window is visited on its own: for a window with sources x_k (means removed) the desired patch is
sum_k a_k x_k, where the a_k need only norms; the norms and all moments of sums over k follow from the
covariances of pairs, which are box or Gaussian filtered products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import round_to_8_bit
from fusion_algos.mef_ssim_windows import WINDOW, gaussian_taps, sums_of_similarities
from fusion_algos.row_strips import row_strips
from fusion_algos.stack import ExposureStack

SCALE_EXPONENTS = (0.0448, 0.2856, 0.3001)  # fine to coarse; normalised over the scales in use
TAPS = gaussian_taps(1.5)
STRIP_PIXELS = 3_000_000  # of each plane, in one strip of rows of windows
TILE_VALUES = 1 << 17  # so many float32 of filtered rows stay in a processor's cache

GrayPlane = NDArray[np.uint8]
ScalePlane = NDArray[Any]  # uint8 gray levels, or uint16 sums of the 4 or 16 pixels of a coarser scale's one


def mef_ssim(stack: ExposureStack, fused: NDArray[Any]) -> float | None:
    """MEF-SSIM in [0, 1] of one fused HxWx3 RGB image (uint8, or float32 in [0, 1]); None below 11 pixels.

    Raises ValueError if the fused image has another size than the stack, or another type.
    """
    if fused.shape != stack.shape:
        raise ValueError(
            f"the fused image has shape {fused.shape}, its stack {stack.shape}; score equal sizes"
        )
    return score_many(stack, [gray_plane(fused)])[0]


def score_many(stack: ExposureStack, fused: Sequence[GrayPlane]) -> list[float | None]:
    """MEF-SSIM of many fused images of one stack, given as the HxW uint8 planes of `gray_plane`.

    What does not depend on the fused images is found once for all, in strips that are not kept: K + N planes
    need 1.5 bytes per pixel each at most, the N given ones included. Raises ValueError if sizes differ.
    """
    for plane in fused:
        if plane.shape != stack.shape[:2] or plane.dtype != np.uint8:
            raise ValueError(
                f"a fused gray plane is {plane.dtype} {plane.shape}; give uint8 {stack.shape[:2]}, the stack's size"
            )
    if not fused or min(stack.shape[:2]) < WINDOW:
        return [None] * len(fused)
    qualities = np.array(list(_qualities(stack, fused)))
    exponents = np.array(SCALE_EXPONENTS[: len(qualities)])
    powers = np.maximum(qualities, 0) ** (exponents / exponents.sum())[:, np.newaxis]
    return [float(score) for score in powers.prod(axis=0)]


def gray_plane(image: NDArray[Any]) -> GrayPlane:
    """The HxW plane that MEF-SSIM sees of an HxWx3 RGB image: uint8, or float32 in [0, 1], else ValueError.

    floor(.298936 R + .587043 G + .114021 B + .5) of the 8-bit rounded image, in exact integers.
    """
    if image.dtype not in (np.uint8, np.float32):
        raise ValueError(f"the fused image has type {image.dtype}; give uint8, or float32 in [0, 1]")
    gray = np.empty(image.shape[:2], np.uint8)
    for rows in row_strips(*image.shape[:2]):
        strip = image[rows] if image.dtype == np.uint8 else round_to_8_bit(image[rows])
        red, green, blue = np.moveaxis(strip.astype(np.int32), 2, 0)
        gray[rows] = (298936 * red + 587043 * green + 114021 * blue + 500000) // 1000000
    return gray


def _qualities(stack: ExposureStack, fused: Sequence[GrayPlane]) -> Iterator[NDArray[np.float64]]:
    """Mean similarity of every fused image at every scale, from fine to coarse."""
    planes: list[ScalePlane] = [*map(gray_plane, stack.images), *fused]
    for scale in range(len(SCALE_EXPONENTS)):
        if scale > 0:
            planes = [_halved(plane) for plane in planes]
        if min(planes[0].shape) < WINDOW:
            return
        yield _mean_similarities(planes, len(stack), 4.0**-scale)


def _mean_similarities(planes: Sequence[ScalePlane], count: int, unit: float) -> NDArray[np.float64]:
    """Means over all windows, of each plane behind the first `count`, which are the sources."""
    height, width = (side - WINDOW + 1 for side in planes[0].shape)
    rows = max(1, STRIP_PIXELS // width)
    totals = np.zeros(len(planes) - count)
    for first in range(0, height, rows):
        strip = slice(first, first + rows + WINDOW - 1)
        totals += _strip_sums(np.stack([plane[strip] for plane in planes], dtype=np.uint16), count, unit)
    return totals / (height * width)


def _strip_sums(planes: NDArray[np.uint16], count: int, unit: float) -> NDArray[np.float64]:
    """Sums over the windows of a strip: tiles of columns in turn, on as many threads as OpenCV."""
    sources, fused = planes[:count], planes[count:]
    width = planes.shape[2] - WINDOW + 1
    rings = count * (count + 3) // 2 + len(fused) * (count + 2)
    tile = max(32, TILE_VALUES // (rings * WINDOW))

    def tile_sums(left: int) -> NDArray[np.float64]:
        return sums_of_similarities(sources, fused, unit, left, min(tile, width - left), TAPS)

    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:
        return np.sum(list(pool.map(tile_sums, range(0, width, tile))), axis=0)


def _halved(plane: ScalePlane) -> NDArray[np.uint16]:
    """Sums of 2x2 pixels, the last row or column repeated at odd sizes: HxW -> ceil(H/2) x ceil(W/2)."""
    height, width = plane.shape
    halved = np.empty((-(-height // 2), -(-width // 2)), np.uint16)
    for rows in row_strips(height, width):
        strip = plane[rows]
        even = np.pad(strip, ((0, len(strip) % 2), (0, width % 2)), mode="edge")
        pairs = np.add(even[::2], even[1::2], dtype=np.uint16)
        halved[rows.start // 2 : rows.start // 2 + len(pairs)] = pairs[:, ::2] + pairs[:, 1::2]
    return halved
