"""Patch-based HDR reconstruction of dynamic scenes, displayed with Reinhard's operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numba
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

DARK, BRIGHT = 0.1, 0.75  # between these encoded values the reference alone counts


@algorithm(
    title="Robust patch-based HDR reconstruction of dynamic scenes",
    cite="Sen, Kalantari, Yaesoubi, Darabi, Goldman, Shechtman: Robust patch-based HDR reconstruction of "
    "dynamic scenes. ACM Transactions on Graphics 31(6), 203, 2012",
    revision=8,
)
def fuse(stack: ExposureStack) -> FusedImage:
    """Radiance of a reference exposure near the middle, completed from the others where it is too dark or too bright.

    Simplified against the paper: other exposures are used as they are where they agree with the reference,
    so that a static stack needs no search; elsewhere targets are made one exposure after the other, outwards
    from the reference, and merged once at the end instead of in every iteration; the reference is re-exposed
    through a curve learnt from both images, in which a camera's tone curve does not look like motion;
    images become light by the response that the bracket shows (Debevec and Malik 1997), where the authors assume
    a gamma of 2.2, and by sRGB where the seconds are not known;
    completeness votes come from source patches at the place of the hole; towards white the reference gives way to
    the others earlier, so that no seam of hue shows (see `_merged`). Display: Reinhard 2002, global.
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

    H = (a h(x_r) + (1 - a) sum w h(x_k)) / (a + (1 - a) sum w), h(x) = lin(x) / t, w by `_weights`; a = 1 on
    [.1, .75], falling to 0 at 0 and 1; k = the brighter exposures where x_r < .1, the darker where x_r > .75.
    The paper has [.1, .9], and the mean of the others instead of their sum. This is this project's own: a camera
    does not treat its channels alike, so that what one curve makes of a color changes with the color's level, most
    of all near white. A reference that gave way to the others on its last levels left a seam of another hue; over
    so many levels none shows. And with a sum it keeps what the others hardly know.
    The paper's a and w are per channel; here they are those of the brightest channel, because a
    response that is not quite the true one would tint what takes its channels from different exposures.
    """
    stack, middle = latents.stack, latents.reference
    count = level_count_of(stack.images[middle])
    table = response.table(count)
    others = _OtherLight.none(stack.images[middle])
    for k, image in latents:
        if k != middle:
            asked = (-np.inf, DARK) if k > middle else (BRIGHT, np.inf)
            others.add(image, table / seconds[k], _weights(count, k, len(stack)), asked)

    def work(rows: slice) -> None:
        others.complete(response.light_of(stack, middle, rows) / seconds[middle], rows)

    over_strips(stack.height, stack.width, work)
    return others.light


def _weights(count: int, k: int, exposures: int) -> Plane:
    """1 - |2x - 1| for `count` levels x; 1 for those that no darker (brighter) exposure shows better than k."""
    weights = 1 - np.abs(2 * np.linspace(0, 1, count, dtype=np.float32) - 1)
    if k == 0:
        weights[count // 2 :] = 1
    if k == exposures - 1:
        weights[: count // 2] = 1
    return weights


@dataclass(frozen=True)
class _OtherLight:
    """What the other exposures know of the pixels for which the reference asks.

    `brightest`: the reference's brightest channel, HxW in [0, 1]; `light`: weighted sum of radiance,
    HxWx3; `weights`: HxW.
    """

    brightest: Plane
    light: Plane
    weights: Plane

    @classmethod
    def none(cls, reference: Values) -> _OtherLight:
        brightest = _unit(cv2.max(cv2.max(reference[..., 0], reference[..., 1]), reference[..., 2]))
        return cls(brightest, np.zeros(reference.shape, np.float32), np.zeros(brightest.shape, np.float32))

    def add(self, image: Values, radiance: Plane, weights: Plane, asked: tuple[float, float]) -> None:
        """Add a latent image where `brightest` lies between the two of `asked`.

        `radiance`: 3 x levels; `weights`: what a pixel with such a brightest level counts.
        """
        steps = np.float32(1 if image.dtype == np.uint8 else len(weights) - 1)

        def work(rows: slice) -> None:
            sums = self.light[rows], self.weights[rows]
            _add_rows(image[rows], steps, radiance, weights, self.brightest[rows], asked, *sums)

        over_strips(image.shape[0], image.shape[1], work)

    def complete(self, own: Plane, rows: slice) -> None:
        """Replace some rows of `light` by the radiance of the reference and what it lacks of the others'."""
        trust = _trust(self.brightest[rows])
        share = 1 - trust
        total = trust + share * self.weights[rows]
        alone = total == 0  # no exposure says anything
        trust[alone] = total[alone] = 1
        self.light[rows] *= (share / total)[..., np.newaxis]
        self.light[rows] += own * (trust / total)[..., np.newaxis]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_rows(image, steps, radiance, weights, brightest, asked, light, total):  # type: ignore[no-untyped-def]
    """light += w radiance[image], total += w where asked[0] < brightest < asked[1]; w = weights[max of image]."""
    half = np.float32(0.5)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if asked[0] < brightest[y, x] < asked[1]:
                red = np.int64(image[y, x, 0] * steps + half)
                green = np.int64(image[y, x, 1] * steps + half)
                blue = np.int64(image[y, x, 2] * steps + half)
                weight = weights[max(red, green, blue)]
                light[y, x, 0] += weight * radiance[0, red]
                light[y, x, 1] += weight * radiance[1, green]
                light[y, x, 2] += weight * radiance[2, blue]
                total[y, x] += weight


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


def _unit(values: Values) -> Plane:
    """Encoded values in [0, 1]."""
    return LEVELS_8_BIT[values] if values.dtype == np.uint8 else values


def _trust(brightest: Plane) -> Plane:
    """1 on [.1, .75], falling to 0 at 0 and 1."""
    dark, bright = brightest / np.float32(DARK), (1 - brightest) / np.float32(1 - BRIGHT)
    return np.minimum(np.minimum(dark, bright), np.float32(1))
