"""Motion is told from exposure, response and noise; real moving scenes rank above real still ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from builder.registration.alignment import align_frames, warp
from builder.registration.ghosts import measure_ghosts
from builder.registration.proxy import reduced
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
    assert report.block_px == pytest.approx(12.8)  # 960 pixels are judged at 600, in blocks of 8
    truth = cv2.resize(seen.astype(np.float32), report.mask.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
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
    report = measure_ghosts(frames, 1, SETTINGS)
    assert report.block_px == pytest.approx(25.6)
    assert report.mask.shape == (50, 75)


# What makes frames of a still scene differ; each changes one of the frames.
def _off_register(frame: np.ndarray) -> np.ndarray:
    """By what a registration may leave in a 960-pixel frame."""
    return cv2.warpAffine(
        frame, np.float32([[1, 0, 2.5], [0, 1, -2]]), frame.shape[1::-1], borderMode=cv2.BORDER_REFLECT
    )


def _out_of_focus(frame: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(frame, (0, 0), 5.0)


def _toned_locally(frame: np.ndarray) -> np.ndarray:
    """Gains from -1.6 to 1.6 EV, a wave of a third of the picture: vignetting and phones do the like."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    gain = 2.0 ** (1.6 * np.sin(rows / 50) * np.sin(columns / 50) / 2.2)
    return np.clip(frame * gain[..., None], 0, 255).astype(np.uint8)


def _with_painted_border(frame: np.ndarray) -> np.ndarray:
    """The blue fill of a scan that was registered before."""
    frame = frame.copy()
    frame[-40:] = 0, 0, 255
    return frame


@pytest.mark.parametrize("change", [_off_register, _out_of_focus, _toned_locally, _with_painted_border])
def test_what_is_no_motion_is_no_ghost(change):
    frames = bracket(29, [STILL] * 3, [-1, 0, 1])
    for frame, stroke in zip(frames, (25, 40, 60), strict=True):
        for column in range(100, 800, 25):  # a fence, fine and of high contrast
            frame[100:500, column : column + 6] = stroke
    report = measure_ghosts([change(frames[0]), frames[1], frames[2]], 1, SETTINGS)
    assert report.verdict == "static", report.score


def test_a_red_thing_before_a_grey_wall_of_the_same_red_is_found():
    """Two of three channels see it: their content differs by two stops."""
    frames = bracket(30, [STILL] * 3, [-2, 0, 2])
    for frame, wall in zip(frames, (60, 115, 220), strict=True):
        frame[200:360, 300:500] = wall
    frames[1][240:320, 360:440, 1:] = 60
    report = measure_ghosts(frames, 1, SETTINGS)
    assert report.verdict == "dynamic", report.score


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("shape", [(16, 16, 3), (9, 5, 3), (64, 64, 3)])
def test_blank_frames_have_no_ghosts(level, shape):
    report = measure_ghosts([np.full(shape, level, np.uint8)] * 3, 1, SETTINGS)
    assert (report.score, report.verdict, report.mask.any()) == (0.0, "static", False)


LABELLED_MOVING = ("chengyehliou_pingpong", "u2fsdgvkx41_arch", "banterle_stack_ghost")
LABELLED_STATIC = (  # the hard ones (watermark, refocused, canal, phone, leaves, clouds) and plain ones
    "jyi468_marble",
    "adrianomelo_test2",
    "banterle_stack_alignment",
    "markymarklee_mine",
    "fy_meng_mug",
    "hangxiaotian_d5_villa",
    "fy_meng_bonsai",
    "fy_meng_house",
    "u2fsdgvkx41_stainedglass1",
    "banterle_stack",
)
CLEARLY = 3.0  # the least moving scene over the most moving still one; measured 9


@pytest.mark.oracle
def test_real_moving_scenes_rank_clearly_above_every_still_one():
    scores = {folder: _score_of(folder) for folder in (*LABELLED_MOVING, *LABELLED_STATIC)}
    ranking = "\n".join(f"{scores[name]:.5f} {name}" for name in sorted(scores, key=scores.__getitem__)[::-1])
    strongest_still = max(scores[name] for name in LABELLED_STATIC)
    assert min(scores[name] for name in LABELLED_MOVING) >= CLEARLY * strongest_still, ranking
    assert min(scores[name] for name in LABELLED_MOVING) > SETTINGS.dynamic_above, ranking
    assert strongest_still < SETTINGS.static_below, ranking


def _score_of(folder: str) -> float:
    frames, evs = real_bracket(folder)
    frames = [reduced(frame, 900) for frame in frames]  # above JUDGED_SIDE; larger ones only take longer
    alignment = align_frames(frames, evs, SETTINGS)
    aligned = [warp(f, t, alignment.crop) for f, t in zip(frames, alignment.transforms, strict=True)]
    return measure_ghosts(aligned, alignment.reference, SETTINGS).score
