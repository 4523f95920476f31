"""Procedural brackets with known camera motion: radiance, a moved camera, noise, clipping, an 8-bit curve."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

WIDTH, HEIGHT, MARGIN = 960, 640, 96
CURVES = {  # encoded value of linear [0, 1]: the standard's, and a film-like one with toe and shoulder
    "srgb": lambda x: np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055),
    "film": lambda x: (lambda y: y * y * (3 - 2 * y))(np.sqrt(x)) * 0.8 + 0.2 * x,
}


@cache
def radiance(seed: int, stops: float = 9.0) -> np.ndarray:
    """Textured surfaces of many brightnesses with sharp borders, (HEIGHT, WIDTH, 3) + MARGIN, median 0.18."""
    random = np.random.default_rng(seed)
    shape = (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
    log = sum(strength * _blotches(random, shape, size) for size, strength in ((1, 0.5), (4, 0.5), (16, 0.6)))
    log += stops / 4 * _blotches(random, shape, 160)
    for _ in range(60):
        centre = tuple(int(v) for v in random.integers(0, shape[::-1]))
        axes = tuple(int(v) for v in random.integers(10, 90, 2))
        mask = cv2.ellipse(np.zeros(shape, np.uint8), centre, axes, random.uniform(0, 180), 0, 360, 1, -1)
        log += mask * np.float32(random.uniform(-2, 2))
    colour = np.stack([1 + 0.25 * _blotches(random, shape, 60) for _ in range(3)], axis=2)
    scene = np.exp2(log)[..., None] * np.clip(colour * random.uniform(0.7, 1.3, 3), 0.4, 2)
    return (scene * 0.18 / np.median(scene)).astype(np.float32)


def _blotches(random: np.random.Generator, shape: tuple[int, int], size: int) -> np.ndarray:
    """Smooth noise of unit deviation whose blotches are about 2 * `size` pixels wide, HxW float32."""
    coarse = random.standard_normal((shape[0] // size + 4, shape[1] // size + 4)).astype(np.float32)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 1.1)
    noise = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return noise / noise.std()


def hand(
    shift: tuple[float, float], degrees: float = 0.0, tilt: float = 0.0, shape=(HEIGHT, WIDTH)
) -> np.ndarray:
    """3x3 motion about the centre: shift in pixels, rotation, and perspective (1/pixel)."""
    centre = np.array([[1, 0, (shape[1] - 1) / 2], [0, 1, (shape[0] - 1) / 2], [0, 0, 1]])
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, 1, 0], [tilt, 0, 1]])
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    return move @ centre @ turn @ lean @ np.linalg.inv(centre)


def photograph(
    scene: np.ndarray, motion: np.ndarray, ev: float, seed: int, curve: str = "srgb"
) -> np.ndarray:
    """The HxWx3 uint8 frame in which pixel `motion` x shows what an unmoved camera has at x."""
    margin = np.array([[1, 0, MARGIN], [0, 1, MARGIN], [0, 0, 1.0]])
    moved = cv2.warpPerspective(
        scene,
        margin @ np.linalg.inv(motion),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
    )
    full_well = 20000.0
    electrons = np.clip(moved, 0, None) * np.exp2(ev) * full_well
    random = np.random.default_rng(seed)
    noisy = electrons + random.standard_normal(electrons.shape) * np.sqrt(electrons + 30)
    linear = np.clip(noisy / full_well, 0, 1)
    return np.round(CURVES[curve](linear) * 255).clip(0, 255).astype(np.uint8)


def bracket(seed: int, motions: list[np.ndarray], evs: list[float], curve: str = "srgb") -> list[np.ndarray]:
    """One frame per motion and exposure of the scene of that seed."""
    scene = radiance(seed)
    pairs = zip(motions, evs, strict=True)
    return [photograph(scene, motion, ev, seed * 100 + k, curve) for k, (motion, ev) in enumerate(pairs)]
