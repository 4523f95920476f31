"""Pale highlights stay pale, colored lamps colored, and what is white in all exposures white."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.camera_response import CameraResponse, srgb_response
from fusion_algos.color import luminance_709, srgb_to_linear
from fusion_algos.highlights import fade_highlights, whiten_clipped
from fusion_algos.stack_hdr import oh2015, paris2011, sen2012

PALE = (244, 248, 235)  # a window in the sun
LAMP = (255, 60, 25)  # red neon
ALL = slice(0, 4)


def flat(color):
    return np.full((4, 5, 3), color, np.uint8)


def shouldered_light(levels):
    """By a curve that is flat near its end, as cameras' are: its inverse doubles what sRGB says of the last levels."""
    encoded = levels / np.float32(255)
    return srgb_to_linear(encoded) * (1 + 1.5 * np.clip(encoded - 0.85, 0, 1) / 0.15)


def chroma(color):
    return float(np.ptp(color) / np.max(color))


def test_a_pale_highlight_gets_the_color_of_the_file():
    radiance = shouldered_light(flat(PALE))
    before = radiance.copy()
    fade_highlights(radiance, flat(PALE))
    file = srgb_to_linear(np.array(PALE, np.uint8))
    np.testing.assert_allclose(radiance[0, 0] / radiance[0, 0, 1], file / file[1], rtol=1e-5)
    assert chroma(radiance[0, 0]) < 0.5 * chroma(before[0, 0])
    np.testing.assert_allclose(luminance_709(radiance), luminance_709(before), rtol=1e-5)


def test_a_colored_lamp_stays_colored():
    radiance = shouldered_light(flat(LAMP))
    before = chroma(radiance[0, 0])
    fade_highlights(radiance, flat(LAMP))
    assert chroma(radiance[0, 0]) > 0.95 * before


@pytest.mark.parametrize("color", [PALE, LAMP, (10, 200, 30)])
def test_srgb_files_and_darker_ones_stay_what_they_are(color):
    radiance = srgb_to_linear(flat(color)) * np.float32(3)
    faded = radiance.copy()
    fade_highlights(faded, flat(color))
    np.testing.assert_allclose(faded, radiance, rtol=1e-5)
    dark = np.random.default_rng(1).random((4, 5, 3), np.float32)
    same = dark.copy()
    fade_highlights(same, flat((213, 100, 0)))
    np.testing.assert_array_equal(same, dark)


def test_floats_and_bytes_are_faded_alike():
    eight, floats = (shouldered_light(flat(PALE)) for _ in range(2))
    fade_highlights(eight, flat(PALE))
    fade_highlights(floats, flat(PALE) / np.float32(255))
    np.testing.assert_allclose(floats, eight, rtol=1e-4)


def test_what_the_darkest_exposure_clips_becomes_white():
    brighter = flat((255, 255, 255))
    for color, expected in [((255, 255, 255), 0), ((255, 255, 100), -1), ((230, 230, 230), -1)]:
        display = np.full((4, 5), -1, np.float32)
        whiten_clipped(display, ExposureStack([flat(color), brighter], [1, 2]), ALL)
        np.testing.assert_array_equal(display, expected)
    bright = np.full((4, 5), 0.5, np.float32)
    whiten_clipped(bright, ExposureStack([brighter, brighter], [1, 2]), ALL)
    assert (bright == 0.5).all()  # nothing is lowered


@pytest.mark.parametrize(("white", "expected"), [(65535, 0), (0.94 * 65535, -0.5), (30000, -1)])
def test_linear_planes_say_themselves_what_is_clipped(white, expected):
    planes = [np.full((4, 5, 3), white, np.uint16)] * 2
    stack = ExposureStack([flat((255, 255, 255))] * 2, [1, 2], planes)
    display = np.full((4, 5), -1, np.float32)
    whiten_clipped(display, stack, ALL)
    np.testing.assert_allclose(display, expected, atol=0.01)


@pytest.mark.parametrize("algorithm", [oh2015, paris2011, sen2012])
def test_no_gray_sun_and_no_colored_rim(algorithm):
    """A blurred white sun that even the darkest exposure clips, in a dim scene, by a camera with a shoulder."""
    y, x = np.mgrid[0:120, 0:160] - np.array([[[60]], [[80]]])
    light = 0.02 + 0.01 * np.sin(x / 9) * np.cos(y / 7) + 6 / (1 + np.exp((np.hypot(x, y) - 16) / 1.5))
    truth = light[..., np.newaxis] * np.array([1, 1.02, 0.97])
    encode = np.interp(np.linspace(0, 1, 4096), shouldered_light(np.arange(256)) / 2.5, np.arange(256))
    seconds = (0.25, 1.0, 4.0, 16.0, 64.0)
    images = [
        np.rint(encode[(4095 * np.clip(truth * t, 0, 1)).astype(int)]).astype(np.uint8) for t in seconds
    ]
    picture = algorithm.fuse(ExposureStack(images, seconds))
    sun, rim = np.hypot(x, y) < 12, (np.hypot(x, y) > 12) & (np.hypot(x, y) < 24)
    assert picture[sun].min() > 0.97
    assert np.ptp(picture[rim], axis=1).max() < 0.1


def test_saturation_is_half_of_the_slope():
    assert srgb_response().saturation == 1.0
    linear = srgb_response().light
    steeper = CameraResponse(linear ** np.float32(1 / 1.21))
    assert steeper.saturation == pytest.approx(1.1, rel=1e-4)
    assert CameraResponse(linear ** np.float32(0.1)).saturation == pytest.approx(1.5**0.5)
