"""FSIM and FSIMc: Zhang, Zhang, Mou, Zhang, "FSIM: a feature similarity index", IEEE TIP 20(8), 2011.

Constants are the paper's for grey levels up to 255. Conventions of piq 0.8: average pooling by
round(shorter side / 256), whole cells only, YIQ, Scharr gradients with zeros beyond the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.metrics.phase_congruency import phase_congruency
from trainer.metrics.pictures import float_picture, require_pair

Plane = NDArray[np.float32]

T1, T2, T3, T4 = np.float32(0.85), np.float32(160), np.float32(200), np.float32(200)  # PC, gradient, I, Q
CHROMATIC_WEIGHT = 0.03  # lambda, an exponent
POOLED_SIDE = 256
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], np.float32)
SMOOTH, DIFFERENCE = np.array([3, 10, 3], np.float32) / 16, np.array([-1, 0, 1], np.float32)


class Fsim(NamedTuple):
    """The index on luminance, and with chrominance."""

    fsim: float
    fsimc: float


@dataclass(frozen=True, eq=False)
class Features:
    """Of one picture, pooled: HxW planes for grey levels up to 255."""

    congruency: Plane
    gradient: Plane
    i: Plane
    q: Plane


def fsim(picture: NDArray[Any], reference: NDArray[Any]) -> Fsim:
    """Both indices of HxWx3 RGB pictures, float32 in [0, 1] or uint8; 1 for equal ones, symmetric.

    Where neither has any phase congruency (constant pictures) all pixels weigh the same.
    ValueError for other types or different shapes.
    """
    require_pair(picture, reference)
    return similarity_of(features(picture), features(reference))


def features(picture: NDArray[Any]) -> Features:
    """What is compared; ask once for a reference that many pictures are compared with."""
    y, i, q = cv2.split(cv2.transform(_pooled(picture), YIQ * np.float32(255)))
    return Features(phase_congruency(y), _gradient(y), i, q)


def similarity_of(one: Features, other: Features) -> Fsim:
    """Both indices from the features of two pictures of one size."""
    weight = np.maximum(one.congruency, other.congruency)
    if not weight.any():
        weight = np.ones_like(weight)
    local = _ratio(one.congruency, other.congruency, T1)
    local *= _ratio(one.gradient, other.gradient, T2)
    local *= weight
    chromatic = np.abs(_ratio(one.i, other.i, T3) * _ratio(one.q, other.q, T4)) ** np.float32(
        CHROMATIC_WEIGHT
    )
    total = weight.sum(dtype=np.float64)
    return Fsim(
        float(local.sum(dtype=np.float64) / total),
        float((local * chromatic).sum(dtype=np.float64) / total),
    )


def _ratio(x: Plane, y: Plane, constant: np.float32) -> Plane:
    """(2 x y + T) / (x^2 + y^2 + T)."""
    return np.divide(2 * x * y + constant, x * x + y * y + constant)


def _pooled(picture: NDArray[Any]) -> Plane:
    """HxWx3 float32 in [0, 1], averaged over cells; rows and columns beyond the last whole cell are dropped."""
    height, width = picture.shape[:2]
    cell = max(1, round(min(height, width) / POOLED_SIDE))
    whole = float_picture(picture[: height // cell * cell, : width // cell * cell])
    size = (width // cell, height // cell)
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA) if cell > 1 else whole


def _gradient(plane: Plane) -> Plane:
    """Length of the Scharr gradient: HxW float32 -> HxW float32."""
    across = cv2.sepFilter2D(plane, cv2.CV_32F, DIFFERENCE, SMOOTH, borderType=cv2.BORDER_CONSTANT)
    down = cv2.sepFilter2D(plane, cv2.CV_32F, SMOOTH, DIFFERENCE, borderType=cv2.BORDER_CONSTANT)
    return cv2.magnitude(across, down)
