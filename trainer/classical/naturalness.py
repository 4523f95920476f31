"""In the manner of NPE: Wang, Zheng, Hu, Li, "Naturalness preserved enhancement algorithm for non-uniform illumination
images", IEEE TIP 22(9), 2013. Its parts are here, its details are not: hence "-like".

A picture is reflectance x illumination; the illumination is mapped so that its histogram follows a logarithm, where
each pixel counts by the logarithm of its illumination ("bi-log"); the reflectance is kept. [own]: the guided filter
(He, Sun, Tang, IEEE TPAMI 35(6), 2013) in place of NPE's bright-pass filter, its window and its epsilon.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.classical.exposure import Exposure

WINDOW_SHARE = 1 / 16  # side of the guided filter's window over the shorter side
EPSILON = np.float32(1e-2)
LEVELS = 256
Plane = NDArray[np.float32]


def npe_like(exposure: Exposure) -> Plane:
    """reflectance x mapped illumination: HxWx3 float32 in [0, 1]."""
    picture = exposure.picture.astype(np.float32) / 255
    illumination = illumination_above(picture.max(axis=2))
    gain = bi_log_mapped(illumination) / np.maximum(illumination, 1 / 255)
    return np.minimum(picture * gain[:, :, np.newaxis], 1)


def illumination_above(brightest: Plane) -> Plane:
    """Edge-preserving smooth HxW plane nowhere below `brightest`, so that no reflectance is above 1."""
    side = max(3, int(min(brightest.shape) * WINDOW_SHARE) | 1)

    def mean(plane: NDArray[Any]) -> Plane:
        return cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_REFLECT)

    average = mean(brightest)
    variance = np.maximum(mean(brightest * brightest) - average * average, 0)
    slope = variance / (variance + EPSILON)  # guided by itself: 1 at edges, 0 in flat parts
    smooth = mean(slope) * brightest + mean(average - slope * average)
    return np.clip(smooth, brightest, 1)


def bi_log_mapped(illumination: Plane) -> Plane:
    """HxW in [0, 1] -> the same with its log-weighted histogram matched to one that grows as a logarithm."""
    levels = np.round(illumination * (LEVELS - 1)).astype(np.intp)
    logarithm = np.log1p(np.arange(LEVELS, dtype=np.float64))
    counted = np.bincount(levels.ravel(), minlength=LEVELS) * logarithm
    if not counted.any():  # black: nothing to be mapped
        return illumination
    found, wanted = np.cumsum(counted) / counted.sum(), np.cumsum(logarithm) / logarithm.sum()
    mapping = np.interp(found, wanted, np.linspace(0, 1, LEVELS)).astype(np.float32)
    return mapping[levels]
