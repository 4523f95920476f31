"""What moved is left out of the merge; what stands still, or is clipped, is not."""

import cv2
import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.color import linear_to_srgb, round_to_8_bit
from fusion_algos.radiance import merge_encoded
from fusion_algos.stack_hdr import oh2015
from fusion_algos.tone_curves import durand2002
from tests.fusion_algos.moving_scenes import ghost_energy, moving_square

SECONDS = (1.0, 4.0, 16.0, 64.0, 256.0)
SQUARE = (slice(30, 54), slice(60, 84))


@pytest.fixture
def truth():
    """12 stops in 96 x 128 pixels, smooth but for a little texture."""
    rng = np.random.default_rng(2)
    stops = cv2.resize(rng.uniform(-11, -1, (4, 5)), (128, 96), interpolation=cv2.INTER_LINEAR)
    stops = stops[..., np.newaxis] + rng.uniform(-0.5, 0.5, 3) + 0.1 * rng.standard_normal((96, 128, 3))
    return np.exp2(stops).astype(np.float32)


def photographed(truth, *, moved=None, seconds=SECONDS):
    """Exposures of the truth; a gray square is in front of it in exposure `moved` only."""
    images = []
    for k, t in enumerate(seconds):
        light = truth * np.float32(t)
        if k == moved:
            light[SQUARE] = 0.5
        images.append(round_to_8_bit(linear_to_srgb(light)))
    return ExposureStack(images, seconds)


@pytest.mark.parametrize("moved", [1, 2, 3])
def test_a_moving_square_leaves_no_ghost(truth, moved):
    clean, ghost = photographed(truth), photographed(truth, moved=moved)
    inside = (slice(34, 50), slice(64, 80))
    plain = np.abs(durand2002(merge_encoded(ghost)) - durand2002(merge_encoded(clean)))[inside].mean()
    found = np.abs(oh2015.fuse(ghost) - oh2015.fuse(clean))[inside].mean()
    assert plain > 0.03  # it would be seen
    assert found < 0.03
    assert found < plain / 4


def test_a_static_scene_is_merged_as_ever(truth):
    stack = photographed(truth)
    difference = np.abs(oh2015.fuse(stack, response="srgb") - durand2002(merge_encoded(stack)))
    assert difference.mean() < 1 / 255
    assert np.percentile(difference, 99) < 8 / 255


def test_an_area_that_only_one_exposure_sees_is_taken_from_it(truth):
    """The sun: clipped in all exposures but the darkest. The majority must not overrule it."""
    truth[40:50, 40:50] = 0.8
    fused = oh2015.fuse(photographed(truth))
    assert fused[42:48, 42:48].min() > 0.9


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_exposures_of_a_static_scene_are_merged_as_ever(truth, count):
    stack = photographed(truth, seconds=SECONDS[:count])
    expected = durand2002(merge_encoded(stack))
    np.testing.assert_array_equal(oh2015.fuse(stack, response="srgb"), expected)


@pytest.mark.parametrize("color", [(0.6, 0.1, 0.08), (0.3, 0.3, 0.3), (0.01, 0.2, 0.4)])
def test_few_exposures_show_what_moves_once(color):
    """Three exposures, of which the rank cannot tell the one that differs."""
    assert ghost_energy(oh2015.fuse, moving_square(color)) < 0.04


def test_something_dark_that_walks_through_few_readable_exposures_is_shown_once():
    """Three of five exposures can be read, and each shows it elsewhere: no place has a majority."""
    background = 0.002 * np.random.default_rng(4).uniform(0.8, 1.2, (96, 128, 3))

    def walked(places):
        images = []
        for t, left in zip(SECONDS, places, strict=True):
            light = background * t
            light[30:70, left : left + 24] *= 0.02
            images.append(round_to_8_bit(linear_to_srgb(light.astype(np.float32))))
        return ExposureStack(images, SECONDS)

    moving, still = (oh2015.fuse(walked(places)) for places in ((40, 40, 40, 52, 64), (40,) * 5))
    assert np.abs(moving - still).mean() < 0.01
    assert np.abs(moving - still)[35:65, 40:88].mean() < 0.05


def test_errors_of_the_response_are_not_motion(truth):
    images = [np.floor(255 * np.minimum(1, truth * t) ** (1 / 3) + 0.5).astype(np.uint8) for t in SECONDS]
    stack = ExposureStack(images, SECONDS)
    trust, votes = oh2015._coarse_trust(stack, oh2015.named_response(stack, "srgb"), 0.3)
    assert trust.mean() > 0.85
    assert not votes.contradicted.any()


def test_linear_planes(truth):
    planes = [np.minimum(truth * np.float32(t), 1) for t in SECONDS]
    moved = [plane.copy() for plane in planes]
    moved[2][SQUARE] = 0.5
    images = photographed(truth).images
    clean, ghost = (oh2015.fuse(ExposureStack(images, SECONDS, linear)) for linear in (planes, moved))
    assert np.abs(ghost - clean)[34:50, 64:80].mean() < 0.03


def test_large_images_are_solved_in_small(truth, monkeypatch):
    stack = photographed(truth, moved=2)
    exact = oh2015.fuse(stack)
    monkeypatch.setattr(oh2015, "SOLVED_PIXELS", 48 * 64)
    assert oh2015._reduced(stack).height == 48
    assert np.abs(oh2015.fuse(stack) - exact).mean() < 0.01


def test_an_unknown_response(truth):
    with pytest.raises(ValueError, match="response 'none' is not known"):
        oh2015.fuse(photographed(truth), response="none")
