"""Patch-based HDR: the merge against its definition, the static shortcut, and no ghosts."""

import numpy as np
import pytest

from fusion_algos import ExposureStack, latent_images
from fusion_algos.camera_response import srgb_response
from fusion_algos.color import srgb_to_linear
from fusion_algos.stack_hdr import sen2012
from fusion_algos.tone_curves import reinhard2002
from tests.fusion_algos.moving_scenes import exposed, ghost_energy, moving_square, textured_background


def merged(latents):
    return sen2012._merged(latents, *sen2012._response_and_seconds(latents.stack))


def defined_radiance(stack):
    """H of the module's equations, one pixel's brightest channel deciding, in float64."""
    x = [np.asarray(image, np.float64) / 255 for image in stack.images]
    h = [srgb_to_linear(image) / t for image, t in zip(stack.images, stack.relative_seconds, strict=True)]
    r, last = latent_images.reference_exposure(stack), len(stack) - 1
    top = [image.max(axis=2, keepdims=True) for image in x]
    w = [1 - np.abs(2 * t - 1) for t in top]
    w[0] = np.where(top[0] > 0.5, 1, w[0])
    w[last] = np.where(top[last] < 0.5, 1, w[last])
    a = np.clip(np.minimum(top[r] / 0.1, (1 - top[r]) / 0.25), 0, 1)
    radiance = h[r].astype(np.float64)
    for asked, side in [(top[r] < 0.1, range(r + 1, len(stack))), (top[r] > 0.75, range(r))]:
        total = a + (1 - a) * sum((w[k] for k in side), np.zeros_like(a))
        others = (1 - a) * sum((w[k] * h[k] for k in side), np.zeros_like(radiance))
        completed = (a * h[r] + others) / np.maximum(total, 1e-12)
        radiance = np.where(asked & (total > 0), completed, radiance)
    return radiance


@pytest.fixture
def still():
    radiance = textured_background(60, 80, np.random.default_rng(3))
    radiance[:20] *= 30
    radiance[-20:] /= 30
    return ExposureStack([exposed(radiance, t) for t in (0.25, 1, 4, 16, 64)])


def test_a_still_stack_is_merged_by_definition_without_a_search(still, monkeypatch):
    monkeypatch.setattr(sen2012, "search", None)
    latents = latent_images.find_latent_images(still, None)
    assert latents.are_the_exposures
    expected = defined_radiance(still)
    np.testing.assert_allclose(merged(latents), expected, rtol=2e-3, atol=1e-7)
    np.testing.assert_array_equal(sen2012.fuse(still), reinhard2002(merged(latents)))


@pytest.mark.parametrize("count", [2, 3])
def test_a_side_without_exposures_leaves_the_reference(still, count):
    stack = ExposureStack(still.images[1 : 1 + count])
    latents = latent_images.find_latent_images(stack, None)
    np.testing.assert_allclose(merged(latents), defined_radiance(stack), rtol=2e-3, atol=1e-7)


def test_wrong_times_do_not_turn_highlights_gray():
    """A tone curve spreads exposures; what is whiter than the reference's white must stay above it."""
    radiance = textured_background(60, 80, np.random.default_rng(3))
    radiance[:20] = np.linspace(0.3, 6, 80)[:, np.newaxis]
    curve = np.round(255 * np.linspace(0, 1, 256) ** 1.7).astype(np.uint8)
    stack = ExposureStack([curve[exposed(radiance, t)] for t in (0.15, 0.6, 2.4)], [1, 4, 16])
    latents = latent_images.LatentImages(stack, 1, (None, None, None))
    ramp = merged(latents)[10, :, 1]
    assert (np.diff(ramp) > -0.03 * ramp[1:]).all()  # rises along the ramp but for 8-bit steps


def test_a_clipped_reference_goes_on_in_the_same_color():
    """A camera's curve that is not sRGB's: under the wrong one an orange ramp turns yellow, red or brighter."""
    ramp = np.geomspace(0.01, 20, 400)[np.newaxis, :, np.newaxis] * np.array([1, 0.6, 0.3])
    radiance = np.repeat(ramp, 40, axis=0)
    curve = np.round(255 * (1 - (1 - np.linspace(0, 1, 256)) ** 1.7)).astype(np.uint8)
    times = [1, 4, 16, 64, 256]
    stack = ExposureStack([curve[exposed(radiance, t / 64)] for t in times], times)
    found = merged(latent_images.LatentImages(stack, 2, (None,) * 5))[20]
    seen = (ramp[0, :, 0] > 0.02) & (ramp[0, :, 0] < 15)
    assert np.ptp(np.log(found[seen] / ramp[0, seen]), axis=0).max() < 0.35


def test_a_red_channel_of_its_own_leaves_no_hue_seam():
    """A camera that shows up to a fifth more red near white: the merge's hue drifts, but nowhere jumps."""
    light = np.geomspace(0.02, 8, 400)[np.newaxis, :, np.newaxis] * np.array([1, 0.75, 0.5])
    times = [1, 4, 16, 64, 256]
    images = []
    for seconds in times:
        encoded = np.clip((1 - np.exp(-1.6 * (light * seconds / 16) ** 0.6)) / 0.93, 0, 1)
        encoded[..., 0] **= 1 - 0.4 * encoded[..., 0]
        images.append(np.repeat(np.rint(255 * encoded).astype(np.uint8), 60, axis=0))
    found = merged(latent_images.LatentImages(ExposureStack(images, times), 1, (None,) * 5))[30]
    hue = np.convolve(np.log(found[:, 0] / found[:, 1]), np.ones(9) / 9, "valid")
    leaving = images[1][30, 4:-19].max(axis=1) > 170
    assert np.abs(hue[15:] - hue[:-15])[leaving].max() < 0.013


def test_the_reference_keeps_what_darker_exposures_do_not_show():
    bright, black = (np.full((8, 8, 3), level, np.uint8) for level in (240, 0))
    latents = latent_images.LatentImages(ExposureStack([black, bright, bright], [1, 64, 128]), 1, (None,) * 3)
    response, seconds = srgb_response(), np.array([1, 64, 128], np.float32)
    np.testing.assert_allclose(
        sen2012._merged(latents, response, seconds), srgb_to_linear(bright) / 64, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("color", "most"),
    [
        ((0.6, 0.1, 0.08), 0.03),  # clipped in one channel only, which does not tell how red it is
        ((0.3, 0.3, 0.3), 0.02),
        ((0.01, 0.2, 0.4), 0.02),
        ((0.002, 0.002, 0.002), 0.02),
    ],
)
def test_a_moving_square_leaves_no_ghost(color, most):
    assert ghost_energy(sen2012.fuse, moving_square(color)) < most


@pytest.mark.parametrize("color", [(0.6, 0.1, 0.08), (0.002, 0.002, 0.002)])
def test_moving_scenes_repeat_themselves(color):
    stack = moving_square(color).moving
    np.testing.assert_array_equal(sen2012.fuse(stack), sen2012.fuse(stack))


def test_floats_and_bytes_of_a_moving_scene_agree():
    stack = moving_square((0.6, 0.1, 0.08)).moving
    floats = ExposureStack([image / np.float32(255) for image in stack.images], stack.exposure_seconds)
    assert np.abs(sen2012.fuse(floats) - sen2012.fuse(stack)).max() < 1 / 255


def test_the_patent_remark_is_there():
    assert "61/625,333" in sen2012.fuse.fuse.__doc__
