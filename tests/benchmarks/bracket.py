"""A bracket as a camera might take it, the same at every call: what the benchmarks are measured on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SEED = 20240
EXPOSURES = 7
STOPS_BETWEEN = 2
READ_NOISE = 0.0008  # of the sensor's white
TEXTURE_ROWS = TEXTURE_COLUMNS = 1024
SHAPES = {12: (3000, 4000), 24: (4000, 6000)}


def shape_of(megapixels: int) -> tuple[int, int]:
    """Height and width in the proportion of usual cameras."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    return SHAPES.get(megapixels, (height, round(height * 1.5)))


def bracket(megapixels: int, count: int = EXPOSURES) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """`count` exposures, 2 EV apart, HxWx3 uint8 RGB, sRGB-encoded, and their seconds.

    The radiance spans 16 stops: fractal texture in the colours of three fractal planes, under soft light.
    It is made in strips of rows, so that the making needs next to no memory beyond the images.
    """
    height, width = shape_of(megapixels)
    rng = np.random.default_rng(SEED)
    texture, light = _texture(rng), rng.uniform(-6, 4, (4, 6)).astype(np.float32)
    light = cv2.resize(light, (width, 512), interpolation=cv2.INTER_CUBIC)
    seconds = [2.0 ** (STOPS_BETWEEN * (k - count // 2)) / 60 for k in range(count)]
    images = [np.empty((height, width, 3), np.uint8) for _ in seconds]
    columns = np.pad(np.arange(TEXTURE_COLUMNS), (0, width), mode="symmetric")[:width]
    for first in range(0, height, 64):
        rows = np.arange(first, min(first + 64, height))
        stops = texture[np.minimum(rows % 2048, 2047 - rows % 2048)][:, columns]
        stops = stops + light[rows * 512 // height, :, np.newaxis]
        for image, exposure in zip(images, seconds, strict=True):
            image[rows[0] : rows[-1] + 1] = _photographed(np.exp2(stops) * (60 * 0.18 * exposure), rng)
    return images, seconds


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Colour texture in stops: noise of every scale, its amplitude in proportion to the scale."""
    size = (TEXTURE_ROWS, TEXTURE_COLUMNS, 3)
    texture = np.zeros(size, np.float32)
    for octave in range(2, 11):
        noise = rng.standard_normal((2**octave, 2**octave, 3), dtype=np.float32)
        gray = noise.mean(axis=2, keepdims=True)  # colours vary less than brightness
        noise = 0.4 * noise + gray
        texture += cv2.resize(noise, size[1::-1], interpolation=cv2.INTER_CUBIC) * np.float32(0.75**octave)
    return texture


def _photographed(light: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    light = light + READ_NOISE * rng.standard_normal(light.shape, dtype=np.float32)
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055)
    return (encoded * 255 + 0.5).astype(np.uint8)
