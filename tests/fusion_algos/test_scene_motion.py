"""Motion that is there is found, and none in what merely is exposed otherwise."""

import numpy as np
import pytest

from fusion_algos.scene_motion import find_motion
from tests.fusion_algos.moving_scenes import exposed, moving_square, textured_background


@pytest.fixture
def radiance():
    return textured_background(120, 160, np.random.default_rng(7))


def share_found(motion, place):
    return motion.moved[place].mean()


@pytest.mark.parametrize("other", [0, 2])
@pytest.mark.parametrize("color", [(0.6, 0.1, 0.08), (0.3, 0.3, 0.3), (0.002, 0.002, 0.002)])
def test_both_places_of_a_moved_thing_are_found(color, other):
    scene = moving_square(color).moving
    motion = find_motion(scene.images[1], scene.images[other])
    for k in (1, other):
        assert (
            share_found(motion, (slice(40, 66), slice(20 + 45 * k, 46 + 45 * k))) > 0.8
        )  # some of it looks like what it hides
    assert motion.moved.mean() < 0.25


@pytest.mark.parametrize("seconds", [(4, 1), (4, 16), (4, 60), (4, 4), (1, 300)])
def test_nothing_moves_in_another_exposure(radiance, seconds):
    rng = np.random.default_rng(3)
    images = [exposed(radiance * rng.normal(1, 0.05, radiance.shape), t) for t in seconds]
    assert not find_motion(*images).moved.any()


def test_another_camera_response_is_no_motion(radiance):
    first, second = exposed(radiance, 4), exposed(radiance, 16)
    curve = np.round(255 * (0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, 256)))).astype(np.uint8)
    assert not find_motion(curve[first], curve[second]).moved.any()


def test_a_shift_of_a_pixel_is_no_motion(radiance):
    first, second = exposed(radiance, 4), exposed(radiance, 16)
    assert find_motion(first, np.roll(second, 1, axis=1)).moved.mean() < 0.01


def test_one_channel_alone_is_no_motion(radiance):
    """What a camera does to colors out of its gamut."""
    first, second = exposed(radiance, 4), exposed(radiance, 16)
    second[30:60, 30:60, 2] -= np.minimum(second[30:60, 30:60, 2], 50)
    assert not find_motion(first, second).moved.any()


def test_something_dark_before_what_is_clipped_in_the_reference_is_found(radiance):
    sky = radiance.copy()
    sky[:50] = 2.0  # white in the reference, and not in the darker exposure
    scene = sky.copy()
    scene[15:35, 60:80] = 0.05
    motion = find_motion(exposed(sky, 4), exposed(scene, 0.3))
    assert share_found(motion, (slice(15, 35), slice(60, 80))) == 1
    assert motion.blind[15:35, 60:80].all()
    assert not motion.moved[:, :40].any()


def test_blind_is_what_is_clipped_in_the_direction_of_the_source(radiance):
    scene = radiance.copy()
    scene[:30], scene[-30:] = 50, 0
    dark, middle, bright = (exposed(scene, t) for t in (1, 4, 16))
    darker, brighter = find_motion(middle, dark), find_motion(middle, bright)
    np.testing.assert_array_equal(np.flatnonzero(darker.blind.all(axis=1)), np.arange(30))
    np.testing.assert_array_equal(np.flatnonzero(brighter.blind.all(axis=1)), np.arange(90, 120))
    assert not brighter.blind[:80].any()


def test_a_clipped_region_of_which_much_moved_is_doubted_as_a_whole(radiance):
    """The rest of a white thing may have moved too, which a clipped reference cannot tell."""
    scene = radiance.copy()
    scene[40:70, 50:90] = 3.0
    moved = radiance.copy()
    moved[40:70, 72:112] = 3.0
    motion = find_motion(exposed(scene, 4), exposed(moved, 0.3))
    assert motion.moved[40:70, 50:90].all()


@pytest.mark.parametrize("seconds", [(4, 16), (4, 0.3)])
def test_clipped_levels_are_read_where_they_tell_something(radiance, seconds):
    """Black ones by the curve: a red thing's black green stays black. White ones only tell a bound."""
    scene = radiance.copy()
    scene[:30] *= np.geomspace(2e-5, 2e-3, 30)[:, np.newaxis, np.newaxis]
    scene[-30:] = 50
    motion = find_motion(exposed(scene, seconds[0]), exposed(scene, seconds[1]))
    if seconds[1] > seconds[0]:
        assert (motion.to_source[1] < 0.7 * motion.to_source[6]).all()
    else:
        np.testing.assert_array_equal(motion.to_source[255], motion.to_source[249])


def test_a_camera_that_whitens_what_is_too_bright_moves_nothing(radiance):
    """Orange is white in the reference before all of its channels are clipped, and orange in the darker exposure."""
    scene = radiance.copy()
    scene[60:] = np.linspace(0.1, 0.3, 160)[:, np.newaxis]  # grays that whitening does not change
    scene[30:50, 30:50] = (0.9, 0.5, 0.04)
    reference, source = exposed(scene, 4), exposed(scene, 1)
    reference[30:50, 30:50] = (249, 252, 235)
    assert not find_motion(reference, source).moved.any()
    source[35:45, 35:45] //= 4
    assert find_motion(reference, source).moved[35:45, 35:45].all()
