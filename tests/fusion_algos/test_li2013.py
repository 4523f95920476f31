"""Guided filtering fusion: winners, and the coarse grid of large images."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import li2013


def test_every_half_comes_from_the_exposure_that_shows_it():
    rng = np.random.default_rng(6)
    texture = rng.integers(40, 216, (120, 240, 3), dtype=np.uint8)
    left, right = texture.copy(), texture.copy()
    left[:, 120:] = 255
    right[:, :120] = 0
    fused = li2013.fuse(ExposureStack([right, left], [1, 4]))
    far = np.abs(np.arange(240) - 119.5) > 110  # beyond twice the wide filter's radius and the base's window
    assert np.abs(fused - texture / 255)[:, far].max() < 0.01


def test_the_first_of_equals_wins():
    """Where no exposure has any contrast the darkest wins: its flat value comes back."""
    stack = ExposureStack([np.full((40, 40, 3), level, np.uint8) for level in (60, 120)], [1, 2])
    np.testing.assert_allclose(li2013.fuse(stack), 60 / 255, atol=1e-3)


def test_the_coarse_grid_changes_little(bracket, monkeypatch):
    stack = ExposureStack(bracket(3, 300, 403), [1, 4, 16])
    exact = li2013.fuse(stack)
    monkeypatch.setattr(li2013, "COARSE_ABOVE", 0)
    coarse = li2013.fuse(stack)
    difference = np.abs(coarse - exact)
    assert 0 < difference.mean() < 0.25 / 255
    assert difference.max() < 4 / 255


@pytest.mark.parametrize("scale", [2.0, 3.5])
def test_windows_on_the_grid_are_near_the_exact_ones(bracket, monkeypatch, scale):
    """What remains: windows' outlines are rounded to cells, and the winners' borders to interpolated ones."""
    stack = ExposureStack(bracket(3, 240, 322), [1, 4, 16])
    grid = li2013.fuse(stack, radius_scale=scale)
    monkeypatch.setattr(li2013, "GRID_FROM", np.inf)
    difference = np.abs(li2013.fuse(stack, radius_scale=scale) - grid)
    assert 0 < difference.mean() < 1 / 255
    assert np.percentile(difference, 99) < 4 / 255


def test_a_scale_beyond_the_image_is_its_size(bracket):
    fused = li2013.fuse(ExposureStack(bracket(2, 16, 20), [1, 4]), radius_scale=50)
    assert fused.shape == (16, 20, 3)
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("radius", [1, 45])
def test_parameters_reach_the_filters(bracket, radius):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    assert np.abs(li2013.fuse(stack, base_radius=radius) - li2013.fuse(stack, base_radius=20)).max() > 0.01
