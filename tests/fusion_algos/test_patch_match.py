"""PatchMatch on images whose nearest neighbours are known."""

import numpy as np
import pytest

from fusion_algos.patch_match import NearestNeighbours, nearest_neighbours, shown, similarity, voted

SHIFT = (7, -5)  # rows, columns from a place in the target to its equal in the source


@pytest.fixture
def texture():
    return np.random.default_rng(1).integers(0, 256, (60, 70, 3), np.uint8)


@pytest.fixture
def inside():
    """Pixels whose equal patches lie in the image."""
    wanted = np.zeros((60, 70), bool)
    wanted[12:40, 15:55] = True
    return wanted


def search(target, source, wanted, patch=7, **options):
    still = np.zeros((*wanted.shape, 2), np.int32)
    return nearest_neighbours(target, source, wanted, still, patch=patch, **options)


@pytest.mark.parametrize("patch", [7, 10])
def test_a_shifted_image_is_found(texture, inside, patch):
    target = np.roll(texture, (-SHIFT[0], -SHIFT[1]), (0, 1))
    field = search(target, texture, inside, patch, rounds=6)
    # one lucky random step is enough: from there the offset propagates to all
    np.testing.assert_array_equal(field.offsets[inside], np.broadcast_to(SHIFT, (inside.sum(), 2)))
    np.testing.assert_array_equal(field.distances, 0)


def test_nothing_is_searched_elsewhere(texture, inside):
    field = search(texture[::-1].copy(), texture, inside)
    assert not field.offsets[~inside].any()
    assert not field.distances[~inside].any()
    assert (field.distances[inside] > 0).all()


def test_distances_are_those_of_the_patches(texture, inside):
    target = texture[::-1].copy()
    field = search(target, texture, inside)
    for y, x in [(12, 15), (39, 54), (20, 30)]:
        row, column = field.offsets[y, x] + (y, x)
        if 3 <= row < 57 and 3 <= column < 67:
            patches = [
                image[i - 3 : i + 4, j - 3 : j + 4].astype(float)
                for image, i, j in ((target, y, x), (texture, row, column))
            ]
            assert field.distances[y, x] == pytest.approx(np.mean((patches[0] - patches[1]) ** 2), rel=1e-5)


def test_every_offset_stays_in_the_image(texture):
    wanted = np.ones(texture.shape[:2], bool)
    field = search(texture[::-1, ::-1].copy(), texture, wanted)
    rows, columns = np.moveaxis(field.offsets, 2, 0) + np.indices(wanted.shape)
    assert rows.min() >= 0
    assert rows.max() < 60
    assert columns.min() >= 0
    assert columns.max() < 70


def test_more_rounds_are_never_worse_and_repeat_themselves(texture, inside):
    target = texture[::-1].copy()
    few, many, again = (search(target, texture, inside, rounds=n) for n in (1, 4, 4))
    assert many.distances[inside].mean() < few.distances[inside].mean()
    assert (many.distances <= few.distances).all()
    np.testing.assert_array_equal(many.offsets, again.offsets)


def test_a_bad_first_guess_is_brought_into_the_image(texture, inside):
    far = np.full((60, 70, 2), 1000, np.int32)
    field = nearest_neighbours(texture, texture, inside, far, patch=7, rounds=0)
    assert (field.offsets[39, 54] == (20, 15)).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_votes_fetch_the_source(texture, inside, scale):
    """Patches that agree copy the source, also one that is larger than the field."""
    offsets = np.where(inside[..., np.newaxis], np.array(SHIFT), 0).astype(np.int32)
    field = NearestNeighbours(offsets, np.zeros(inside.shape, np.float32), inside, 7)
    large = np.repeat(np.repeat(texture, scale, axis=0), scale, axis=1)
    rows, columns = slice(15 * scale, 30 * scale), slice(20 * scale, 40 * scale)
    found = voted(large, field, similarity(field), rows, columns)
    shifted = large[
        rows.start + SHIFT[0] * scale : rows.stop + SHIFT[0] * scale,
        columns.start + SHIFT[1] * scale : columns.stop + SHIFT[1] * scale,
    ]
    np.testing.assert_allclose(found, shifted, atol=1e-3)


def test_votes_are_0_where_no_patch_reaches(texture, inside):
    field = search(texture, texture, inside)
    found = voted(texture, field, similarity(field), slice(0, 60), slice(0, 70))
    assert not found[:9].any()
    assert found[9:43, 12:58].all(axis=2).mean() > 0.98  # but for the source's own black


def test_similar_patches_count_more():
    distances = np.array([[1, 100, 400, 0]], np.float32)
    wanted = np.array([[True, True, True, False]])
    weights = similarity(NearestNeighbours(np.zeros((1, 4, 2), np.int32), distances, wanted, 7))
    np.testing.assert_allclose(weights[0], [*np.exp(np.array([1, 100, 400]) / -500), 0], rtol=1e-5)


def test_shown_patches_land_where_they_were_found(texture):
    wanted = np.zeros((60, 70), bool)
    wanted[20, 30] = True
    offsets = np.zeros((60, 70, 2), np.int32)
    offsets[20, 30] = SHIFT
    votes, count = shown(texture, NearestNeighbours(offsets, np.zeros((60, 70), np.float32), wanted, 7))
    assert count.sum() == 49
    np.testing.assert_array_equal(votes[24:31, 22:29], texture[17:24, 27:34])
    np.testing.assert_array_equal(count[24:31, 22:29], 1)


def test_offsets_grow_with_the_resolution(inside):
    offsets = np.where(inside[..., np.newaxis], np.array(SHIFT), 0).astype(np.int32)
    field = NearestNeighbours(offsets, np.zeros(inside.shape, np.float32), inside, 7)
    larger = field.resized(np.ones((120, 140), bool))
    np.testing.assert_array_equal(larger[50, 60], (14, -10))
    np.testing.assert_array_equal(larger[0, 0], (0, 0))
