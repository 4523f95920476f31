"""PU21: linear light to perceptually uniform values, so that metrics for pictures may be applied to it.

Mantiuk, Azimi, "PU21: a novel perceptually uniform encoding", PCS 2021, with banding and glare; 100 cd/m2 is about 256,
which the metrics take as the peak, as the authors' own code does.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.metrics.ssim import gaussian_means, mean_ssim

P = (0.353487901, 0.3734658629, 8.277049286e-5, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142)
DARKEST, BRIGHTEST = 0.005, 10_000.0  # cd/m2
REFERENCE_WHITE = 200.0  # cd/m2 that linear light of 1 is shown with
PEAK = 256.0
LUMINANCE = np.array([[0.212656, 0.715158, 0.072186]], np.float32)  # of linear Rec.709


def pu21(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """V = p7 (((p1 + p2 Y^p4) / (1 + p3 Y^p4))^p5 - p6) of Y in cd/m2 clipped to [.005, 10000]; any shape."""
    p1, p2, p3, p4, p5, p6, p7 = (np.float32(one) for one in P)
    power = np.clip(luminance, np.float32(DARKEST), np.float32(BRIGHTEST)) ** p4
    return p7 * (((p1 + p2 * power) / (1 + p3 * power)) ** p5 - p6)


def pu21_psnr(linear: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """PSNR in dB of the encoded channels of HxWx3 float32 linear light, reference white = 1; inf for equal pictures."""
    _require_linear(linear, reference)
    squares = cv2.norm(encoded(linear), encoded(reference), cv2.NORM_L2SQR)
    return 10 * math.log10(PEAK**2 * linear.size / squares) if squares > 0 else math.inf


def pu21_ssim(linear: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """SSIM (Gaussian 11x11, sigma 1.5) of the encoded luminance of HxWx3 float32 linear light, reference white = 1."""
    _require_linear(linear, reference)
    return mean_ssim(linear, reference, _encoded_luminance, gaussian_means, window=11)


def scaled_to(linear: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """HxWx3 linear light times the one factor that gives it the median log luminance of the reference.

    Medians are over the pixels where both have light; without any, the light comes back as it is.
    """
    _require_linear(linear, reference)
    mine, wanted = (cv2.transform(each, LUMINANCE) for each in (linear, reference))
    both = (mine > 0) & (wanted > 0)
    if not both.any():
        return linear
    factor = math.exp(float(np.median(np.log(wanted[both]))) - float(np.median(np.log(mine[both]))))
    return linear * np.float32(factor)


def encoded(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """PU21 of linear light with reference white = 1, of the same shape."""
    return pu21(linear * np.float32(REFERENCE_WHITE))


def _encoded_luminance(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    return encoded(cv2.transform(linear, LUMINANCE)) / np.float32(PEAK)


def _require_linear(linear: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
    """ValueError unless both are HxWx3 float32 of one shape."""
    for each in (linear, reference):
        if each.dtype != np.float32 or each.ndim != 3 or each.shape[2] != 3 or each.shape != linear.shape:
            raise ValueError(
                f"PU21 compares HxWx3 float32 linear light of one shape; found {linear.dtype} {linear.shape} "
                f"and {reference.dtype} {reference.shape}"
            )
