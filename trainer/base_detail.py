"""Luminance split into a WLS base and detail, as the SICE networks were trained on (exact and fast)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class BaseDetail:
    """Both HxW float32; their sum is the luminance over its largest value in the picture."""

    base: Plane
    detail: Plane


def normalised_luminance(picture: NDArray[Any]) -> Plane:
    """HxW float32: rgb2gray of HxWx3 RGB (uint8, or float in [0, 1]: rounded to 8 bits) over its maximum; 0 if black."""
    raise NotImplementedError


def base_detail(picture: NDArray[Any]) -> BaseDetail:
    """WLS base (lambda 2, alpha 2) and detail of a whole picture, HxWx3 RGB, uint8 or float32 in [0, 1]."""
    raise NotImplementedError
