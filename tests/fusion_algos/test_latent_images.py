"""Latent images: the exposures themselves where nothing moved, the reference's scene where something did."""

import cv2
import numpy as np
import pytest

from fusion_algos import ExposureStack, latent_images
from fusion_algos.hole_filling import filled
from fusion_algos.latent_images import find_latent_images, reference_exposure
from fusion_algos.patch_match import similarity, voted
from fusion_algos.scene_motion import find_motion
from tests.fusion_algos.moving_scenes import exposed, moving_square, textured_background

COLORS = [(0.6, 0.1, 0.08), (0.3, 0.3, 0.3), (0.002, 0.002, 0.002)]


def search(hole):
    def rebuilt(hole, field, depth):
        whole = slice(0, hole.missing.shape[0]), slice(0, hole.missing.shape[1])
        return (voted(hole.source, field, similarity(field), *whole) + 0.5).astype(np.uint8)

    return filled(hole, rebuilt, patch=7, coarsest=32, iterations=lambda level: 2)


def no_search(hole):
    raise AssertionError("nothing is clipped here: no patch may be searched")


@pytest.fixture
def still():
    radiance = textured_background(90, 120, np.random.default_rng(11))
    return ExposureStack([exposed(radiance, t) for t in (1, 4, 16, 64)], [1, 4, 16, 64])


@pytest.mark.parametrize(("count", "middle"), [(2, 0), (3, 1), (4, 1), (5, 2), (30, 14)])
def test_the_reference_is_the_middle_exposure(count, middle):
    image = np.zeros((8, 8, 3), np.uint8)
    assert reference_exposure(ExposureStack([image] * count)) == middle


@pytest.mark.parametrize(("levels", "reference"), [((0, 1, 2, 100, 255), 3), ((60, 100, 130, 160, 200), 2)])
def test_a_badly_exposed_middle_is_no_reference(levels, reference):
    images = [np.full((8, 8, 3), level, np.uint8) for level in levels]
    assert reference_exposure(ExposureStack(images)) == reference


@pytest.mark.parametrize(("count", "reference"), [(3, 1), (5, 3)])
def test_the_best_exposed_neighbour_of_a_dim_middle_is_the_reference(count, reference):
    """A fifth of the middle exposure is nearly black; of three exposures it stays the reference all the same."""
    images = [np.full((10, 10, 3), 100 + 10 * k, np.uint8) for k in range(count)]
    for k in range((count - 1) // 2 + 1):
        images[k][:2] = 3
    assert reference_exposure(ExposureStack(images)) == reference


def test_a_still_stack_is_its_own_latent_images(still):
    latents = find_latent_images(still, no_search)
    assert latents.are_the_exposures
    images = dict(latents)
    assert sorted(images) == [0, 1, 2, 3]
    assert all(images[k] is still.images[k] for k in images)


def test_from_the_reference_outwards(still):
    assert [k for k, _ in find_latent_images(still, no_search)] == [1, 2, 3, 0]


@pytest.mark.parametrize("color", COLORS)
def test_latent_images_show_the_scene_as_in_the_reference(color):
    scene = moving_square(color)
    latents = find_latent_images(scene.moving, search)
    assert not latents.are_the_exposures
    for k, image in latents:
        wrong = np.abs(scene.moving.images[k].astype(float) - scene.still.images[k])[scene.moved].mean()
        left = np.abs(image.astype(float) - scene.still.images[k])[scene.moved].mean()
        assert left <= 0.2 * wrong, k  # two levels of twenty or more: what re-exposing rounds


def test_what_did_not_move_stays_as_it_is():
    scene = moving_square((0.3, 0.3, 0.3))
    for k, image in find_latent_images(scene.moving, search):
        np.testing.assert_array_equal(image[100:], scene.moving.images[k][100:])


def test_a_soft_mover_before_a_clipped_sky_leaves_no_outline():
    """Around its mask the exposure is right already: nothing there departs more than what patches fill in."""
    scene = textured_background(120, 160, np.random.default_rng(5))
    scene[:80] = np.linspace(0.6, 0.7, 160)[:, np.newaxis]  # white in the reference
    scene[100:] = np.linspace(0.01, 0.2, 160)[:, np.newaxis]  # grays of which both exposures tell
    disc = cv2.circle(np.zeros((120, 160)), (80, 40), 20, 1.0, cv2.FILLED)
    veil = cv2.GaussianBlur(disc, (0, 0), 2)[..., np.newaxis]
    dark, middle, bright = exposed(scene + veil * (0.01 - scene), 1), exposed(scene, 4), exposed(scene, 16)
    latents = dict(find_latent_images(ExposureStack([dark, middle, bright], [1, 4, 16]), search))
    departure = np.abs(latents[0][:75].astype(int) - exposed(scene, 1)[:75])
    moved = find_motion(middle, dark).moved[:75]
    assert departure[~moved].max() < departure[moved].max() <= 10


def test_float_images_give_the_same_latent_images():
    scene = moving_square((0.6, 0.1, 0.08)).moving
    floats = ExposureStack([image / np.float32(255) for image in scene.images], scene.exposure_seconds)
    bytes_of = dict(find_latent_images(scene, search))
    for k, image in find_latent_images(floats, search):
        assert image.dtype == np.float32
        assert np.abs(255 * image - bytes_of[k]).max() <= 0.5 + 1e-3  # their rounding


def test_a_coarse_search_serves_the_full_size(monkeypatch):
    """Offsets and masks found at a ninth of the pixels fetch full-sized ones."""
    scene = moving_square((0.6, 0.1, 0.08), size=(240, 320), side=40)
    monkeypatch.setattr(latent_images, "SEARCH_PIXELS", 240 * 320 // 9)
    for k, image in find_latent_images(scene.moving, search):
        wrong = np.abs(scene.moving.images[k].astype(float) - scene.still.images[k])[scene.moved].mean()
        left = np.abs(image.astype(float) - scene.still.images[k])[scene.moved].mean()
        assert left <= 0.25 * wrong, k
        assert image.shape == scene.moving.shape


def test_strips_leave_no_seam(monkeypatch):
    scene = moving_square((0.6, 0.1, 0.08)).moving
    whole = dict(find_latent_images(scene, search))
    monkeypatch.setattr("fusion_algos.row_strips.STRIP_PIXELS", 500)
    for k, image in find_latent_images(scene, search):
        assert np.abs(image.astype(int) - whole[k]).max() <= 1
