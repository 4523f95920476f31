"""Merging simulated exposures gives back the radiance that they were made of."""

import numpy as np
import pytest

from fusion_algos.color import linear_to_srgb, round_to_8_bit
from fusion_algos.radiance import merge, merge_encoded, merge_linear
from fusion_algos.stack import ExposureStack

SECONDS = (1.0, 4.0, 16.0, 64.0)


@pytest.fixture
def truth():
    """10 stops of radiance; the darkest exposure clips nothing."""
    return np.exp2(np.random.default_rng(11).uniform(-10.5, -0.5, (60, 50, 3))).astype(np.float32)


def linear_stack(truth, *, noise=0.0, seconds=SECONDS):
    rng = np.random.default_rng(12)
    planes = []
    for t in seconds:
        seen = truth * t + noise * rng.standard_normal(truth.shape) * np.sqrt(truth * t + 1e-3)
        planes.append(np.floor(65535 * np.clip(seen, 0, 1) + 0.5).astype(np.uint16))
    return ExposureStack([(p >> 8).astype(np.uint8) for p in planes], seconds, planes)


def error_in_stops(found, truth):
    return np.abs(np.log2(np.maximum(found, 1e-9) / truth))


def test_linear_planes_give_back_the_radiance(truth):
    error = error_in_stops(merge_linear(linear_stack(truth)), truth)
    assert error.max() < 0.02  # 16-bit levels at 1/700 of white


def test_noisy_linear_planes(truth):
    error = error_in_stops(merge_linear(linear_stack(truth, noise=0.005)), truth)
    assert np.median(error) < 0.05


def test_more_light_beats_the_single_exposures(truth):
    stack = linear_stack(truth, noise=0.01)
    merged = error_in_stops(merge_linear(stack), truth).mean()
    for k, t in enumerate(SECONDS):
        single = error_in_stops(stack.linear_image(k) / np.float32(t), truth)
        assert merged < single.mean()


def test_saturated_everywhere_takes_the_darkest_exposure():
    planes = [np.full((4, 4, 3), 65535, np.uint16) for _ in range(3)]
    planes[0][:2] = 65000
    stack = ExposureStack([(p >> 8).astype(np.uint8) for p in planes], (1, 4, 16), planes)
    expected = planes[0] / 65535
    np.testing.assert_allclose(merge_linear(stack), expected, rtol=1e-5)


def test_trust_falls_smoothly_towards_saturation():
    """Two exposures that disagree by 10 %: the merged values move from one to the other without a jump."""
    bright = np.linspace(0.85, 1.0, 400, dtype=np.float32)[np.newaxis, :, np.newaxis].repeat(3, axis=2)
    dark = bright / 4 * np.float32(1.1)
    gray = [np.zeros(bright.shape, np.uint8)] * 2
    merged = merge_linear(ExposureStack(gray, (1, 4), [dark, bright]))[0, :, 0]
    assert np.abs(np.diff(merged)).max() < 0.002
    assert merged[-1] == pytest.approx(dark[0, -1, 0], rel=1e-4)
    assert merged[0] == pytest.approx((bright[0, 0, 0] + dark[0, 0, 0]) / 5, rel=1e-4)


def encoded_stack(truth, seconds=SECONDS):
    images = [round_to_8_bit(linear_to_srgb(truth * np.float32(t))) for t in seconds]
    return ExposureStack(images, seconds)


def test_8_bit_images_give_back_the_radiance(truth):
    error = error_in_stops(merge_encoded(encoded_stack(truth)), truth)
    assert np.median(error) < 0.02
    assert np.percentile(error, 99) < 0.2  # pixels whose darkest channel is one of the first 8-bit levels


def test_clipped_areas_take_the_end_that_saw_them():
    levels = [np.full((4, 4, 3), level, np.uint8) for level in (250, 255, 255)]
    merged = merge_encoded(ExposureStack(levels, (1, 4, 16)))
    np.testing.assert_allclose(merged, 0.956, atol=0.001)  # 250 / 255 decoded
    levels = [np.full((4, 4, 3), level, np.uint8) for level in (0, 0, 3)]
    merged = merge_encoded(ExposureStack(levels, (1, 4, 16)))
    np.testing.assert_allclose(merged, 3 / 255 / 12.92 / 16, rtol=0.01)


@pytest.mark.parametrize("level", [0, 255])
def test_wholly_clipped_stacks_stay_what_they_are(level):
    merged = merge_encoded(ExposureStack([np.full((4, 4, 3), level, np.uint8)] * 3, (1, 4, 16)))
    np.testing.assert_allclose(merged, level / 255, atol=1e-4)


def test_merge_takes_the_linear_planes_if_there_are_any(truth):
    linear, encoded = linear_stack(truth), encoded_stack(truth)
    np.testing.assert_array_equal(merge(linear), merge_linear(linear))
    np.testing.assert_array_equal(merge(encoded), merge_encoded(encoded))


def test_no_linear_planes(truth):
    with pytest.raises(ValueError, match="merge_linear: the stack has no linear_images; use merge_encoded"):
        merge_linear(encoded_stack(truth))
