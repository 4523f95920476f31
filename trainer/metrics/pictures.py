"""What the metrics take for a picture: HxWx3 RGB, uint8 or float32 in [0, 1]; checked once, at their edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]


def require_picture(picture: Picture) -> None:
    """ValueError for another shape or type."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"a metric takes HxWx3 pictures of uint8, or float32 in [0, 1]; found {picture.dtype} {picture.shape}"
        )


def require_pair(picture: Picture, reference: Picture) -> None:
    """ValueError unless both are pictures of one size."""
    require_picture(picture)
    require_picture(reference)
    if picture.shape != reference.shape:
        raise ValueError(
            f"a picture of shape {picture.shape} cannot be compared with a reference of {reference.shape}; "
            f"resize the pair first"
        )


def float_picture(picture: Picture) -> NDArray[np.float32]:
    """The same picture as float32 in [0, 1]."""
    if picture.dtype == np.uint8:
        return np.divide(picture, 255, dtype=np.float32)
    return picture
