"""A textured square that moves over a textured scene, and the same brackets with the square at rest."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class MovingSquare:
    """`radiance[k]` (HxWx3) falls on exposure k, whose square covers `masks[k]` (HxW bool)."""

    seconds: tuple[float, ...]
    radiance: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]

    def moving(self) -> list[np.ndarray]:
        """HxWx3 uint8 exposures, each with the square elsewhere."""
        return [encoded(light * s) for light, s in zip(self.radiance, self.seconds, strict=True)]

    def at_rest(self, k: int) -> list[np.ndarray]:
        """The same exposures with the square where exposure k has it."""
        return [encoded(self.radiance[k] * s) for s in self.seconds]


def encoded(light: np.ndarray) -> np.ndarray:
    return np.floor(255 * np.clip(light, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def moving_square(count: int, height: int = 160, width: int = 240, seed: int = 3) -> MovingSquare:
    """`count` exposures a stop apart; the square goes from the left to the right, darker than most around."""
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.random((6, 8, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    grain = cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), 1.2)
    scene = np.exp2(5 * smooth - 4 + 0.8 * grain)
    side, top = height // 4, height // 3
    square = np.exp2(0.4 * rng.standard_normal((side, side, 3))) * [0.5, 0.1, 0.05]
    radiance, masks = [], []
    for k in range(count):
        left = 24 + (width - 48 - side) * k // (count - 1)
        place = slice(top, top + side), slice(left, left + side)
        light, mask = scene.copy(), np.zeros((height, width), bool)
        light[place], mask[place] = square, True
        radiance.append(light)
        masks.append(mask)
    return MovingSquare(tuple(0.25 * 2.0**k for k in range(count)), tuple(radiance), tuple(masks))
