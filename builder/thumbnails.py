"""What small grey versions of frames tell grouping: one view or two, how bright, how many EV apart."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pyvips
import rawpy
from numpy.typing import NDArray
from scipy.stats import spearmanr

from builder.camera_metadata import FrameFacts
from fusion_algos.color import srgb_to_linear

SIDE = 128  # px, long side
UNCLIPPED = (8, 247)  # levels, of 8 bits
LEAST_SHARE = 0.1  # of the pixels must be unclipped in both frames for views to be compared
WELL_EXPOSED = (24, 224)  # levels on which few cameras' toe and shoulder disturb a ratio of light
LEAST_WELL_EXPOSED = 0.005


class Thumbnails:
    """Answers to grouping.Views; each file is decoded at most once, and only when it is asked about."""

    def __init__(self) -> None:
        self._grey: dict[str, NDArray[np.uint8] | None] = {}

    def agreement(self, first: FrameFacts, second: FrameFacts) -> float | None:
        """Spearman's rank correlation over jointly unclipped pixels, which no monotone tone curve changes."""
        common = self._common_pixels(first, second, UNCLIPPED, LEAST_SHARE)
        if common is None or min(np.ptp(pixels) for pixels in common) == 0:
            return None
        return float(spearmanr(*common).statistic)

    def brightness(self, frame: FrameFacts) -> float | None:
        """Mean linear light in 0..1, as if the file were sRGB; None for files that cannot be decoded."""
        grey = self._of(frame)
        return None if grey is None else float(srgb_to_linear(grey).mean())

    def ev_between(self, darker: FrameFacts, brighter: FrameFacts) -> float | None:
        """Median log2 ratio of linear light over jointly well exposed pixels, as if the files were sRGB."""
        common = self._common_pixels(darker, brighter, WELL_EXPOSED, LEAST_WELL_EXPOSED)
        if common is None:
            return None
        low, high = (srgb_to_linear(pixels) for pixels in common)
        return float(np.median(np.log2(high / low)))

    def _common_pixels(
        self, first: FrameFacts, second: FrameFacts, levels: tuple[int, int], least_share: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
        a, b = self._of(first), self._of(second)
        if a is None or b is None or a.shape != b.shape:
            return None
        mask = (np.minimum(a, b) >= levels[0]) & (np.maximum(a, b) <= levels[1])
        return (a[mask], b[mask]) if mask.mean() >= least_share else None

    def _of(self, frame: FrameFacts) -> NDArray[np.uint8] | None:
        if frame.path not in self._grey:
            self._grey[frame.path] = _thumbnail(frame)
        return self._grey[frame.path]


def _thumbnail(frame: FrameFacts) -> NDArray[np.uint8] | None:
    """Grey HxW uint8 of long side 128, as stored (not turned upright); None if the file cannot be decoded."""
    try:
        data = Path(frame.path).read_bytes()
        return _raw_thumbnail(data) if frame.kind == "raw" else _shrunk(data)
    except (OSError, pyvips.Error, rawpy.LibRawError):
        return None


def _shrunk(data: bytes) -> NDArray[np.uint8]:
    picture = pyvips.Image.thumbnail_buffer(data, SIDE, height=SIDE, no_rotate=True, fail_on="error")
    return np.ascontiguousarray(
        picture.colourspace("b-w").numpy().reshape(picture.height, picture.width, -1)[:, :, 0]
    )


def _raw_thumbnail(data: bytes) -> NDArray[np.uint8]:
    """From the preview that the camera stored, which is as bright as its JPEG; else from the sensor data."""
    with rawpy.imread(io.BytesIO(data)) as raw:
        try:
            preview = raw.extract_thumb()
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            preview = None
        if preview is not None and preview.format == rawpy.ThumbFormat.JPEG:
            return _shrunk(preview.data)
        pixels = raw.postprocess(half_size=True, no_auto_bright=True, adjust_maximum_thr=0.0, user_flip=0)
    scale = SIDE / max(pixels.shape[:2])
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
