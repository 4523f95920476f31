"""SSIM of two pictures (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004), strip by strip of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import luma_601
from trainer.metrics.pictures import Picture, float_picture, require_pair

Plane = NDArray[np.float32]  # HxW or HxWxC
Means = Callable[[Plane], Plane]  # of the windows around each pixel, same shape

C1, C2 = np.float32(0.01**2), np.float32(0.03**2)  # for a peak of 1
STRIP_ROWS = 128  # rows of windows
GAUSSIAN = cv2.getGaussianKernel(11, 1.5, cv2.CV_32F)


def gaussian_means(plane: Plane) -> Plane:
    """11x11 Gaussian of sigma 1.5."""
    return cv2.sepFilter2D(plane, cv2.CV_32F, GAUSSIAN, GAUSSIAN)


def uniform_means(plane: Plane) -> Plane:
    """7x7 pixels, equal weights."""
    return cv2.blur(plane, (7, 7))


def ssim_rgb(picture: Picture, reference: Picture) -> float:
    """`rgb-g11`: mean over channels, Gaussian 11x11 sigma 1.5, valid windows (Wang et al. 2004)."""
    require_pair(picture, reference)
    return mean_ssim(picture, reference, float_picture, gaussian_means, window=11)


def ssim_gray(picture: Picture, reference: Picture) -> float:
    """`gray-u7`: scikit-image's default, 7x7 uniform window, sample covariance, on BT.601 luma."""
    require_pair(picture, reference)
    return mean_ssim(
        picture,
        reference,
        lambda rows: luma_601(float_picture(rows)),
        uniform_means,
        window=7,
        sample_covariance=True,
    )


def mean_ssim(
    picture: NDArray[Any],
    reference: NDArray[Any],
    planes_of: Callable[[NDArray[Any]], Plane],
    means: Means,
    *,
    window: int,
    sample_covariance: bool = False,
) -> float:
    """Mean of SSIM over channels and all windows that lie in the picture.

    planes_of: makes float32 planes with peak 1 of some rows of the picture. sample_covariance: variances over
    n - 1 of the window's n pixels, not n. ValueError for pictures smaller than a window.
    """
    height, width = picture.shape[:2]
    rows, columns = height - window + 1, width - window + 1
    if min(rows, columns) < 1:
        raise ValueError(f"SSIM needs at least {window}x{window} pixels, found {height}x{width}")
    scale = np.float32(window**2 / (window**2 - 1) if sample_covariance else 1)
    total, values = 0.0, 0
    for top in range(0, rows, STRIP_ROWS):
        strip = slice(top, min(top + STRIP_ROWS, rows) + window - 1)
        similarity = _similarity(planes_of(picture[strip]), planes_of(reference[strip]), means, scale)
        margin = window // 2
        inside = similarity[margin:-margin, margin:-margin]
        total, values = total + float(inside.sum(dtype=np.float64)), values + inside.size
    return total / values


def _similarity(x: Plane, y: Plane, means: Means, scale: np.float32) -> Plane:
    """(2 mx my + C1)(2 cov + C2) / ((mx^2 + my^2 + C1)(vx + vy + C2)) at each pixel.

    About .5 the squares are small, and less is lost in variances as differences of means. Written so that equal
    pictures give exactly 1.
    """
    half = np.float32(0.5)
    x, y = x - half, y - half
    mean_x, mean_y = means(x), means(y)
    covariance = scale * (means(x * y) - mean_x * mean_y)
    variances = scale * (means(x * x + y * y) - (mean_x**2 + mean_y**2))
    mean_x, mean_y = mean_x + half, mean_y + half
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance * ((2 * covariance + C2) / (variances + C2))
