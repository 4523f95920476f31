"""Brackets in which something moves, with the picture that they would have given had it stood still."""

from dataclasses import dataclass

import cv2
import numpy as np

from builder.simulate import take as takes
from builder.simulate.camera import expose, picture
from builder.simulate.sequences import KINDS
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


def simulated_courtyard(width: int, height: int, seed: int) -> MovingScene:
    """The builder's courtyard with its walker; in the still stack she stands where the reference shows her.

    Both stacks have the camera's noise; `moved` is the true mask of walker and shadow in all frames.
    """
    sequence = KINDS["courtyard"]
    take = takes.prepare(sequence, width, height, seed)
    empty = takes.still_radiance(take)
    radiances = [takes.frame_radiance(take, position) for position in range(len(sequence.steps))]
    seconds = [float(exposure) for exposure in sequence.exposures]

    def stack(scenes: list[np.ndarray]) -> ExposureStack:
        raw = [expose(scenes[k], t, seed=seed, frame=k) for k, t in enumerate(seconds)]
        return ExposureStack([picture(numbers, sequence.response) for numbers in raw], seconds)

    moved = np.any([takes.moved(take, radiance, empty) for radiance in radiances], axis=0)
    return MovingScene(stack(radiances), stack([radiances[take.reference]] * len(seconds)), moved)
