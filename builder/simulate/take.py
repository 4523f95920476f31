"""One sequence's scene as it falls on the sensor, frame by frame: camera shake, movement, lens, scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from builder.simulate.noise import compiled, fractal_noise
from builder.simulate.scene import Scene
from builder.simulate.scenes.courtyard import courtyard_with_walker
from builder.simulate.sequences import Sequence
from builder.simulate.views import camera_row, indirect_points, projected, render_part, with_glare

RENDERED_PIXELS = 1_100_000  # larger frames are rendered at this size, enlarged, and grained
MAX_SHIFT = 12.0  # pixels
MAX_SHIFT_SHARE = 0.0125  # of the longer side, for small frames
MAX_TURN = 0.2  # degrees
CHANGED = 0.03  # relative difference of radiance that counts as movement
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Take:
    """A rendered sequence: everything its frames are made from."""

    sequence: Sequence
    seed: int
    width: int  # upright
    height: int
    scene: Scene
    matrices: tuple[np.ndarray, ...]  # 3x3 each, reference to frame pixel coordinates, order of capture
    indirect: tuple[np.ndarray, int]
    base: np.ndarray  # radiance of the reference view at the rendered size, without glare and walker
    scale: float  # to radiance x seconds = 1 at full well

    @property
    def reference(self) -> int:
        """Position of the reference frame in order of capture: the median exposure."""
        return self.sequence.steps.index(0)

    @property
    def is_static(self) -> bool:
        """Whether every frame sees the same radiance."""
        return not (self.sequence.hand_held or self.sequence.moving)


def prepare(sequence: Sequence, width: int, height: int, seed: int) -> Take:
    """Builds and renders the reference view; width and height are the upright ones, in pixels."""
    scene = sequence.scene(np.random.default_rng(seed))
    shrink = min(1.0, math.sqrt(RENDERED_PIXELS / (width * height)))
    inner = max(round(width * shrink), 16), max(round(height * shrink), 16)
    camera = camera_row(scene, *inner)
    indirect = indirect_points(scene, camera, *inner)
    base = np.empty((inner[1], inner[0], 3), np.float32)
    render_part(scene, camera, indirect, 0, 0, base)
    log_mean = float(np.mean(np.log(with_glare(base.copy(), scene.view.glare) @ LUMINANCE)))
    scale = sequence.key / (math.exp(log_mean) * float(sequence.reference_seconds))
    matrices = shaken(sequence, width, height, seed)
    return Take(sequence, seed, width, height, scene, matrices, indirect, base, scale)


def shaken(sequence: Sequence, width: int, height: int, seed: int) -> tuple[np.ndarray, ...]:
    """Matrices (3x3) from reference to frame pixels: identity on a tripod and for the reference."""
    random = np.random.default_rng((seed, 0x5A4E))
    reach = min(MAX_SHIFT, MAX_SHIFT_SHARE * max(width, height))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrices = []
    for step in sequence.steps:
        matrix = np.eye(3)
        if sequence.hand_held and step != 0:
            turn, along = math.radians(random.uniform(-MAX_TURN, MAX_TURN)), random.uniform(0, 2 * math.pi)
            shift = random.uniform(0.35, 0.98) * reach * np.array([math.cos(along), math.sin(along)])
            matrix[:2, :2] = (math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))
            matrix[:2, 2] = centre - matrix[:2, :2] @ centre + shift
        matrices.append(matrix)
    return tuple(matrices)


def frame_radiance(take: Take, position: int) -> np.ndarray:
    """Radiance on the sensor in a frame, float32 (height, width, 3) upright; x seconds = 1 fills wells."""
    raw = take.base
    if take.sequence.hand_held and position != take.reference:
        raw = _from_elsewhere(take, take.matrices[position])
    if take.sequence.moving:
        raw = _with_walker(take, position)
    return _on_sensor(take, raw, take.matrices[position])


def still_radiance(take: Take) -> np.ndarray:
    """Radiance of the reference view without what moves; as `frame_radiance`."""
    return _on_sensor(take, take.base, np.eye(3))


def moved(take: Take, radiance: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Mask (bool, h x w) of the pixels where something moving hides or shades the still scene."""
    before, after = still @ LUMINANCE, radiance @ LUMINANCE
    return np.asarray(np.abs(after - before) > CHANGED * before)


def _from_elsewhere(take: Take, matrix: np.ndarray) -> np.ndarray:
    """The scene rendered for a camera whose pixels the matrix (reference to frame) displaces."""
    height, width = take.base.shape[:2]
    # The matrix in coordinates of the rendered size: pixel centres (x + 0.5) s - 0.5.
    sx, sy = width / take.width, height / take.height
    size = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    camera = camera_row(take.scene, width, height, size @ np.linalg.inv(matrix) @ np.linalg.inv(size))
    raw = np.empty_like(take.base)
    render_part(take.scene, camera, indirect_points(take.scene, camera, width, height), 0, 0, raw)
    return raw


def _with_walker(take: Take, position: int) -> np.ndarray:
    """The base with the rectangle around walker and shadow rendered anew."""
    progress = position / (len(take.sequence.steps) - 1)
    scene, corners = courtyard_with_walker(np.random.default_rng(take.seed), progress)
    height, width = take.base.shape[:2]
    camera = camera_row(scene, width, height)
    places = projected(camera, corners)
    left, top = np.clip(np.floor(places.min(axis=0)).astype(int) - 2, 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(places.max(axis=0)).astype(int) + 3, (left + 1, top + 1), (width, height))
    part = np.empty((bottom - top, right - left, 3), np.float32)
    render_part(scene, camera, take.indirect, int(top), int(left), part)
    raw = take.base.copy()
    raw[top:bottom, left:right] = part
    return raw


def _on_sensor(take: Take, raw: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Adds the lens' glare, enlarges where the frame is larger than rendered, scales to the wells."""
    radiance = with_glare(raw.copy(), take.scene.view.glare)
    if radiance.shape[1] != take.width or radiance.shape[0] != take.height:
        radiance = _enlarged(radiance, take.width, take.height, np.linalg.inv(matrix), take.seed)
    radiance *= np.float32(take.scale)
    return radiance


def _enlarged(
    radiance: np.ndarray, width: int, height: int, to_reference: np.ndarray, seed: int
) -> np.ndarray:
    """Cubic enlargement of log radiance (so that edges of lights do not ring below zero), with grain."""
    large = cv2.resize(np.log(radiance), (width, height), interpolation=cv2.INTER_CUBIC)
    for top in range(0, height, 256):
        np.exp(large[top : top + 256], out=large[top : top + 256])
    _add_grain(large, to_reference, 0.5 * radiance.shape[1] / width, seed & 0xFFFF)
    return large


@compiled
def _add_grain(radiance: np.ndarray, to_reference: np.ndarray, pitch: float, seed: int) -> None:
    """Multiplies by texture of the scales that enlarging lacks, fixed to reference coordinates; in place."""
    for row in range(radiance.shape[0]):
        for column in range(radiance.shape[1]):
            x = (to_reference[0, 0] * column + to_reference[0, 1] * row + to_reference[0, 2]) * pitch
            y = (to_reference[1, 0] * column + to_reference[1, 1] * row + to_reference[1, 2]) * pitch
            share = np.float32(0.75 + 0.5 * fractal_noise(x, y, 0.5, 2, 0.5 * pitch, seed))
            radiance[row, column, 0] *= share
            radiance[row, column, 1] *= share
            radiance[row, column, 2] *= share
