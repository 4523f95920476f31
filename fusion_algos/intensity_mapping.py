"""Intensity mapping functions: which level an exposure of the same scene has where another has a given one.

Learnt from the two images alone, as in Grossberg and Nayar, "Determining the camera response from images:
what is knowable?", IEEE TPAMI 25(11), 2003: histograms of a scene match whatever moved in it. The joint
histogram then refines what pixels near that match agree on.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

Curves = NDArray[np.float32]

LEVELS = 256
NEAR = 20  # levels around the match of histograms within which pixels are taken to show the same thing
LEAST_SHARE = 1e-4  # of all pixels; rarer levels follow their neighbours
LEAST_COUNT = 8
LEAST_AGREEMENT = (
    0.25  # share of a level's pixels; if fewer are near, it moved, and the histograms' match counts
)


def mapping_curves(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Curves:
    """Typical level in `second` of each level in `first`: 256x3 float32 in [0, 255], rising, per channel.

    `first`, `second`: HxWx3 uint8 of one size.
    """
    curves = [_curve(_joint_histogram(first[..., c], second[..., c])) for c in range(3)]
    return np.stack(curves, axis=1)


def re_exposed(image: NDArray[np.uint8], curves: Curves) -> NDArray[np.float32]:
    """`image` (HxWx3 uint8) as the exposure that `curves` lead to would show it: float32 in [0, 255]."""
    return cv2.LUT(np.ascontiguousarray(image), curves.reshape(LEVELS, 1, 3))


def _joint_histogram(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    pairs = np.left_shift(first, 8, dtype=np.uint16) | second
    return np.bincount(pairs.ravel(), minlength=LEVELS * LEVELS).reshape(LEVELS, LEVELS)


def _curve(joint: NDArray[np.int64]) -> NDArray[np.float32]:
    total, levels = joint.sum(axis=1), np.arange(LEVELS)
    matched = _histogram_match(total, joint.sum(axis=0))
    near = np.where(np.abs(levels - matched[:, np.newaxis]) <= NEAR, joint, 0)
    count = near.sum(axis=1)
    enough = max(LEAST_COUNT, LEAST_SHARE * joint.sum())
    agreed = count >= np.maximum(enough, LEAST_AGREEMENT * total)
    typical = np.where(agreed, (near @ levels) / np.maximum(count, 1), matched)
    known = np.flatnonzero(agreed | (total >= enough))
    if len(known) < 2:
        return matched.astype(np.float32)
    weights = np.where(agreed, count, LEAST_COUNT)[known].astype(np.float64)
    rising = isotonic_regression(typical[known], weights=weights).x
    inside = np.clip(levels, known[0], known[-1])
    return np.clip(PchipInterpolator(known, rising)(inside), 0, 255).astype(np.float32)


def _histogram_match(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """The level of `second` in which the middle pixel of each level of `first` falls, both sorted by level."""
    middle = np.cumsum(first) - (first + 1) // 2
    return np.searchsorted(np.cumsum(second), middle, side="right").clip(0, LEVELS - 1).astype(np.float64)
