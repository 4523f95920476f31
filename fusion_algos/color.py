"""sRGB encoding (IEC 61966-2-1) and the definitions of luminance."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# The names of the weights say which standard they come from; both act on R, G, B in this order.
LUMA_601 = (0.2989, 0.5870, 0.1140)  # Y of the exposure fusion papers (Matlab's rgb2gray)
LUMINANCE_709 = (0.2126, 0.7152, 0.0722)  # of linear Rec.709 / sRGB primaries


def weighted_channels(image: NDArray[np.float32], weights: tuple[float, float, float]) -> NDArray[np.float32]:
    """Weighted sum of the channels: HxWx3 float32 -> HxW float32."""
    return cv2.transform(image, np.array([weights], np.float32))


def luma_601(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Y = .2989 R + .5870 G + .1140 B of an encoded image: HxWx3 float32 -> HxW float32."""
    return weighted_channels(image, LUMA_601)


def luminance_709(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """.2126 R + .7152 G + .0722 B: HxWx3 float32 -> HxW float32."""
    return weighted_channels(image, LUMINANCE_709)


def round_to_8_bit(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """floor(255 v + .5) of float32 values in [0, 1], any shape, as uint8."""
    scaled = np.multiply(image, np.float32(255))
    scaled += np.float32(0.5)
    return scaled.astype(np.uint8)


def srgb_to_linear(encoded: NDArray[Any]) -> NDArray[np.float32]:
    """Linear light in [0, 1] of sRGB-encoded values: uint8, uint16 or float32 in [0, 1], any shape."""
    if encoded.dtype.kind == "u":
        levels = np.iinfo(encoded.dtype).max
        return _decoded(np.arange(levels + 1, dtype=np.float64) / levels)[encoded]
    return _decoded(encoded)


def linear_to_srgb(linear: NDArray[Any]) -> NDArray[np.float32]:
    """sRGB-encoded values in [0, 1] of linear light: uint16 (65535 = 1) or float32 (clipped), any shape."""
    if linear.dtype.kind == "u":
        levels = np.iinfo(linear.dtype).max
        return _encoded(np.arange(levels + 1, dtype=np.float64) / levels)[linear]
    return _encoded(np.clip(linear, 0, 1))


def _decoded(encoded: NDArray[Any]) -> NDArray[np.float32]:
    steep = np.power((encoded + encoded.dtype.type(0.055)) / encoded.dtype.type(1.055), 2.4)
    return np.where(encoded <= 0.04045, encoded / 12.92, steep).astype(np.float32)


def _encoded(linear: NDArray[Any]) -> NDArray[np.float32]:
    steep = 1.055 * np.power(linear, 1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, steep).astype(np.float32)
