"""Patch-based HDR reconstruction of dynamic scenes, displayed with Reinhard's operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import FusedImage, algorithm
from fusion_algos.bidirectional_similarity import search
from fusion_algos.camera_response import CameraResponse, debevec_response, level_count_of, srgb_response
from fusion_algos.latent_images import LatentImages, find_latent_images
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import LEVELS_8_BIT, ExposureStack
from fusion_algos.tone_curves import reinhard2002

Plane = NDArray[np.float32]
Values = NDArray[Any]
Asked = Callable[[Values], NDArray[np.bool_]]

DARK, BRIGHT = 0.1, 0.9  # between these encoded values the reference alone counts
SMALLEST_WEIGHT = np.float32(1e-6)


@algorithm(
    title="Robust patch-based HDR reconstruction of dynamic scenes",
    cite="Sen, Kalantari, Yaesoubi, Darabi, Goldman, Shechtman: Robust patch-based HDR reconstruction of "
    "dynamic scenes. ACM Transactions on Graphics 31(6), 203, 2012",
    revision=6,
)
def fuse(stack: ExposureStack) -> FusedImage:
    """Radiance of a reference exposure near the middle, completed from the others where it is too dark or too bright.

    Simplified against the paper: other exposures are used as they are where they agree with the reference,
    so that a static stack needs no search; elsewhere targets are made one exposure after the other, outwards
    from the reference, and merged once at the end instead of in every iteration; the reference is re-exposed
    through a curve learnt from both images, in which a camera's tone curve does not look like motion;
    images become light by the response that the bracket shows (Debevec and Malik 1997), where the authors assume
    a gamma of 2.2, and by sRGB where the seconds are not known;
    completeness votes come from source patches at the place of the hole. Display: Reinhard 2002, global.
    The authors' program was not compared. They filed the US provisional patent application 61/625,333; their
    program is licensed for individual research use only. No other patent search was made.
    """
    if np.array_equal(stack.images[0], stack.images[-1]):
        return stack.image(0)  # one exposure is a picture already
    response, seconds = _response_and_seconds(stack)
    radiance = _merged(find_latent_images(stack, search), response, seconds)
    return reinhard2002(radiance, response.saturation)


def _merged(latents: LatentImages, response: CameraResponse, seconds: NDArray[np.float32]) -> Plane:
    """Radiance in units of the darkest exposure's white: HxWx3.

    H = (1 - a) H~ + a h(x_r), h(x) = lin(x) / t, a = 1 on [.1, .9] and falling to 0 at 0 and 1; H~ = the mean
    of h over the brighter exposures where x_r < .1 (darker where x_r > .9), weighted by 1 - |2x - 1|.
    The paper's a and weights are per channel; here they are those of the brightest channel, because a
    response that is not quite the true one would tint what takes its channels from different exposures.
    """
    stack, middle = latents.stack, latents.reference
    table = response.table(level_count_of(stack.images[middle]))
    others = _OtherLight.none(stack.images[middle])
    for k, image in latents:
        if k != middle:
            asked = _asks_brighter if k > middle else _asks_darker
            least = SMALLEST_WEIGHT if k in (0, len(stack) - 1) else np.float32(0)
            others.add(image, table / seconds[k], asked, least)

    def work(rows: slice) -> None:
        others.complete(response.light_of(stack, middle, rows) / seconds[middle], rows)

    over_strips(stack.height, stack.width, work)
    return others.light


@dataclass(frozen=True)
class _OtherLight:
    """What the other exposures know of the pixels for which the reference asks.

    `brightest`: the reference's brightest channel, HxW in its units; `light`: weighted sum of radiance,
    HxWx3; `weights`: HxW.
    """

    brightest: Values
    light: Plane
    weights: Plane

    @classmethod
    def none(cls, reference: Values) -> _OtherLight:
        brightest = cv2.max(cv2.max(reference[..., 0], reference[..., 1]), reference[..., 2])
        return cls(brightest, np.zeros(reference.shape, np.float32), np.zeros(brightest.shape, np.float32))

    def add(self, image: Values, radiance: Plane, asked: Asked, least: np.float32) -> None:
        """Add a latent image's radiance, 3 x levels in `radiance`; `least` is its smallest weight."""

        def work(rows: slice) -> None:
            places = asked(self.brightest[rows])
            colors = image[rows][places]
            weight = least + 1 - np.abs(2 * _unit(colors.max(axis=1)) - 1)
            self.light[rows][places] += weight[:, np.newaxis] * _looked_up(radiance, colors)
            self.weights[rows][places] += weight

        over_strips(image.shape[0], image.shape[1], work)

    def complete(self, own: Plane, rows: slice) -> None:
        """Replace some rows of `light` by the radiance of the reference and what it lacks of the others'."""
        places = self.weights[rows] > 0
        others = self.light[rows][places] / self.weights[rows][places][:, np.newaxis]
        own[places] += (1 - _trust(self.brightest[rows][places])) * (others - own[places])
        self.light[rows] = own


def _looked_up(table: Plane, colors: Values) -> Plane:
    """What a 3 x levels table holds for Nx3 colors of the images' type."""
    levels = (
        colors
        if colors.dtype == np.uint8
        else np.rint(colors * np.float32(table.shape[1] - 1)).astype(np.uint16)
    )
    return np.stack([table[c][levels[:, c]] for c in range(3)], axis=1)


def _response_and_seconds(stack: ExposureStack) -> tuple[CameraResponse, NDArray[np.float32]]:
    """The response and exposures over the darkest one's under which the exposures agree.

    Where they do not, what the reference lacks is brighter and more colorful than what it has beside it:
    seams, rings and orange spots. So the bracket's own response is recovered if its seconds are known.
    """
    response = debevec_response(stack)
    if np.array_equal(response.light, srgb_response().light):
        return response, _fitting_seconds(stack)
    return response, np.asarray(stack.relative_seconds, np.float32)


def _fitting_seconds(stack: ExposureStack) -> NDArray[np.float32]:
    """Exposures over the darkest one's: as the images show them under the assumed sRGB response.

    A camera's tone curve spreads exposures: with its true times highlights would be merged darker than the
    reference's white. Steps are never smaller than the camera says, as noise and black frames make them seem.
    """
    images = ExposureStack(stack.images)
    shown = np.empty(len(stack))
    shown[list(images.order)] = images.relative_seconds
    said = np.array(stack.exposure_seconds or np.ones(len(stack)))
    steps = np.maximum(shown[1:] / shown[:-1], said[1:] / said[:-1])
    return np.cumprod([1.0, *steps]).astype(np.float32)


def _asks_brighter(brightest: Values) -> NDArray[np.bool_]:
    return _unit(brightest) < DARK


def _asks_darker(brightest: Values) -> NDArray[np.bool_]:
    return _unit(brightest) > BRIGHT


def _unit(values: Values) -> Plane:
    """Encoded values in [0, 1]."""
    return LEVELS_8_BIT[values] if values.dtype == np.uint8 else values


def _trust(brightest: Values) -> Plane:
    """1 on [.1, .9], falling to 0 at 0 and 1, Nx1."""
    values = _unit(brightest)[:, np.newaxis]
    return np.clip(np.minimum(values, 1 - values) / np.float32(DARK), np.float32(0), np.float32(1))
