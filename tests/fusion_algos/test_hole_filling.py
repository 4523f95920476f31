"""Holes in images whose content is known."""

import numpy as np
import pytest

from fusion_algos.hole_filling import Hole, filled
from fusion_algos.patch_match import similarity, voted

SHAPE = (96, 128)


@pytest.fixture
def stripes():
    """A pattern that its surroundings determine: stripes of three colors."""
    x = np.indices(SHAPE)[1]
    phase = np.stack([np.sin(2 * np.pi * (x + shift) / 16) for shift in (0, 3, 8)], axis=2)
    return np.round(128 + 90 * phase).astype(np.uint8)


def rebuilt(hole, field, depth):
    assert 0 <= depth <= 1
    whole = tuple(slice(0, side) for side in hole.missing.shape)
    return (voted(hole.source, field, similarity(field), *whole) + 0.5).astype(np.uint8)


def hole_in(image, source):
    missing = np.zeros(SHAPE, bool)
    missing[40:64, 50:80] = True
    gray = np.full_like(image, 128)
    latent = np.where(missing[..., np.newaxis], gray, image)
    white = np.full_like(image, 255)
    return Hole(latent, white, source, white, missing)


def fill(hole):
    return filled(hole, rebuilt, patch=7, coarsest=24, iterations=lambda level: 4)


def test_a_pattern_is_continued(stripes):
    source = stripes.copy()
    source[30:70, 40:90] = 20  # nothing to be copied from the same place
    hole = hole_in(stripes, source)
    image, _ = fill(hole)
    before = np.abs(hole.latent.astype(float) - stripes)[hole.missing].mean()
    assert np.abs(image.astype(float) - stripes)[hole.missing].mean() < 0.2 * before


def test_nothing_changes_outside(stripes):
    hole = hole_in(stripes, stripes)
    image, field = fill(hole)
    np.testing.assert_array_equal(image[~hole.missing], stripes[~hole.missing])
    assert field.wanted[hole.missing].all()


def test_the_reference_keeps_out_what_is_too_dark(stripes):
    """Where the reference is white only what maps to white may come: of two sources the bright one."""
    flat = np.full_like(stripes, 60)
    source = flat.copy()
    source[:20] = 200
    hole = hole_in(flat, source)
    inverse = np.where(source == 200, 255, 90).astype(np.uint8)
    reference = np.where(hole.missing[..., np.newaxis], [255, 255, 255], 90).astype(np.uint8)
    image, _ = fill(Hole(hole.latent, reference, source, inverse, hole.missing))
    assert image[48:56, 58:72].mean() > 190


def test_a_hole_at_the_border_of_a_small_image():
    image = np.random.default_rng(2).integers(0, 256, (16, 17, 3), np.uint8)
    missing = np.zeros((16, 17), bool)
    missing[:6, :5] = True
    hole = Hole(image, image, image, image, missing)
    filled_image, _ = filled(hole, rebuilt, patch=10, coarsest=32, iterations=lambda level: 1)
    np.testing.assert_array_equal(filled_image, image)
