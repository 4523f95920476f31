"""The simulated camera: electrons with noise and clipping, 14-bit numbers, two tone curves for its JPEGs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ROWS = 128  # rows exposed at a time: bounds the memory of a large frame


@dataclass(frozen=True)
class Sensor:
    """A sensor; radiance x seconds = 1 fills its wells."""

    full_well: float = 30_000.0  # electrons
    read_noise: float = 3.0  # electrons
    dark_current: float = 0.05  # electrons per second
    photo_response: float = 0.005  # relative spread of sensitivity (PRNU)
    black: int = 512
    white: int = 15_871  # 14 bit


SENSOR = Sensor()


def expose(
    radiance: np.ndarray, seconds: float, *, seed: int, frame: int, sensor: Sensor = SENSOR
) -> np.ndarray:
    """Raw numbers (uint16, shape of `radiance`) exposed; `seed` fixes the pixels' gain, `frame` the noise."""
    fixed = np.random.default_rng((seed, 0x9127))
    noise = np.random.default_rng((seed, 0x5EED, frame))
    numbers = np.empty(radiance.shape, np.uint16)
    gain = (sensor.white - sensor.black) / sensor.full_well
    for top in range(0, len(radiance), ROWS):
        electrons = radiance[top : top + ROWS] * np.float32(seconds * sensor.full_well)
        electrons *= 1.0 + sensor.photo_response * fixed.standard_normal(electrons.shape, np.float32)
        electrons += sensor.dark_current * seconds
        # Far above the full well every draw clips; the bound keeps the draw cheap and finite.
        np.clip(electrons, 0.0, 2.0 * sensor.full_well, out=electrons)
        electrons = noise.poisson(electrons).astype(np.float32)
        electrons += sensor.read_noise * noise.standard_normal(electrons.shape, np.float32)
        np.minimum(electrons, sensor.full_well, out=electrons)
        numbers[top : top + ROWS] = np.clip(np.rint(electrons * gain + sensor.black), 0, sensor.white)
    return numbers


def bayer(numbers: np.ndarray) -> np.ndarray:
    """RGGB mosaic (h, w) of an RGB frame (h, w, 3): each photosite keeps its own colour."""
    mosaic = numbers[..., 1].copy()
    mosaic[0::2, 0::2] = numbers[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = numbers[1::2, 1::2, 2]
    return mosaic


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 transfer function, [0, 1] to [0, 1]."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )


def film_curve(linear: np.ndarray) -> np.ndarray:
    """sRGB's curve bent into an S: a stronger toe and shoulder, as picture styles of cameras have."""
    encoded = srgb_curve(linear)
    return encoded + 0.55 * (encoded * encoded * (3.0 - 2.0 * encoded) - encoded)


RESPONSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"srgb": srgb_curve, "film": film_curve}


def picture(numbers: np.ndarray, response: str, sensor: Sensor = SENSOR) -> np.ndarray:
    """The 8-bit picture (uint8) that the camera makes of raw numbers with the named response."""
    linear = np.clip((np.arange(sensor.white + 1) - sensor.black) / (sensor.white - sensor.black), 0.0, 1.0)
    table = np.rint(255.0 * RESPONSES[response](linear)).astype(np.uint8)
    return table[numbers]
