"""FSIM against published code's values, and its properties."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from builder.images import read_image
from trainer.metrics.fsim import features, fsim, similarity_of
from trainer.metrics.phase_congruency import SCALES, _noise_gain, log_gabor_filters, phase_congruency
from trainer.metrics.ssim import ssim_rgb

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle"


def picture(height: int = 90, width: int = 70) -> np.ndarray:
    rows, columns = np.indices((height, width))
    discs = (rows - 40) ** 2 + (columns - 30) ** 2 < 400
    colours = np.where(discs[..., np.newaxis], [0.8, 0.3, 0.2], [0.2, 0.4, 0.5])
    return (colours + 0.1 * np.sin(columns / 5)[..., np.newaxis]).astype(np.float32)


def noisy(deviation: float) -> np.ndarray:
    rng = np.random.default_rng(7)
    clean = picture()
    return np.clip(clean + rng.normal(0, deviation, clean.shape), 0, 1).astype(np.float32)


@pytest.mark.oracle
def test_the_reference_table_is_met():
    """piq 0.8.0 on real exposures, to its five printed digits; 1e-3 is asked for. SSIM beside it."""
    table = ORACLE / "fsim_reference.csv"
    if not table.is_file():
        pytest.skip(f"{table} is absent: reference values are not part of the project")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert rows
    for row in rows:
        reference, image = (read_image(ORACLE / "waterloo" / row[key]) for key in ("reference", "image"))
        found = fsim(image, reference)
        assert found.fsim == pytest.approx(float(row["fsim"]), abs=5e-5), row
        assert found.fsimc == pytest.approx(float(row["fsimc"]), abs=5e-5), row
        expected = float(row["ssim_rgb_gauss11_no_downsample"])
        assert ssim_rgb(image, reference) == pytest.approx(expected, abs=1e-4), row


def test_equal_pictures_score_one():
    assert fsim(picture(), picture()) == pytest.approx((1, 1), abs=1e-6)


def test_it_is_symmetric():
    assert fsim(picture(), noisy(0.1)) == pytest.approx(fsim(noisy(0.1), picture()), abs=1e-7)


def test_it_falls_with_noise():
    scores = [fsim(noisy(deviation), picture()) for deviation in (0.01, 0.05, 0.2)]
    assert 1 > scores[0].fsim > scores[1].fsim > scores[2].fsim > 0
    assert 1 > scores[0].fsimc > scores[1].fsimc > scores[2].fsimc > 0


def test_only_fsimc_sees_a_change_of_hue():
    """Channels exchanged about their luma: Y, gradient and phases stay."""
    clean = picture()
    luma = clean @ np.float32([0.299, 0.587, 0.114])
    gray = np.repeat(luma[..., np.newaxis], 3, axis=2)
    found = fsim(gray, clean)
    assert found.fsim == pytest.approx(1, abs=1e-4)
    assert found.fsimc < 0.999


def test_8_bits_give_the_same_as_their_floats():
    levels = np.round(255 * noisy(0.05)).astype(np.uint8)
    reference = np.round(255 * picture()).astype(np.uint8)
    floats = fsim(levels / np.float32(255), reference / np.float32(255))
    assert fsim(levels, reference) == pytest.approx(floats, abs=1e-6)


def test_large_pictures_are_averaged_over_whole_cells():
    """Shorter side 400: cells of 2x2, since 400/256 rounds to 2; the odd last column belongs to none."""
    rng = np.random.default_rng(3)
    small = rng.random((2, 200, 210, 3), dtype=np.float32)
    large = [np.pad(each.repeat(2, 0).repeat(2, 1), ((0, 0), (0, 1), (0, 0))) for each in small]
    assert large[0].shape == (400, 421, 3)
    assert fsim(*large) == pytest.approx(fsim(*small), abs=1e-6)


def test_constant_pictures_have_a_score():
    dark, bright = (np.full((40, 50, 3), level, np.float32) for level in (0.25, 0.5))
    assert fsim(dark, dark) == pytest.approx((1, 1))
    assert 0 <= fsim(dark, bright).fsimc <= 1


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (7, 300)])
def test_tiny_and_long_pictures_have_a_score(shape):
    assert fsim(picture(*shape), picture(*shape)) == pytest.approx((1, 1), abs=1e-6)


def test_features_can_be_kept():
    reference = features(picture())
    expected = fsim(noisy(0.1), picture())
    assert similarity_of(features(noisy(0.1)), reference) == pytest.approx(expected, abs=1e-7)


def test_other_sizes_and_types_are_refused():
    with pytest.raises(ValueError, match="resize the pair first"):
        fsim(picture(), picture(90, 71))
    with pytest.raises(ValueError, match="found float64"):
        fsim(picture().astype(np.float64), picture())


# Phase congruency


def test_phase_congruency_is_high_at_a_step_whatever_its_contrast():
    step = np.zeros((64, 192), np.float32)
    step[:, 48:144] = 200
    found = phase_congruency(step)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[10:54, 47:49].min() > 0.8
    assert found[10:54, 54:60].max() < 0.35
    assert phase_congruency(step / 50) == pytest.approx(found, abs=1e-4)


def test_phase_congruency_turns_with_the_picture():
    plane = 255 * picture(81, 81)[..., 0]  # odd: the grid of frequencies is symmetric
    assert phase_congruency(plane.T.copy()) == pytest.approx(phase_congruency(plane).T, abs=1e-4)
    assert phase_congruency(plane[::-1].copy()) == pytest.approx(phase_congruency(plane)[::-1], abs=1e-4)


def test_white_noise_has_next_to_none():
    noise = np.random.default_rng(1).normal(0, 20, (128, 128)).astype(np.float32)
    step = np.where(np.arange(128) < 64, 0, 200) * np.ones((128, 1))
    assert phase_congruency(noise).mean() < 0.15
    assert phase_congruency((noise + step).astype(np.float32))[:, 62:66].mean() > 0.35


def test_the_noise_gain_is_the_sum_over_spatial_filters():
    """Kovesi: 2 p sum A_n^2 + 4 p sum_{i<j} A_i A_j over the even parts of the filters, in pixels."""
    filters = log_gabor_filters(24, 31).bank[1].astype(np.float64)
    spatial = scipy.fft.ifft2(filters).real * np.sqrt(24 * 31)
    squares = (spatial**2).sum()
    products = sum((spatial[i] * spatial[j]).sum() for i in range(SCALES) for j in range(i + 1, SCALES))
    power = 1 / (filters[0] ** 2).sum()
    tau = np.sqrt((2 * power * squares + 4 * power * products) / 2)
    expected = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
    assert _noise_gain(filters) == pytest.approx(expected, rel=1e-9)
