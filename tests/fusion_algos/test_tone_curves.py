"""The published formulas written out, and what a tone curve must not do."""

import numpy as np
import pytest

from fusion_algos.color import linear_to_srgb, luminance_709, srgb_to_linear
from fusion_algos.tone_curves import displayed, durand2002, percentiles, reinhard2002, reinhard2002_local

CURVES = pytest.mark.parametrize("curve", [reinhard2002, reinhard2002_local, durand2002])
ENCODING = 2e-5  # straight lines between 8192 values of sRGB


@pytest.fixture
def radiance():
    """14 stops, smooth from left to right, with texture."""
    rng = np.random.default_rng(8)
    stops = np.linspace(-12, 2, 120)[np.newaxis, :, np.newaxis] + 0.3 * rng.standard_normal((80, 120, 3))
    return np.exp2(stops).astype(np.float32)


def faded(light):
    """Colors outside the display's gamut move towards their gray, the more the brighter they are."""
    luminance = np.minimum(luminance_709(light), 1)[..., np.newaxis]
    largest = np.maximum(light.max(axis=2, keepdims=True), 1 + 1e-9)
    kept = 1 - luminance**8 * (largest - 1) / (largest - luminance)
    return np.clip(luminance + kept * (light - luminance), 0, 1)


def test_a_lamp_becomes_white_and_a_red_shirt_stays_red():
    radiance = np.array([[[1.6, 0.95, 0.5], [2.0, 0.05, 0.05], [0.9, 0.5, 0.1]]], np.float32)
    logarithm = np.log(luminance_709(radiance))
    lamp, shirt, wall = srgb_to_linear(displayed(radiance, logarithm, lambda rows: logarithm[rows].copy()))[0]
    assert lamp.min() > 0.9
    assert shirt[0] == 1
    assert shirt[1:].max() < 0.15
    np.testing.assert_allclose(wall, radiance[0, 2], atol=1e-4)  # a color that can be shown is shown


def test_reinhard_is_its_formula(radiance):
    luminance = radiance.astype(np.float64) @ [0.2126, 0.7152, 0.0722]
    mean, low, high = np.log2(luminance).mean(), *np.log2(np.percentile(luminance, [1, 99]))
    key = np.clip(0.18 * 4 ** ((2 * mean - low - high) / (high - low)), 0.045, 0.72)
    scaled = key * luminance / 2**mean
    white = np.percentile(scaled, 99.9)
    display = scaled * (1 + scaled / white**2) / (1 + scaled)
    expected = linear_to_srgb(faded(radiance / luminance[..., np.newaxis] * display[..., np.newaxis]))
    np.testing.assert_allclose(reinhard2002(radiance), expected, atol=1e-3)  # percentiles of 9600 pixels


def test_the_local_operator_dodges_only_where_there_is_contrast():
    """Far from every edge the local mean is the pixel; next to a bright area it is not the area's."""
    radiance = np.full((64, 256, 3), 0.02, np.float32)
    radiance[:, 128:] = 2
    difference = np.abs(reinhard2002_local(radiance) - reinhard2002(radiance))
    assert difference[:, :80].max() < 1e-3
    assert difference[:, 176:].max() < 1e-3
    assert difference[:, :126].max() < 0.05  # no dark rim


def test_durand_keeps_detail_and_brings_the_base_to_the_contrast(radiance):
    encoded = durand2002(radiance, contrast=20)
    light = luminance_709(srgb_to_linear(encoded))[:, 8:-8]
    base = light.mean(axis=0)
    assert 1.1 < np.log10(base[-1] / base[0]) < 1.5  # log10 20 = 1.3, of 14 stops = 4.2
    local = np.log(light / base).std()
    found = np.log(luminance_709(radiance)[:, 8:-8] / luminance_709(radiance)[:, 8:-8].mean(axis=0)).std()
    assert local == pytest.approx(found, rel=0.15)


@CURVES
def test_the_unit_of_radiance_does_not_matter(curve, radiance):
    np.testing.assert_allclose(curve(radiance * 1000), curve(radiance), atol=1e-4)


@CURVES
def test_grays_stay_gray_and_brighter_stays_brighter(curve):
    ramp = np.exp2(np.linspace(-9, 1, 512, dtype=np.float32))[np.newaxis, :, np.newaxis].repeat(16, axis=0)
    picture = curve(ramp.repeat(3, axis=2))
    assert np.ptp(picture, axis=2).max() < 1e-5
    assert np.diff(picture[8, :, 0]).min() > -1e-3


@CURVES
def test_black_is_black_whatever_its_share(curve, radiance):
    radiance[:2] = 0
    picture = curve(radiance)
    assert (picture[:2] == 0).all()
    # Its logarithm is minus infinity: without a floor it would rule over every mean and percentile.
    # Next to its white the local operator's small differences of luminance are larger ones of faded colors.
    most = 0.15 if curve is reinhard2002_local else 0.1
    assert np.abs(picture[40:] - curve(radiance[2:])[38:]).max() < most


@CURVES
@pytest.mark.parametrize("level", [0, 1e-12, 1, 1e6])
def test_flat_radiance(curve, level):
    picture = curve(np.full((20, 30, 3), level, np.float32))
    assert np.isfinite(picture).all()
    assert np.ptp(picture) < 1e-5


def test_saturation(radiance):
    logarithm = np.log(luminance_709(radiance))
    gray = np.full((80, 120), np.log(0.02), np.float32)
    pale, full = (displayed(radiance, logarithm, lambda rows: gray[rows].copy(), s) for s in (0.5, 1.0))
    assert np.ptp(pale, axis=2).mean() < 0.8 * np.ptp(full, axis=2).mean()
    np.testing.assert_allclose(luminance_709(srgb_to_linear(full)), 0.02, atol=1e-4)


def test_pictures_are_srgb_encoded():
    gray = np.linspace(0.001, 1, 999, dtype=np.float32)[np.newaxis, :, np.newaxis].repeat(3, axis=2)
    logarithm = np.log(luminance_709(gray))
    picture = displayed(gray, logarithm, lambda rows: logarithm[rows].copy())
    np.testing.assert_allclose(picture, linear_to_srgb(gray), atol=ENCODING)


def test_percentiles_of_part_of_the_values():
    plane = np.arange(-50, 51, dtype=np.float32).reshape(1, -1)
    assert percentiles(plane, (0, 50, 100), above=0) == [1, 25.5, 50]
    assert percentiles(plane, (5, 95), above=60) == [60, 60]
