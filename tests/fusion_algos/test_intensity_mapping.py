"""Mapping curves against the curve that made the second exposure."""

import numpy as np
import pytest

from fusion_algos.intensity_mapping import mapping_curves, re_exposed
from tests.fusion_algos.moving_scenes import exposed, moving_square, textured_background


@pytest.fixture
def radiance():
    return textured_background(150, 200, np.random.default_rng(5))


def levels_of(image, channel=1):
    """Levels with enough pixels to say something of them."""
    return np.flatnonzero(np.bincount(image[..., channel].ravel(), minlength=256) > 30)


@pytest.mark.parametrize(("first", "second"), [(4, 16), (16, 4), (4, 1)])
def test_the_curve_between_two_exposures(radiance, first, second):
    images = [exposed(radiance, seconds) for seconds in (first, second)]
    curve = mapping_curves(*images)[:, 1]
    levels = levels_of(images[0])
    levels = levels[(levels > 20) & (levels < 250)]  # below, one level stands for several
    expected = 255 * np.minimum((levels / 255) ** 2.2 * second / first, 1) ** (1 / 2.2)
    assert np.abs(curve[levels] - expected).max() < 2.5
    assert np.abs(curve[levels] - expected).mean() < 0.6


def test_curves_rise_and_stay_in_range(radiance):
    curves = mapping_curves(exposed(radiance, 4), exposed(radiance, 100))
    assert curves.shape == (256, 3)
    assert (np.diff(curves, axis=0) >= 0).all()
    assert curves.min() >= 0
    assert curves.max() <= 255


def test_equal_exposures_map_to_themselves(radiance):
    image = exposed(radiance, 4)
    curves, levels = mapping_curves(image, image), levels_of(image)
    np.testing.assert_allclose(curves[levels, 1], levels, atol=0.01)
    assert np.abs(re_exposed(image, curves) - image).mean() < 0.01


def test_motion_does_not_bend_the_curve():
    """The moved square has levels that nothing else has: where it stood says nothing of them."""
    scene = moving_square((0.3, 0.3, 0.3))
    moving = mapping_curves(scene.moving.images[1], scene.moving.images[0])
    still = mapping_curves(scene.still.images[1], scene.still.images[0])
    levels = levels_of(scene.moving.images[1])
    assert np.abs(moving - still)[levels].max() < 4


@pytest.mark.parametrize("levels", [(0, 0), (255, 255), (0, 255), (77, 200)])
def test_flat_images(levels):
    first, second = (np.full((20, 30, 3), level, np.uint8) for level in levels)
    assert np.isfinite(mapping_curves(first, second)).all()
    np.testing.assert_allclose(re_exposed(first, mapping_curves(first, second)), levels[1], atol=0.01)
