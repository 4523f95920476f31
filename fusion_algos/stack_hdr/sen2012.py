"""Patch-based HDR reconstruction of dynamic scenes, displayed with Reinhard's operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import FusedImage, algorithm
from fusion_algos.color import srgb_to_linear
from fusion_algos.hole_filling import Bytes, Hole, filled
from fusion_algos.latent_images import LatentImages, find_latent_images
from fusion_algos.patch_match import NearestNeighbours, nearest_neighbours, shown, similarity, voted
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack
from fusion_algos.tone_curves import reinhard2002

Plane = NDArray[np.float32]
Values = NDArray[Any]

PATCH = 7
COARSEST = 35  # least side of the coarsest level
MOST_ITERATIONS, LEAST_ITERATIONS = 12, 3
COHERENCE, COMPLETENESS = np.float32(0.7), np.float32(0.3)
DARK, BRIGHT = 0.1, 0.9  # between these encoded values the reference alone counts
SMALLEST_WEIGHT = np.float32(1e-6)


@algorithm(
    title="Robust patch-based HDR reconstruction of dynamic scenes",
    cite="Sen, Kalantari, Yaesoubi, Darabi, Goldman, Shechtman: Robust patch-based HDR reconstruction of "
    "dynamic scenes. ACM Transactions on Graphics 31(6), 203, 2012",
    revision=1,
)
def fuse(stack: ExposureStack) -> FusedImage:
    """Radiance of the middle exposure, completed from the others where it is too dark or too bright.

    Simplified against the paper: other exposures are used as they are where they agree with the reference,
    so that a static stack needs no search; elsewhere targets are made one exposure after the other, outwards
    from the reference, and merged once at the end instead of in every iteration; the reference is re-exposed
    through a curve learnt from both images, in which a camera's tone curve does not look like motion;
    completeness votes come from source patches at the place of the hole. Display: Reinhard 2002, global.
    The authors' program was not compared. They filed the US provisional patent application 61/625,333; their
    program is licensed for individual research use only. No other patent search was made.
    """
    return reinhard2002(_merged(find_latent_images(stack, _search)))


def _merged(latents: LatentImages) -> Plane:
    """Radiance in units of the darkest exposure's white: HxWx3.

    H = (1 - a) H~ + a h(x_r), h(x) = lin(x) / t, a = 1 on [.1, .9] and falling to 0 at 0 and 1; H~ = the mean
    of h over the brighter exposures where x_r < .1 (darker where x_r > .9), weighted by 1 - |2x - 1|.
    """
    stack, middle = latents.stack, latents.reference
    light, weights = (np.zeros(stack.shape, np.float32) for _ in range(2))
    for k, image in latents:
        if k != middle:
            asks = _asks_brighter if k > middle else _asks_darker
            least = SMALLEST_WEIGHT if k in (0, len(stack) - 1) else np.float32(0)
            _add(image, stack.images[middle], asks, least, np.float32(stack.relative_seconds[k]), light, weights)
    _complete(stack, middle, light, weights)
    return light


def _asks_brighter(reference: Values) -> NDArray[np.bool_]:
    return reference <= reference.dtype.type(DARK * _white(reference))


def _asks_darker(reference: Values) -> NDArray[np.bool_]:
    return reference > reference.dtype.type(BRIGHT * _white(reference))


def _white(image: Values) -> int:
    return 255 if image.dtype == np.uint8 else 1


def _add(
    image: Values,
    reference: Values,
    asks: Callable[[Values], NDArray[np.bool_]],
    least: np.float32,
    seconds: np.float32,
    light: Plane,
    weights: Plane,
) -> None:
    """Add the weighted radiance of a latent image to the values for which the reference asks."""

    def work(rows: slice) -> None:
        asked = asks(reference[rows])
        values = image[rows][asked]
        weight = least + 1 - np.abs(2 * (values / np.float32(_white(image))) - 1)
        light[rows][asked] += weight * srgb_to_linear(values) / seconds
        weights[rows][asked] += weight

    over_strips(*image.shape[:2], work)


def _complete(stack: ExposureStack, middle: int, light: Plane, weights: Plane) -> None:
    """Turn the weighted sums of the other exposures into radiance, with the reference's share."""
    seconds = np.float32(stack.relative_seconds[middle])

    def work(rows: slice) -> None:
        own = stack.decoded_image(middle, rows) / seconds
        others = np.divide(light[rows], weights[rows], out=own.copy(), where=weights[rows] > 0)
        others -= own
        others *= 1 - stack.mapped(middle, _trust, rows)
        np.add(own, others, out=light[rows])

    over_strips(stack.height, stack.width, work)


def _trust(values: Plane) -> Plane:
    """1 on [.1, .9], falling to 0 at 0 and 1."""
    return np.clip(np.minimum(values, 1 - values) / np.float32(DARK), 0, 1)


def _search(hole: Hole) -> tuple[Bytes, NearestNeighbours]:
    return filled(hole, _rebuilt, patch=PATCH, coarsest=COARSEST, iterations=_iterations)


def _iterations(level: int) -> int:
    return min(LEAST_ITERATIONS + 3 * level, MOST_ITERATIONS)


def _rebuilt(hole: Hole, field: NearestNeighbours, depth: float) -> Bytes:
    """The latent image that patches vote for: coherence, and in the coarser half of the levels completeness."""
    whole = slice(0, hole.missing.shape[0]), slice(0, hole.missing.shape[1])
    votes = voted(hole.source, field, similarity(field), *whole)
    if depth >= 0.5:
        still = np.zeros_like(field.offsets)
        back = nearest_neighbours(hole.source, hole.latent, hole.missing, still, patch=PATCH, radius=16)
        sums, count = shown(hole.source, back)
        share = COMPLETENESS / COHERENCE / PATCH**2
        votes = (votes + share * sums) / (1 + share * count)[..., np.newaxis]
    return (votes + np.float32(0.5)).astype(np.uint8)
