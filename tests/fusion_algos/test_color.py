"""sRGB against its standard, and luminances."""

import numpy as np
import pytest

from fusion_algos.color import linear_to_srgb, luma_601, luminance_709, round_to_8_bit, srgb_to_linear


def test_known_values():
    # IEC 61966-2-1: the linear piece ends at .04045, and 0.5 decodes to 0.21404114
    encoded = np.array([0, 0.04045, 0.5, 1], np.float32)
    np.testing.assert_allclose(srgb_to_linear(encoded), [0, 0.0031308, 0.21404114, 1], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_decoded_as_their_share_of_white(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    shares = (levels / np.iinfo(dtype).max).astype(np.float32)
    assert srgb_to_linear(levels).dtype == np.float32
    np.testing.assert_allclose(srgb_to_linear(levels), srgb_to_linear(shares), rtol=1e-5)


def test_8_bit_levels_survive_the_way_to_linear_light_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert (round_to_8_bit(linear_to_srgb(srgb_to_linear(levels))) == levels).all()


def test_16_bit_linear_light_is_encoded():
    linear = np.array([0, 1, 2048, 65535], np.uint16)
    expected = linear_to_srgb((linear / 65535).astype(np.float32))
    np.testing.assert_allclose(linear_to_srgb(linear), expected, rtol=1e-5)


def test_linear_light_outside_the_range_is_clipped():
    encoded = linear_to_srgb(np.array([-1, 0, 1, 7], np.float32))
    np.testing.assert_allclose(encoded, [0, 0, 1, 1], rtol=1e-6)
    assert encoded.max() <= 1


def test_weights_act_on_red_green_blue_in_this_order():
    primaries = np.eye(3, dtype=np.float32)[np.newaxis]
    np.testing.assert_allclose(luma_601(primaries)[0], [0.2989, 0.5870, 0.1140])
    np.testing.assert_allclose(luminance_709(primaries)[0], [0.2126, 0.7152, 0.0722])


def test_rounding_goes_half_up():
    values = np.array([0, 0.49, 0.5, 1.5, 254.5, 255], np.float32) / 255
    np.testing.assert_array_equal(round_to_8_bit(values), [0, 0, 1, 2, 255, 255])
