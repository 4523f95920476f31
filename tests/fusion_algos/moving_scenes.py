"""Brackets in which something moves, with the picture that they would have given had it stood still."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fusion_algos import ExposureStack

COUNT = 3
SECONDS = (1.0, 4.0, 16.0)


@dataclass(frozen=True)
class MovingScene:
    """`moving` and `still`: stacks equal but for what moved; `moved`: HxW, where it is in any exposure."""

    moving: ExposureStack
    still: ExposureStack
    moved: np.ndarray


def textured_background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Radiance of a quiet scene with soft texture in every channel: HxWx3, about .01 to .2."""
    coarse = cv2.resize(rng.random((6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), 1.5)
    return 0.04 * np.exp2(2 * coarse - 1 + fine)


def exposed(radiance: np.ndarray, seconds: float) -> np.ndarray:
    """uint8 sRGB-like exposure of a radiance image."""
    encoded = np.clip(radiance * seconds, 0, 1) ** (1 / 2.2)
    return np.floor(255 * encoded + 0.5).astype(np.uint8)


def moving_square(
    color: tuple[float, float, float], *, size: tuple[int, int] = (120, 160), side: int = 26
) -> MovingScene:
    """A square of the given radiance that stands elsewhere in each exposure, never overlapping itself."""
    rng = np.random.default_rng(2012)
    background = textured_background(*size, rng)
    pattern = 1 + 0.15 * cv2.GaussianBlur(rng.standard_normal((side, side, 1)), (0, 0), 2)[..., np.newaxis]
    scenes, moved = [], np.zeros(size, bool)
    for k in range(COUNT):
        place = slice(40, 40 + side), slice(20 + 45 * k, 20 + 45 * k + side)
        scene = background.copy()
        scene[place] = np.array(color) * pattern
        moved[place] = True
        scenes.append(scene)
    middle = scenes[COUNT // 2]
    return MovingScene(
        ExposureStack([exposed(s, t) for s, t in zip(scenes, SECONDS, strict=True)], SECONDS),
        ExposureStack([exposed(middle, t) for t in SECONDS], SECONDS),
        moved,
    )


def ghost_energy(algorithm, scene: MovingScene) -> float:
    """Mean absolute difference, where anything moved, to the fusion of the scene that stood still.

    Both fusions are the algorithm's own: a picture that is merely gray or blurred there does not come near
    its fusion of the still scene, and the tone of one algorithm is never held against another's.
    """
    difference = np.abs(algorithm(scene.moving) - algorithm(scene.still))
    return float(difference[scene.moved].mean())


def simulated_courtyard(folder: Path) -> MovingScene:
    """The courtyard of `builder simulate` in `folder`; its still stack is the photos with the truth inside."""
    truth = json.loads((folder / "truth" / "courtyard" / "truth.json").read_text())
    radiance = np.load(folder / "truth" / "courtyard" / "radiance.npy")
    stems = [Path(frame["file"]).stem for frame in truth["frames"]]
    seconds = [frame["seconds"] for frame in truth["frames"]]
    photos = [cv2.imread(str(folder / "photos" / "courtyard" / f"{stem}.JPG"))[..., ::-1] for stem in stems]
    masks = [
        cv2.imread(str(folder / "truth" / "courtyard" / f"motion_mask_{stem}.png"), cv2.IMREAD_GRAYSCALE) > 0
        for stem in stems
    ]
    moved = np.any(masks, axis=0)
    photos = [np.ascontiguousarray(photo) for photo in photos]
    still = [photo.copy() for photo in photos]
    for image, time in zip(still, seconds, strict=True):
        image[moved] = _srgb(radiance[moved].astype(np.float64) * time)
    return MovingScene(ExposureStack(photos, seconds), ExposureStack(still, seconds), moved)


def _srgb(light: np.ndarray) -> np.ndarray:
    clipped = np.clip(light, 0, 1)
    encoded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.floor(255 * encoded + 0.5).astype(np.uint8)
