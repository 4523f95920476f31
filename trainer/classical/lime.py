"""LIME: Guo, Li, Ling, "LIME: low-light image enhancement via illumination map estimation", IEEE TIP 26(2), 2017.

The sped-up solver of its section III-C with weights of strategy III and the settings of the authors' demo, without
the denoising step. Ours: epsilon, and a window that sums to 1.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.weighted_least_squares import solve_weighted_laplacian
from trainer.classical.exposure import Exposure

SMOOTHNESS, SIGMA, EXPONENT = 0.15, 2.0, 0.7  # alpha, the window of the weights, gamma of the illumination
EPSILON = 1e-3
TOLERANCE = 1e-4
Plane = NDArray[np.float32]


def lime(exposure: Exposure) -> Plane:
    """R = L / t^.7 with the refined illumination t: HxWx3 float32 in [0, 1]. Brightens only: for under-exposure."""
    picture = exposure.picture.astype(np.float32) / 255
    illumination = refined_illumination(picture.max(axis=2))
    return np.minimum(picture / np.maximum(illumination, EPSILON)[:, :, np.newaxis] ** EXPONENT, 1)


def refined_illumination(illumination: Plane) -> Plane:
    """t of (Id + alpha sum_d D_d' diag(w_d / (|D_d T| + epsilon)) D_d) t = T; T, t: HxW in [0, 1]."""
    down, right = (SMOOTHNESS * _structure_weights(np.diff(illumination, axis=axis)) for axis in (0, 1))
    exact = illumination.astype(np.float64)
    return solve_weighted_laplacian(exact, down, right, tolerance=TOLERANCE).astype(np.float32)


def _structure_weights(difference: Plane) -> NDArray[np.float64]:
    """w / (|DT| + e) of each edge, w = 1 / (|G * DT| + e): texture cancels out in the window, an edge does not.

    difference: of neighbours, down or to the right; the same shape comes back.
    """
    if difference.size == 0:  # a picture of one row or column
        return difference.astype(np.float64)
    windowed = cv2.GaussianBlur(difference, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    edges = np.abs(difference).astype(np.float64)
    return 1 / ((np.abs(windowed) + EPSILON) * (edges + EPSILON))
