"""ExposureStack: order, views of the data, estimated ratios, and every message of a refused input."""

import numpy as np
import pytest

from fusion_algos.color import srgb_to_linear
from fusion_algos.stack import ExposureStack


def flat(*levels, size=(6, 8), dtype=np.uint8):
    return [np.full((*size, 3), level, dtype) for level in levels]


def test_sorted_by_seconds_then_luminance_then_position():
    images = flat(50, 9, 30, 30)
    stack = ExposureStack(images, [2, 1, 1, 1])
    assert stack.order == (1, 2, 3, 0)
    assert stack.exposure_seconds == (1, 1, 1, 2)
    assert all(image is images[i] for image, i in zip(stack.images, stack.order, strict=True))


def test_without_seconds_sorted_by_luminance():
    green, red = flat(0, 0)
    green[..., 1], red[..., 0] = 100, 120  # green weighs more
    assert ExposureStack([green, red]).order == (1, 0)


def test_linear_images_follow_the_order():
    linear = flat(7000, 500, dtype=np.uint16)
    stack = ExposureStack(flat(99, 5), [2, 1], linear)
    assert stack.linear_images is not None
    assert [int(image[0, 0, 0]) for image in stack.linear_images] == [500, 7000]
    assert stack.linear_image(0)[0, 0, 0] == np.float32(500 / 65535)


def test_size():
    stack = ExposureStack(flat(1, 2, 3))
    assert (len(stack), stack.shape, stack.height, stack.width) == (3, (6, 8, 3), 6, 8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_are_read_as_new_float32_in_0_to_1(dtype):
    images = [image * dtype(1) for image in flat(0, 255)] if dtype == np.uint8 else flat(0, 1, dtype=dtype)
    stack = ExposureStack(images, [1, 2])
    assert stack.is_8_bit == (dtype == np.uint8)
    image = stack.image(1)
    assert image.dtype == np.float32
    assert (image == 1).all()
    image[:] = 0
    assert (stack.image(1) == 1).all()
    assert stack.image(1, slice(2, 5)).shape == (3, 8, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mapped_values(dtype):
    levels = np.arange(192, dtype=np.float32).reshape(8, 8, 3)
    images = [levels.astype(np.uint8)] * 2 if dtype == np.uint8 else [levels / np.float32(255)] * 2
    stack = ExposureStack(images, [1, 2])
    np.testing.assert_array_equal(stack.mapped(0, np.square), np.square(levels / np.float32(255)))
    np.testing.assert_array_equal(stack.mapped(0, np.square, slice(1, 3)), stack.mapped(0, np.square)[1:3])


def test_decoded_image():
    stack = ExposureStack(flat(128, 255), [1, 2])
    expected = float(srgb_to_linear(np.array(128, np.uint8)))
    assert stack.decoded_image(0)[0, 0, 0] == pytest.approx(expected, rel=1e-6)


def test_relative_seconds_of_known_seconds():
    stack = ExposureStack(flat(1, 2, 3), [0.5, 0.125, 2])
    assert stack.relative_seconds == (1, 4, 16)
    assert not stack.seconds_are_estimated


def encoded_exposures(light, ratios):
    encoded = [np.clip(light * t, 0, 1) for t in ratios]
    encoded = [np.where(e <= 0.0031308, 12.92 * e, 1.055 * e ** (1 / 2.4) - 0.055) for e in encoded]
    return [np.floor(255 * e + 0.5).astype(np.uint8) for e in encoded]


def test_relative_seconds_are_measured_where_unknown():
    light = np.exp2(np.random.default_rng(3).uniform(-9, 0, (60, 80, 3)))
    stack = ExposureStack(encoded_exposures(light, [1, 3, 24]))
    assert stack.seconds_are_estimated
    assert stack.relative_seconds == pytest.approx((1, 3, 24), rel=0.02)  # 8-bit levels


def test_linear_planes_tell_the_ratio_better_than_a_tone_curve():
    light = np.exp2(np.random.default_rng(3).uniform(-9, -3, (60, 80, 3)))
    planes = [np.floor(65535 * light * t + 0.5).astype(np.uint16) for t in (1, 4)]
    with_curve = [np.floor(255 * (plane / 65535) ** 0.3 + 0.5).astype(np.uint8) for plane in planes]
    assert ExposureStack(with_curve, None, planes).relative_seconds == pytest.approx((1, 4), rel=0.01)
    assert ExposureStack(with_curve).relative_seconds[1] < 3.9


def test_relative_seconds_where_nothing_can_be_measured():
    assert ExposureStack(flat(0, 255)).relative_seconds == (1, 2)


def test_identical_exposures_have_equal_seconds():
    assert ExposureStack(flat(99, 99, 99, size=(30, 30))).relative_seconds == (1, 1, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (flat(1), r"at least 2 images, found 1"),
        ([], r"at least 2 images, found 0"),
        ([[1], [2]], r"image 0 of 2 is a list; give a numpy array"),
        ([np.zeros((4, 4), np.uint8)] * 2, r"image 0 of 2 has shape \(4, 4\); give \(height, width, 3\)"),
        ([np.zeros((0, 4, 3), np.uint8)] * 2, r"image 0 of 2 has shape \(0, 4, 3\)"),
        (flat(1, 2, dtype=np.float64), r"image 0 of 2 has type float64; give uint8, or float32"),
        (flat(1) + flat(2, size=(6, 9)), r"image 1 of 2 has shape \(6, 9, 3\), the first has \(6, 8, 3\)"),
        (flat(1) + flat(1, dtype=np.float32), r"image 1 of 2 has type float32, the first has uint8"),
        (flat(0, np.nan, dtype=np.float32), r"image 1 of 2 holds NaN or infinite values"),
        (flat(0, np.inf, dtype=np.float32), r"image 1 of 2 holds NaN or infinite values"),
        (flat(0, 255, dtype=np.float32), r"image 1 of 2 has values from 255 to 255; .* \[0, 1\]"),
        (flat(-0.5, 1, dtype=np.float32), r"image 0 of 2 has values from -0.5 to -0.5"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(ValueError, match=message):
        ExposureStack(images)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        ([1], r"1 exposure times for 2 images"),
        ([1, None], r"exposure time 1 of 2 is None; .* or None for all"),
        ([0, 1], r"exposure time 0 of 2 is 0; give a positive number"),
        ([1, float("nan")], r"exposure time 1 of 2 is nan"),
        ([1, float("inf")], r"exposure time 1 of 2 is inf"),
    ],
)
def test_bad_seconds(seconds, message):
    with pytest.raises(ValueError, match=message):
        ExposureStack(flat(1, 2), seconds)


@pytest.mark.parametrize(
    ("linear", "message"),
    [
        (flat(1, dtype=np.uint16), r"1 linear images for 2 images"),
        (flat(1, 2), r"linear image 0 of 2 has type uint8; give uint16 \(65535 = sensor white\)"),
        (flat(1, 2, size=(3, 3), dtype=np.uint16), r"linear image 0 of 2 has shape \(3, 3, 3\), the images"),
        (flat(0, -1, dtype=np.float32), r"linear image 1 of 2 has values from -1 to -1"),
        (flat(0, dtype=np.uint16) + flat(1, dtype=np.float32), r"linear image 1 of 2 has type float32"),
    ],
)
def test_bad_linear_images(linear, message):
    with pytest.raises(ValueError, match=message):
        ExposureStack(flat(1, 2), None, linear)


def test_no_linear_images():
    with pytest.raises(ValueError, match="has no linear_images"):
        ExposureStack(flat(1, 2)).linear_image(0)
