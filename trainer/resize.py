"""Resizing: area averages, and the seed's bicubic (MATLAB's imresize with antialiasing)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def area_resized(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """HxWxC of the same type, area-averaged (cv2.INTER_AREA)."""
    raise NotImplementedError


def short_side_resized(picture: NDArray[Any], short_side: int) -> NDArray[Any]:
    """Area-resized so that the shorter side is `short_side`; smaller pictures stay as they are."""
    raise NotImplementedError


def third_resized(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As the SICE authors trained: cropped to multiples of 3, bicubic (a = -.5) stretched by 3, symmetric border, rounded."""
    raise NotImplementedError
