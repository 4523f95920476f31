"""Pictures of 16 bits in the 8 bits that networks are trained, scored and split into base and detail on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def eight_bits(picture: NDArray[Any]) -> NDArray[Any]:
    """uint16 of any shape rounded to uint8; other types as they are."""
    return cv2.convertScaleAbs(picture, alpha=1 / 257) if picture.dtype == np.uint16 else picture
