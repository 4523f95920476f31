"""Small stand-ins for frames, and pairs of them made comparable.

Two exposures differ by an unknown monotone curve and by where they clip. So the brighter one is
brought to the tones of the darker one by matching histograms (Grossberg and Nayar 2003: no
registration is needed for that), and both are clipped where either is. What is left is taken out
locally: `detail` has no local mean and contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.registration.motion_model import Matrix

DARKEST_LUMA = 5  # 8-bit levels; below, a frame holds noise and quantisation only
BRIGHTEST_LUMA = 250  # averaged proxies hide clipped pixels among others: stop a little earlier than 255
CONTRAST_WINDOW = 31  # proxy pixels over which mean and contrast are taken out
NOISE_LEVELS = 2.5  # contrast below this many 8-bit levels is not amplified
BLOCK = 16
TEXTURED_LEVELS = 2.0  # standard deviation of a block that counts as textured, in 8-bit levels


@dataclass(frozen=True)
class Proxy:
    """A reduced frame: luma is HxW uint8."""

    luma: NDArray[np.uint8]
    to_full: Matrix  # 3x3: proxy pixel -> full-resolution pixel, centres at integers

    @property
    def enlargement(self) -> float:
        """Full-resolution pixels per proxy pixel."""
        return float(self.to_full[0, 0])


@dataclass(frozen=True)
class Pair:
    """Two proxies in common tones (HxW float32, levels of the darker one) and as detail (HxW uint8)."""

    fixed_tone: NDArray[np.float32]
    moving_tone: NDArray[np.float32]
    fixed_detail: NDArray[np.uint8]
    moving_detail: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.fixed_tone.shape
        return height, width


def make_proxy(frame: NDArray[np.uint8], long_side: int) -> Proxy:
    """Reduce an HxWx3 uint8 RGB frame to at most `long_side` pixels; smaller frames keep their size."""
    small = reduced(frame, long_side)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    ratio_x, ratio_y = frame.shape[1] / small.shape[1], frame.shape[0] / small.shape[0]
    # INTER_AREA: full = (proxy + 1/2) * ratio - 1/2
    to_full = np.array([[ratio_x, 0, (ratio_x - 1) / 2], [0, ratio_y, (ratio_y - 1) / 2], [0, 0, 1]])
    return Proxy(luma, to_full)


def reduced(frame: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """The frame at `long_side` pixels, each the mean of those it stands for; smaller frames as they are."""
    height, width = frame.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def make_pair(fixed: Proxy, moving: Proxy) -> Pair:
    """Make two exposures comparable: same tones, same clipping."""
    if fixed.luma.mean() <= moving.luma.mean():
        fixed_tone, moving_tone = common_tones(fixed.luma, moving.luma)
    else:
        moving_tone, fixed_tone = common_tones(moving.luma, fixed.luma)
    return Pair(fixed_tone, moving_tone, _detail(fixed_tone), _detail(moving_tone))


def common_tones(
    darker: NDArray[np.uint8], brighter: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both images in the darker one's levels, clipped where either is (HxW uint8 -> HxW float32)."""
    levels = np.arange(256, dtype=np.float32)
    dark_share, bright_share = (
        np.cumsum(np.bincount(i.ravel(), minlength=256)) / i.size for i in (darker, brighter)
    )
    occupied = np.diff(dark_share, prepend=0.0) > 0
    curve = np.interp(bright_share, dark_share[occupied], levels[occupied]).astype(np.float32)
    highest = max(float(curve[BRIGHTEST_LUMA]), DARKEST_LUMA + 1.0)
    limited = np.clip(levels, DARKEST_LUMA, min(highest, BRIGHTEST_LUMA))
    return cv2.LUT(darker, limited), cv2.LUT(brighter, np.clip(curve, DARKEST_LUMA, limited[-1]))


def _detail(tone: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(tone - local mean) / local deviation, as 128 + 40 z."""
    window = (CONTRAST_WINDOW, CONTRAST_WINDOW)
    difference = tone - cv2.blur(tone, window)
    deviation = cv2.sqrt(cv2.blur(difference * difference, window) + NOISE_LEVELS**2)
    return cv2.convertScaleAbs(difference / deviation, alpha=40, beta=128)


def warp_proxy(image: NDArray, matrix: Matrix, shape: tuple[int, int]) -> NDArray:
    """Resample `image` to (height, width) `shape`: pixel x of the result is pixel `matrix` x of it."""
    if np.array_equal(matrix, np.eye(3)) and image.shape == shape:
        return image
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(image, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def covered(matrix: Matrix, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """255 where `matrix` points into a frame of that (height, width), else 0."""
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(np.full(shape, 255, np.uint8), matrix, shape[::-1], flags=flags)


def block_mean(image: NDArray) -> NDArray[np.float32]:
    """Means of whole 16x16 blocks, float32; a frame below 16 px gives one block."""
    rows, columns = (max(1, side // BLOCK) for side in image.shape[:2])
    whole = image[: rows * BLOCK, : columns * BLOCK].astype(np.float32, copy=False)
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def block_deviation(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviations of whole 16x16 blocks."""
    centred = image - image.mean()  # float32 squares of large levels would cancel badly
    return np.sqrt(np.maximum(block_mean(centred * centred) - block_mean(centred) ** 2, 0))


def has_texture(proxy: Proxy) -> bool:
    """Whether anything in an exposure, 1 % of its blocks at least, can be recognised."""
    unclipped = np.clip(proxy.luma, DARKEST_LUMA, BRIGHTEST_LUMA).astype(np.float32)
    return float((block_deviation(unclipped) > TEXTURED_LEVELS).mean()) >= 0.01


def block_ncc(
    first: NDArray[np.float32], second: NDArray[np.float32], least_deviation: float
) -> NDArray[np.float32]:
    """Zero-mean normalised correlation per 16x16 block; NaN where either deviates less than that."""
    first_centred, second_centred = first - first.mean(), second - second.mean()
    mean_1, mean_2 = block_mean(first_centred), block_mean(second_centred)
    variance_1 = block_mean(first_centred * first_centred) - mean_1**2
    variance_2 = block_mean(second_centred * second_centred) - mean_2**2
    covariance = block_mean(first_centred * second_centred) - mean_1 * mean_2
    textured = np.minimum(variance_1, variance_2) > least_deviation**2
    ncc = np.full(mean_1.shape, np.nan, np.float32)
    ncc[textured] = covariance[textured] / np.sqrt(variance_1[textured] * variance_2[textured])
    return ncc


def mean_ncc(pair: Pair, matrix: Matrix) -> float | None:
    """Mean correlation of textured blocks of `fixed` with `moving` warped; None if there are none."""
    ncc = block_ncc(pair.fixed_tone, warp_proxy(pair.moving_tone, matrix, pair.shape), TEXTURED_LEVELS)
    known = ncc[np.isfinite(ncc) & (block_mean(covered(matrix, pair.shape)) == 255)]
    return float(known.mean()) if known.size else None
