"""Motion is told from exposure, response and noise; real moving scenes rank above real still ones."""

from __future__ import annotations

import numpy as np
import pytest

from builder.registration.alignment import align_frames, warp
from builder.registration.ghosts import measure_ghosts
from builder.settings import AlignSettings
from tests.builder.synthetic_brackets import bracket, hand
from tests.builder.test_alignment import real_bracket

SETTINGS = AlignSettings()
STILL = np.eye(3)
EVS = [-4.0, -2.0, 0.0, 2.0, 4.0]


def with_walker(frames: list[np.ndarray], seed: int, size: int = 128, step: int = 144) -> np.ndarray:
    """Paste a differently textured square that walks on from frame to frame; returns where it ever was."""
    other = bracket(seed, [STILL] * len(frames), EVS[2 - len(frames) // 2 :][: len(frames)])
    seen = np.zeros(frames[0].shape[:2], bool)
    for k, frame in enumerate(frames):
        area = (slice(320, 320 + size), slice(80 + step * k, 80 + step * k + size))
        frame[area] = other[k][400 : 400 + size, 300 : 300 + size]
        seen[area] = True
    return seen


@pytest.mark.parametrize("curve", ["srgb", "film"])
@pytest.mark.parametrize("seed", [21, 22])
def test_still_scenes_are_static_whatever_the_response(curve, seed):
    report = measure_ghosts(bracket(seed, [STILL] * 5, EVS, curve), 2, SETTINGS)
    assert report.verdict == "static"
    assert report.score == max(report.per_frame)
    assert report.per_frame[2] == 0


def test_registered_hand_held_scenes_are_static():
    motions = [hand((3.4, -5.1), 0.15), STILL, hand((-6.2, 2.7), -0.1)]
    frames = bracket(23, motions, [-2, 0, 2])
    alignment = align_frames(frames, [-2, 0, 2], SETTINGS)
    aligned = [warp(f, t, alignment.crop) for f, t in zip(frames, alignment.transforms, strict=True)]
    assert measure_ghosts(aligned, alignment.reference, SETTINGS).verdict == "static"


def test_a_walker_is_found_where_it_walked():
    frames = bracket(24, [STILL] * 5, EVS)
    seen = with_walker(frames, 25)
    report = measure_ghosts(frames, 2, SETTINGS)
    assert report.verdict == "dynamic"
    assert report.block_px == 16
    truth = seen.reshape(40, 16, 60, 16).mean(axis=(1, 3)) > 0.5
    assert report.mask.shape == truth.shape
    found = report.mask & truth
    assert found.sum() / report.mask.sum() > 0.9  # precision
    assert found.sum() / truth.sum() > 0.4  # blocks where both textures are equally bright, or clipped, stay


def test_more_motion_scores_higher():
    scores = []
    still = bracket(26, [STILL] * 3, EVS[1:4])
    for size in (0, 64, 128):
        frames = [frame.copy() for frame in still]
        with_walker(frames, 27, size=size)
        scores.append(measure_ghosts(frames, 1, SETTINGS).score)
    assert scores[0] < scores[1] < scores[2]


def test_blocks_are_given_in_pixels_of_the_frames():
    frames = [frame.repeat(2, axis=0).repeat(2, axis=1) for frame in bracket(28, [STILL] * 3, [-2, 0, 2])]
    report = measure_ghosts(frames, 1, AlignSettings(proxy_side=960))
    assert report.block_px == 32
    assert report.mask.shape == (40, 60)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("shape", [(16, 16, 3), (9, 5, 3), (64, 64, 3)])
def test_blank_frames_have_no_ghosts(level, shape):
    report = measure_ghosts([np.full(shape, level, np.uint8)] * 3, 1, SETTINGS)
    assert (report.score, report.verdict, report.mask.any()) == (0.0, "static", False)


@pytest.mark.oracle
def test_real_moving_scenes_rank_above_real_still_ones():
    scores = {}
    # still ones: no leaf, cloud, water or phone processing in them
    still = ("banterle_stack", "u2fsdgvkx41_stainedglass1", "fy_meng_house")
    moving = ("chengyehliou_pingpong", "banterle_stack_ghost")
    for folder in (*still, *moving):
        frames, evs = real_bracket(folder)
        alignment = align_frames(frames, evs, SETTINGS)
        aligned = [warp(f, t, alignment.crop) for f, t in zip(frames, alignment.transforms, strict=True)]
        scores[folder] = measure_ghosts(aligned, alignment.reference, SETTINGS).score
    assert max(scores[name] for name in still) < SETTINGS.static_below
    assert min(scores[name] for name in moving) > SETTINGS.dynamic_above
