"""Luminance split into a WLS base and detail, as the SICE networks were trained on (exact and fast)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_algos.weighted_least_squares import smoothed
from trainer.preprocessing.grey_levels import grey_levels

Plane = NDArray[np.float32]

AMOUNT, ALPHA = 2.0, 2.0  # lambda and alpha of the published networks


@dataclass(frozen=True)
class BaseDetail:
    """Both HxW float32; their sum is the luminance over its largest value in the picture."""

    base: Plane
    detail: Plane


def normalised_luminance(picture: NDArray[Any]) -> Plane:
    """HxW float32: rgb2gray of HxWx3 RGB (uint8, or float in [0, 1], which is rounded) over its maximum; 0 if black."""
    return _luminance(picture).astype(np.float32)


def base_detail(picture: NDArray[Any]) -> BaseDetail:
    """WLS base (lambda 2, alpha 2) and detail of a whole picture, HxWx3 RGB, uint8 or float32 in [0, 1]."""
    luminance = _luminance(picture)
    base = smoothed(luminance, amount=AMOUNT, alpha=ALPHA)
    luminance -= base
    return BaseDetail(base.astype(np.float32), luminance.astype(np.float32))


def _luminance(picture: NDArray[Any]) -> NDArray[np.float64]:
    """In float64: the solver takes logarithms of it."""
    grey = grey_levels(picture)
    return grey / np.float64(max(grey.max(), 1))
