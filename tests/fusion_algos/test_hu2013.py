"""Latent exposures: the static shortcut, gradients integrated by definition, and no ghosts."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import mertens2009
from fusion_algos.latent_images import find_latent_images
from fusion_algos.stack_hdr import hu2013
from tests.fusion_algos.moving_scenes import exposed, ghost_energy, moving_square, textured_background

COLORS = [(0.6, 0.1, 0.08), (0.3, 0.3, 0.3), (0.01, 0.2, 0.4), (0.002, 0.002, 0.002)]


def test_a_still_stack_is_mertens2009():
    radiance = textured_background(60, 80, np.random.default_rng(3))
    stack = ExposureStack([exposed(radiance, t) for t in (1, 4, 16, 64)])
    np.testing.assert_array_equal(hu2013.fuse(stack), mertens2009.fuse(stack))


def test_the_fusion_is_mertens2009_of_the_latent_images():
    stack = moving_square((0.3, 0.3, 0.3)).moving
    latents = find_latent_images(stack, hu2013._search)
    images = dict(latents)
    expected = mertens2009.fuse(ExposureStack([images[k] for k in sorted(images)], stack.exposure_seconds))
    np.testing.assert_allclose(hu2013.fuse(stack), expected, atol=1e-4)  # another order of summation


@pytest.mark.parametrize("color", COLORS)
def test_a_moving_square_leaves_no_ghost(color):
    scene = moving_square(color)
    left = ghost_energy(hu2013.fuse, scene)
    assert left < 0.02
    assert left < 0.15 * ghost_energy(mertens2009.fuse, scene)


@pytest.mark.parametrize("color", [(0.6, 0.1, 0.08), (0.002, 0.002, 0.002)])
def test_moving_scenes_repeat_themselves(color):
    stack = moving_square(color).moving
    np.testing.assert_array_equal(hu2013.fuse(stack), hu2013.fuse(stack))


def test_floats_and_bytes_of_a_moving_scene_agree():
    stack = moving_square((0.6, 0.1, 0.08)).moving
    floats = ExposureStack([image / np.float32(255) for image in stack.images], stack.exposure_seconds)
    # 8-bit latent images are rounded, and Mertens' contrast sees their rounding
    assert np.abs(hu2013.fuse(floats) - hu2013.fuse(stack)).mean() < 0.5 / 255


def test_consistent_gradients_give_the_image_back():
    image = np.random.default_rng(4).random((20, 31, 3)).astype(np.float32) * 255
    gradients = [hu2013._forward(image, axis) for axis in (0, 1)]
    np.testing.assert_allclose(hu2013._integrated(image, gradients), image, atol=1e-3)


def test_integration_minimises_its_energy():
    rng = np.random.default_rng(5)
    levels = rng.random((12, 15, 1)).astype(np.float32)
    gradients = [rng.random((12, 15, 1)).astype(np.float32) for _ in range(2)]
    gradients[0][-1], gradients[1][:, -1] = 0, 0

    def energy(image):
        misfit = sum(((hu2013._forward(image, a) - gradients[a]) ** 2).sum() for a in (0, 1))
        return float(((image - levels) ** 2).sum() + 0.5 * misfit)

    best = hu2013._integrated(levels, gradients)
    for _ in range(10):
        step = 0.01 * rng.standard_normal(best.shape).astype(np.float32)
        assert energy(best + step) > energy(best)
