"""The response curve that is recovered from a bracket is the one that made it."""

import numpy as np
import pytest

from fusion_algos.camera_response import debevec_response, image_levels, named_response, srgb_response
from fusion_algos.radiance import merge_encoded
from fusion_algos.stack import ExposureStack

SECONDS = (1.0, 4.0, 16.0, 64.0)
ALLOWED_STOPS = 0.1  # median error that merged JPEGs may have


def film_curve(light):
    """A steeper curve than sRGB with a shoulder: deep shadows and highlights are compressed."""
    return (1.25 * light / (light + 0.25)) ** 0.75


@pytest.fixture
def truth():
    """12 stops of radiance in smooth areas, the channels apart."""
    rng = np.random.default_rng(3)
    coarse = rng.uniform(-12, -0.3, (10, 12, 3)).mean(axis=2, keepdims=True) + rng.uniform(-1, 1, (10, 12, 3))
    return np.exp2(np.kron(coarse * 2 + 6, np.ones((12, 12, 1)))).astype(np.float32)


def photographed(truth, curve, *, noise=0.01, seconds=SECONDS):
    rng = np.random.default_rng(4)
    images = []
    for t in seconds:
        seen = truth * t + noise * rng.standard_normal(truth.shape) * np.sqrt(truth * t + 1e-4)
        images.append(np.floor(255 * curve(np.clip(seen, 0, 1)) + 0.5).astype(np.uint8))
    return ExposureStack(images, seconds)


def median_error(found, truth):
    """In stops; a common factor is free."""
    error = np.log2(np.maximum(found, 1e-12) / truth)
    return np.median(np.abs(error - np.median(error)))


def test_merged_pictures_of_an_unknown_curve_give_back_the_radiance(truth):
    stack = photographed(truth, film_curve)
    recovered = median_error(merge_encoded(stack, debevec_response(stack)), truth)
    assert recovered < ALLOWED_STOPS
    assert median_error(merge_encoded(stack, srgb_response()), truth) > 2 * recovered


def test_the_curve_itself(truth):
    levels = np.linspace(0, 1, 100_001)
    exact = np.interp(np.arange(256) / 255, film_curve(levels), levels)
    found = debevec_response(photographed(truth, film_curve)).light
    error = np.log2(found / found[:, 128:129]) - np.log2(np.maximum(exact, 1e-9) / exact[128])
    assert np.abs(error[:, 20:245]).max() < 0.25


def test_a_moving_thing_changes_little(truth):
    stack = photographed(truth, film_curve)
    images = [image.copy() for image in stack.images]
    images[1][10:40, 10:60] = 200
    moved = debevec_response(ExposureStack(images, SECONDS))
    ratio = np.log2(moved.light / debevec_response(stack).light)
    assert np.abs(ratio[:, 20:245]).max() < 0.2


def test_neither_the_order_nor_mirrors_matter(truth):
    stack = photographed(truth, film_curve)
    turned = ExposureStack([image[:, ::-1] for image in stack.images[::-1]], SECONDS[::-1])
    np.testing.assert_array_equal(debevec_response(turned).light, debevec_response(stack).light)


@pytest.mark.parametrize("case", ["two exposures", "no seconds", "same seconds", "nothing to see"])
def test_where_nothing_can_be_recovered_srgb_is_assumed(truth, case):
    images = list(photographed(truth, film_curve).images)
    stacks = {
        "two exposures": ExposureStack(images[:2], SECONDS[:2]),
        "no seconds": ExposureStack(images),
        "same seconds": ExposureStack(images, [1] * 4),
        "nothing to see": ExposureStack([np.full((40, 40, 3), v, np.uint8) for v in (0, 0, 255)], (1, 4, 16)),
    }
    np.testing.assert_array_equal(debevec_response(stacks[case]).light, srgb_response().light)


def test_light_of_an_exposure_is_read_from_the_table(truth):
    stack = photographed(truth, film_curve)
    response = debevec_response(stack)
    light = response.light_of(stack, 1, slice(4, 9))
    np.testing.assert_array_equal(light[..., 2], response.light[2][stack.images[1][4:9, :, 2]])


def test_levels_of_float_images_hold_those_of_8_bits(truth):
    stack = photographed(truth, film_curve)
    floats = ExposureStack([image / np.float32(255) for image in stack.images], SECONDS)
    np.testing.assert_array_equal(image_levels(floats, 0), 16 * stack.images[0].astype(np.uint16))
    response = srgb_response()
    np.testing.assert_allclose(response.light_of(floats, 0), response.light_of(stack, 0), rtol=1e-5)


def test_an_unknown_name(truth):
    with pytest.raises(ValueError, match="response 'kodak' is not known; give one of: srgb, debevec"):
        named_response(photographed(truth, film_curve), "kodak")
