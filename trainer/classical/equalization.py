"""Histogram equalisation of lightness, of the whole frame and of tiles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.classical.exposure import Exposure

CLIP_LIMIT, TILES = 2.0, (8, 8)


def hist_eq(exposure: Exposure) -> NDArray[np.uint8]:
    """Luma Y of BT.601 equalised, chroma kept: HxWx3 uint8."""
    channels = cv2.cvtColor(exposure.picture, cv2.COLOR_RGB2YCrCb)
    channels[:, :, 0] = cv2.equalizeHist(channels[:, :, 0])
    return cv2.cvtColor(channels, cv2.COLOR_YCrCb2RGB)


def clahe(exposure: Exposure) -> NDArray[np.uint8]:
    """Lightness L of CIELAB equalised in 8x8 tiles, contrast limited to 2: HxWx3 uint8."""
    channels = cv2.cvtColor(exposure.picture, cv2.COLOR_RGB2LAB)
    channels[:, :, 0] = cv2.createCLAHE(CLIP_LIMIT, TILES).apply(channels[:, :, 0])
    return cv2.cvtColor(channels, cv2.COLOR_LAB2RGB)
