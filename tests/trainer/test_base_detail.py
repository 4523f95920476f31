from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.preprocessing.base_detail import base_detail, normalised_luminance

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle" / "sice_models"


def test_luminance_is_gray_rounded_over_its_largest():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0], picture[0, 1], picture[1, 0] = (255, 0, 0), (0, 200, 0), (0, 0, 255)
    assert normalised_luminance(picture).tolist() == np.float32([[76 / 117, 1], [29 / 117, 0]]).tolist()


def test_floats_are_rounded_to_8_bits():
    picture = np.random.default_rng(1).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    noise = np.random.default_rng(2).uniform(-0.4, 0.4, picture.shape)
    floats = np.clip((picture + noise) / 255, 0, 1).astype(np.float32)
    assert np.array_equal(normalised_luminance(floats), normalised_luminance(picture))


def test_base_and_detail_add_up_to_the_luminance():
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    split = base_detail(picture)
    luminance = normalised_luminance(picture)
    assert split.base.dtype == split.detail.dtype == np.float32
    assert np.allclose(split.base + split.detail, luminance, atol=1e-6)
    assert split.base.mean() == pytest.approx(luminance.mean(), abs=1e-6)
    assert 0 < split.detail.std() < luminance.std()


def test_an_edge_stays_and_noise_goes():
    step = np.repeat(np.where(np.arange(60) < 30, 200, 50)[np.newaxis], 40, 0)
    noisy = step + np.random.default_rng(3).integers(-2, 3, step.shape)
    base = base_detail(np.repeat(noisy[..., np.newaxis], 3, 2).astype(np.uint8)).base * noisy.max()
    assert base[:, :30].mean() - base[:, 30:].mean() > 135  # of 150
    assert base[:, 5:25].std() < 0.2 * noisy[:, 5:25].std()


def test_black_has_neither():
    split = base_detail(np.zeros((8, 9, 3), np.uint8))
    assert not split.base.any()
    assert not split.detail.any()


@pytest.mark.oracle
def test_base_of_an_independent_program():
    if not ORACLE.is_dir():
        pytest.skip(f"{ORACLE} is absent: it is not part of the project")
    picture = cv2.imread(str(ORACLE / "input.png"))[..., ::-1]
    assert np.abs(base_detail(picture).base - np.load(ORACLE / "luminance.npy")).max() <= 1e-3
