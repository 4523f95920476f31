"""Views of a scene as arrays: its camera, its radiance, the lens' glare."""

from __future__ import annotations

import functools
import hashlib
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numba import njit

from builder.simulate import rendering
from builder.simulate.lighting import Stage
from builder.simulate.rendering import (
    CAMERA_COLUMNS,
    FORWARD,
    MATRIX,
    MIDDLE,
    ORIGIN,
    PITCH,
    RIGHT,
    UP,
)
from builder.simulate.scene import Scene

INDIRECT_STEP = 4  # pixels between the points where soft light is gathered; half of it for small frames
INDIRECT_RAYS = 40
SMOOTHING = 4  # grid points
BAND = 16  # rows that a thread renders at a time
KERNEL_FILES = ("noise", "shapes", "geometry", "patterns", "materials", "sky", "lighting", "rendering")


@functools.cache
def _kernels() -> tuple[Callable[..., np.ndarray], Callable[..., None]]:
    """The two entry kernels, compiled once a machine.

    numba keeps compiled code by the file of the kernel alone, so the digest of all files that it calls into
    goes into its closure, which is part of numba's key.
    """
    sources = b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in KERNEL_FILES)
    digest = int(hashlib.sha256(sources).hexdigest()[:12], 16)

    @njit(cache=True, error_model="numpy")
    def soft_light(stage: Stage, camera: np.ndarray, height: int, width: int, step: int) -> np.ndarray:
        points = rendering.gather_indirect(stage, camera, height, width, step, INDIRECT_RAYS if digest else 0)
        for _ in range(2):
            points = rendering.smooth_indirect(points, SMOOTHING)
        return points

    @njit(cache=True, nogil=True, error_model="numpy")
    def pixels(
        stage: Stage, camera: np.ndarray, points: np.ndarray, step: int, top: int, left: int, out: np.ndarray
    ) -> None:
        rendering.render_pixels(
            stage, camera, points, step, rendering.SAMPLES, top if digest else 0, left, out
        )

    return soft_light, pixels


def camera_row(
    scene: Scene, width: int, height: int, frame_to_reference: np.ndarray | None = None
) -> np.ndarray:
    """Camera of a scene for frames of width x height; the matrix (3x3) says where a frame's pixels lie."""
    forward = np.subtract(scene.view.look_at, scene.view.eye)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    row = np.zeros(CAMERA_COLUMNS)
    row[ORIGIN : ORIGIN + 3], row[RIGHT : RIGHT + 3] = scene.view.eye, right
    row[UP : UP + 3], row[FORWARD : FORWARD + 3] = np.cross(right, forward), forward
    row[MIDDLE : MIDDLE + 2] = (width - 1) / 2, (height - 1) / 2
    row[PITCH] = 2 * math.tan(math.radians(scene.view.field) / 2) / max(width, height)
    row[MATRIX : MATRIX + 6] = (np.eye(3) if frame_to_reference is None else frame_to_reference)[:2].ravel()
    return row


def with_glare(radiance: np.ndarray, share: float) -> np.ndarray:
    """Adds the veil that a lens spreads around lights: `share` of the light, in three widths; in place."""
    height, width = radiance.shape[:2]
    small = cv2.resize(radiance, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    veil = np.zeros_like(small)
    for spread, weight in ((0.004, 0.5), (0.016, 0.35), (0.06, 0.15)):
        sigma = max(width, height) * spread / 4
        veil += np.float32(weight) * cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    radiance *= np.float32(1.0 - share)
    radiance += np.float32(share) * cv2.resize(veil, (width, height), interpolation=cv2.INTER_LINEAR)
    return radiance


def indirect_points(scene: Scene, camera: np.ndarray, width: int, height: int) -> tuple[np.ndarray, int]:
    """Soft light of a view on a coarse grid, and the grid's step in pixels."""
    step = INDIRECT_STEP if max(width, height) > 400 else INDIRECT_STEP // 2
    return _kernels()[0](scene.stage, camera, height, width, step), step


def render_part(
    scene: Scene, camera: np.ndarray, indirect: tuple[np.ndarray, int], top: int, left: int, out: np.ndarray
) -> None:
    """Fills `out` (float32, h x w x 3) with the radiance of the frame from row `top` and column `left` on.

    Bands of rows run side by side; every pixel is the same whatever the number of threads.
    """
    pixels = _kernels()[1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bands = [
            pool.submit(pixels, scene.stage, camera, *indirect, top + row, left, out[row : row + BAND])
            for row in range(0, len(out), BAND)
        ]
    for band in bands:
        band.result()


def projected(camera: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixel coordinates (n, 2) of world points (n, 3) in the reference view."""
    offset = points - camera[ORIGIN : ORIGIN + 3]
    depth = np.maximum(offset @ camera[FORWARD : FORWARD + 3], 0.05)
    x = offset @ camera[RIGHT : RIGHT + 3] / depth / camera[PITCH] + camera[MIDDLE]
    y = -(offset @ camera[UP : UP + 3]) / depth / camera[PITCH] + camera[MIDDLE + 1]
    return np.stack([x, y], axis=1)
