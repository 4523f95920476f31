"""Metrics against scikit-image, against hand-computed cases, and PU21 at tabulated points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from trainer.metrics import pu21
from trainer.metrics.per_pixel import ROWS, angular_error, clipped_share, psnr
from trainer.metrics.ssim import STRIP_ROWS, ssim_gray, ssim_rgb

LUMA_601 = np.array([0.2989, 0.5870, 0.1140])
PAIRED = [psnr, ssim_rgb, ssim_gray, angular_error]


def pair(height: int, width: int, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """Smooth waves with clipped parts, and the same darker with noise."""
    rng = np.random.default_rng(2018)
    rows, columns = np.indices((height, width))
    waves = np.sin(rows / 9)[..., np.newaxis] + np.cos(columns[..., np.newaxis] / [7, 11, 13])
    picture = np.clip(0.5 + 0.4 * waves, 0, 1)
    noisy = np.clip(0.6 * picture + rng.normal(0, 0.03, picture.shape), 0, 1)
    if dtype == np.uint8:
        return tuple(np.round(255 * each).astype(np.uint8) for each in (noisy, picture))
    return noisy.astype(np.float32), picture.astype(np.float32)


def doubles(*pictures: np.ndarray) -> list[np.ndarray]:
    return [each / 255 if each.dtype == np.uint8 else each.astype(np.float64) for each in pictures]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_psnr_is_scikit_images(dtype):
    picture, reference = pair(40, 50, dtype)
    expected = peak_signal_noise_ratio(*doubles(reference, picture), data_range=1)
    assert psnr(picture, reference) == pytest.approx(expected, abs=1e-5)


def test_psnr_of_mixed_types_and_of_equal_pictures():
    picture, reference = pair(20, 20)
    assert psnr(picture / np.float32(255), reference) == pytest.approx(psnr(picture, reference), abs=1e-5)
    assert psnr(picture, picture) == math.inf
    assert psnr(np.zeros_like(picture), np.full_like(picture, 255)) == pytest.approx(0, abs=1e-12)


# More rows of windows than one strip, and a width that is no multiple of anything.
@pytest.mark.parametrize("shape", [(STRIP_ROWS + 75, 61), (STRIP_ROWS + 10, 23), (11, 11)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_ssim_is_scikit_images(shape, dtype):
    picture, reference = pair(*shape, dtype)
    x, y = doubles(picture, reference)
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(x, y, channel_axis=2, data_range=1, **gaussian)
    assert ssim_rgb(picture, reference) == pytest.approx(
        expected, abs=1e-5
    )  # float32, in the last case one window
    expected = structural_similarity(x @ LUMA_601, y @ LUMA_601, data_range=1)
    assert ssim_gray(picture, reference) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("ssim", [ssim_rgb, ssim_gray])
def test_ssim_of_equal_pictures_is_one_and_small_pictures_are_refused(ssim):
    picture, reference = pair(30, 30)
    assert ssim(picture, picture) == 1
    assert ssim(picture, reference) == ssim(reference, picture) < 0.99
    with pytest.raises(ValueError, match=r"SSIM needs at least .* pixels, found 6x30"):
        ssim(picture[:6], picture[:6])


def test_angles_are_those_between_colours():
    red, yellow, gray = ([1, 0, 0], [1, 1, 0], [0.5, 0.5, 0.5])
    black = [0, 0, 0]
    picture = np.float32([[red, red, gray, black, red]])
    reference = np.float32([[yellow, red, [0.1, 0.1, 0.1], red, black]])
    assert angular_error(picture, reference) == pytest.approx(45 / 3, abs=1e-4)  # black has no colour
    assert angular_error(0 * picture, reference) == 0


def test_small_angles_are_exact():
    picture = np.full((4, 4, 3), 0.5, np.float32)
    turned = picture + np.float32([1e-4, 0, 0])
    expected = math.degrees(math.atan(1e-4 * math.sqrt(2 / 3) / (math.sqrt(3) / 2)))
    assert angular_error(turned, picture) == pytest.approx(expected, rel=0.01)


def test_angles_do_not_depend_on_strips_or_brightness():
    picture, reference = pair(ROWS + 9, 12, np.float32)
    x, y = doubles(picture, reference)
    lengths = np.linalg.norm(x, axis=2) * np.linalg.norm(y, axis=2)
    angles = np.degrees(np.arccos(np.clip((x * y).sum(axis=2)[lengths > 0] / lengths[lengths > 0], -1, 1)))
    assert angular_error(picture, reference) == pytest.approx(angles.mean(), abs=1e-4)
    assert angular_error(picture / 4, reference) == pytest.approx(angles.mean(), abs=1e-4)


def test_a_pixel_is_clipped_if_one_of_its_channels_is():
    levels = np.uint8([[[0, 9, 9], [9, 255, 9], [1, 254, 100], [0, 255, 0]]])
    assert clipped_share(levels) == 0.75
    assert clipped_share(levels / np.float32(255)) == 0.75
    assert clipped_share(np.float32([[[0.001, 0.5, 0.5], [0.5, 0.5, 0.9985]]])) == 1  # rounded to 8 bits


@pytest.mark.parametrize("metric", PAIRED)
def test_what_cannot_be_compared_is_refused(metric):
    picture, reference = pair(12, 12)
    with pytest.raises(ValueError, match="resize the pair first"):
        metric(picture, reference[:, :11])
    with pytest.raises(ValueError, match="found float64"):
        metric(picture / 255, reference)
    with pytest.raises(ValueError, match="HxWx3"):
        metric(picture[..., 0], reference[..., 0])


def test_no_metric_alters_its_input():
    picture, reference = pair(20, 20, np.float32)
    copies = picture.copy(), reference.copy()
    for metric in PAIRED:
        metric(picture, reference)
    clipped_share(picture)
    assert np.array_equal(picture, copies[0])
    assert np.array_equal(reference, copies[1])


# PU21


def test_pu21_at_tabulated_points():
    """The formula in exact arithmetic; the authors' anchor is 256 near 100 cd/m2."""
    luminance = np.float32([0.005, 0.1, 1, 10, 100, 1000, 10_000])
    expected = [0.0, 5.7170, 36.5439, 123.6475, 256.3839, 420.0969, 595.3939]
    assert pu21.pu21(luminance) == pytest.approx(expected, abs=2e-3)
    assert pu21.pu21(np.float32([0, 1e-9, 1e6])) == pytest.approx([0, 0, 595.3939], abs=2e-3)


def test_pu21_psnr_is_that_of_encoded_light():
    linear = np.full((8, 8, 3), 0.5, np.float32)  # 100 cd/m2
    darker = np.full((8, 8, 3), 0.05, np.float32)  # 10 cd/m2
    expected = 20 * math.log10(256 / (256.3839 - 123.6475))
    assert pu21.pu21_psnr(darker, linear) == pytest.approx(expected, abs=1e-3)
    assert pu21.pu21_psnr(linear, linear) == math.inf


def test_pu21_ssim_is_that_of_encoded_luminance():
    picture, reference = pair(30, 40, np.float32)
    bright, linear = 20 * picture**2, 20 * reference**2
    x, y = (pu21.pu21(200 * each @ np.float32([0.212656, 0.715158, 0.072186])) for each in (bright, linear))
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(x.astype(float), y.astype(float), data_range=256, **gaussian)
    assert pu21.pu21_ssim(bright, linear) == pytest.approx(expected, abs=1e-5)


def test_pu21_takes_linear_light_only():
    picture, reference = pair(12, 12)
    with pytest.raises(ValueError, match="PU21 compares HxWx3 float32 linear light"):
        pu21.pu21_psnr(picture, reference)
