"""Metrics that look at each pixel by itself: PSNR, angles between colours, the share of clipped pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from trainer.metrics.pictures import Picture, float_picture, require_pair, require_picture

ROWS = 256  # worked on at once, so that no large copies are made

HIGHEST_PSNR = 100.0  # dB, stands in means for a picture equal to its reference: infinity has none


def psnr(picture: Picture, reference: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all channels, peak 1; inf for equal pictures."""
    require_pair(picture, reference)
    peak = 255 if picture.dtype == reference.dtype == np.uint8 else 1
    if picture.dtype != reference.dtype:
        picture, reference = float_picture(picture), float_picture(reference)
    squares = cv2.norm(picture, reference, cv2.NORM_L2SQR)
    return 10 * math.log10(peak**2 * picture.size / squares) if squares > 0 else math.inf


def angular_error(picture: Picture, reference: Picture) -> float:
    """Mean angle in degrees between the RGB vectors of both, over pixels where neither is black; 0 if there is none.

    Says how far colours are off, whatever the brightness (the "angular error" of
    colour constancy). atan2(|x × y|, x · y) is exact for small angles, where the arc cosine is not.
    """
    require_pair(picture, reference)
    total, count = 0.0, 0
    for top in range(0, len(picture), ROWS):
        x, y = (cv2.split(float_picture(each[top : top + ROWS])) for each in (picture, reference))
        dot = x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
        cross = np.hypot(x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2])
        cross = np.hypot(cross, x[0] * y[1] - x[1] * y[0])
        coloured = (x[0] + x[1] + x[2] > 0) & (y[0] + y[1] + y[2] > 0)
        total += float(np.arctan2(cross, dot).sum(where=coloured, dtype=np.float64))
        count += int(coloured.sum())
    return math.degrees(total / count) if count else 0.0


def clipped_share(picture: Picture) -> float:
    """Share of the pixels of one picture with a channel that is 0 or 255 when rounded to 8 bits."""
    require_picture(picture)
    low, high = (0, 255) if picture.dtype == np.uint8 else (0.5 / 255, 254.5 / 255)
    red, green, blue = cv2.split(picture)
    least, most = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return float(((least <= low) | (most >= high)).mean())
