"""Registration against known motion, tripods left alone, crops without invented pixels, real brackets."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from builder.registration.alignment import (
    IDENTITY,
    Alignment,
    FrameTransform,
    align_frames,
    choose_reference,
    warp,
)
from builder.registration.common_crop import Crop, common_crop
from builder.registration.motion_model import apply, best_model, frame_corners, is_sane, translation
from builder.registration.proxy import common_tones
from builder.settings import AlignSettings
from tests.builder.synthetic_brackets import bracket, hand, photograph, radiance

SETTINGS = AlignSettings()
SHAPE = (640, 960)
STILL = np.eye(3)
BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"


def errors(alignment: Alignment, motions: list[np.ndarray]) -> np.ndarray:
    """Distance in pixels between found and true place, the worst of corners and centre, per frame."""
    places = frame_corners(SHAPE)
    origin = np.linalg.inv(motions[alignment.reference])
    return np.array(
        [
            np.linalg.norm(apply(np.array(t.matrix), places) - apply(motion @ origin, places), axis=1).max()
            for t, motion in zip(alignment.transforms, motions, strict=True)
        ]
    )


def hand_held(seed: int, count: int, tilt: float = 0.0) -> list[np.ndarray]:
    """Up to 12 px (8.4 per axis) and 0.2 degrees."""
    random = np.random.default_rng(seed)
    return [
        hand(tuple(random.uniform(-8.4, 8.4, 2)), random.uniform(-0.2, 0.2), random.uniform(-tilt, tilt))
        for _ in range(count)
    ]


class TestReference:
    def test_is_the_median_exposure_wherever_it_stands(self):
        frames = [np.full((8, 8, 3), level, np.uint8) for level in (200, 20, 90)]
        assert choose_reference(frames, [2.0, -2.0, 0.0]) == 2

    def test_of_two_middle_frames_is_the_less_clipped(self):
        frames = [np.full((8, 8, 3), level, np.uint8) for level in (10, 90, 255, 255)]
        assert choose_reference(frames, [-3.0, -1.0, 1.0, 3.0]) == 1
        assert choose_reference(frames[::-1], [3.0, 1.0, -1.0, -3.0]) == 2

    def test_of_equal_exposures_is_the_less_clipped_not_the_first(self):
        frames = [np.full((8, 8, 3), level, np.uint8) for level in (255, 0, 120)]
        assert choose_reference(frames, [0.0, 0.0, 0.0]) == 2


class TestKnownMotion:
    @pytest.mark.parametrize(
        ("seed", "curve", "evs", "tilt"),
        [
            (1, "srgb", [-4, -2, 0, 2, 4], 0.0),
            (2, "film", [-2, -1, 0, 1, 2], 0.0),
            (3, "film", [-4, -2, 0, 2, 4], 1e-5),
        ],
    )
    def test_hand_held_brackets_are_met_within_half_a_pixel(self, seed, curve, evs, tilt):
        motions = hand_held(seed, 5, tilt)
        alignment = align_frames(bracket(seed, motions, evs, curve), evs, SETTINGS)
        # 0.5 px is promised; 0.15 holds on these scenes (measured: 0.07) and shows a loss of precision early
        assert errors(alignment, motions).max() < 0.15
        assert alignment.flags == ()
        moved = [t for index, t in enumerate(alignment.transforms) if index != alignment.reference]
        assert all(t.residual_px < 0.15 and t.ncc_after > t.ncc_before for t in moved)

    def test_far_exposures_are_reached_over_their_neighbours(self):
        evs = [-6, -4, -2, 0, 2, 4, 6]
        motions = hand_held(11, 7)
        alignment = align_frames(bracket(7, motions, evs, "film"), evs, SETTINGS)
        assert errors(alignment, motions).max() < 0.5

    def test_wrong_exposure_ratios_do_no_harm(self):
        motions, evs = hand_held(5, 3), [-2, 0, 2]
        alignment = align_frames(bracket(5, motions, evs), [-0.9, 0.0, 3.1], SETTINGS)
        assert errors(alignment, motions).max() < 0.15

    def test_large_shift_and_rotation_are_found_and_flagged(self):
        motions, evs = [STILL, hand((70, -35)), hand((20, 10), 12)], [0, -2, 2]
        alignment = align_frames(bracket(7, motions, evs), evs, SETTINGS)
        assert errors(alignment, motions).max() < 0.5
        assert alignment.flags == ("crop-too-small", "large-rotation")

    def test_a_passing_object_does_not_drag_the_frame_along(self):
        motions = hand_held(6, 3)
        frames = bracket(6, motions, [-2, 0, 2])
        texture = bracket(16, [STILL] * 3, [-2, 0, 2])
        for k, frame in enumerate(frames):
            frame[150:450, 200 + 90 * k : 500 + 90 * k] = texture[k][150:450, 200:500]  # 15 % of the frame
        alignment = align_frames(frames, [-2, 0, 2], SETTINGS)
        assert errors(alignment, motions).max() < 0.15

    def test_large_frames_are_measured_on_proxies_in_full_resolution_pixels(self):
        motion = hand((7.3, -4.6), 0.1)
        frames = bracket(4, [STILL, motion, STILL], [-2, 0, 2])
        small = align_frames(frames, [-2, 0, 2], SETTINGS)
        large = [cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for frame in frames]
        found = align_frames(large, [-2, 0, 2], replace(SETTINGS, proxy_side=960))
        places = frame_corners((1920, 2880))
        grow = np.array([[3, 0, 1], [0, 3, 1], [0, 0, 1.0]])  # where cv2.resize puts pixel centres
        expected = grow @ np.array(small.transforms[0].matrix) @ np.linalg.inv(grow)
        offsets = apply(np.array(found.transforms[0].matrix), places) - apply(expected, places)
        assert np.abs(offsets).max() < 0.3  # a tenth of a proxy pixel: the proxies differ by resampling


class TestTripod:
    def test_frames_stay_bit_for_bit_what_they_were(self):
        evs = [-4, -2, 0, 2, 4]
        frames = bracket(8, [STILL] * 5, evs)
        alignment = align_frames(frames, evs, SETTINGS)
        assert alignment.is_identity
        assert (alignment.crop, alignment.crop_share) == (Crop(0, 0, 960, 640), 1.0)
        for frame, transform in zip(frames, alignment.transforms, strict=True):
            assert np.array_equal(warp(frame, transform, alignment.crop), frame)

    def test_odd_sides_stay_odd(self):
        frames = [frame[:601, :901] for frame in bracket(8, [STILL] * 3, [-2, 0, 2])]
        alignment = align_frames(frames, [-2, 0, 2], SETTINGS)
        assert alignment.crop == Crop(0, 0, 901, 601)

    def test_only_frames_that_moved_are_resampled(self):
        motions = [STILL, STILL, hand((3.0, 1.0)), STILL]
        frames = bracket(9, motions, [-2, 0, 2, 1])
        alignment = align_frames(frames, [-2, 0, 2, 1], SETTINGS)
        assert [t.method for t in alignment.transforms if t.is_identity].count("identity") == 2
        assert alignment.transforms[2].method == "translation"
        assert not alignment.is_identity


class TestNothingToHoldOn:
    @pytest.mark.parametrize("level", [0, 255])
    @pytest.mark.parametrize("shape", [(16, 16, 3), (120, 160, 3)])
    def test_blank_frames_stay_in_place(self, level, shape):
        alignment = align_frames([np.full(shape, level, np.uint8)] * 3, [-2, 0, 2], SETTINGS)
        assert alignment.is_identity
        assert alignment.flags == ("no-texture",)

    def test_a_blank_frame_does_not_stop_the_others(self):
        motions = [STILL, hand((5.0, 2.0)), STILL]
        frames = bracket(10, motions, [-2, 0, 9])
        alignment = align_frames([frames[0], frames[1], np.full_like(frames[2], 255)], [-2, 0, 9], SETTINGS)
        assert errors(alignment, motions)[:2].max() < 0.15
        assert alignment.transforms[2].flags == ("no-texture",)

    def test_another_view_is_left_unwarped_and_flagged(self):
        frames = bracket(12, [STILL] * 2, [0, 2])
        stranger = bracket(13, [STILL], [-2])
        alignment = align_frames([*stranger, *frames], [-2, 0, 2], SETTINGS)
        assert alignment.transforms[0].method == "failed"
        assert alignment.transforms[0].is_identity
        assert alignment.flags == ("align-failed",)

    def test_one_frame_is_its_own_reference(self):
        alignment = align_frames(bracket(1, [STILL], [0]), [0.0], SETTINGS)
        assert alignment.is_identity
        assert alignment.transforms[0].method == "reference"


def test_switched_off_it_moves_nothing_but_still_measures():
    motions = [STILL, hand((6.0, 0.0)), STILL]
    frames = bracket(14, motions, [-2, 0, 2])
    alignment = align_frames(frames, [-2, 0, 2], replace(SETTINGS, enabled=False))
    assert alignment.is_identity
    assert alignment.transforms[0].residual_px == pytest.approx(6.0, abs=0.2)


def test_the_record_is_plain_json():
    motions = hand_held(3, 3)
    alignment = align_frames(bracket(3, motions, [-2, 0, 2]), [-2, 0, 2], SETTINGS)
    again = json.loads(json.dumps(asdict(alignment), allow_nan=False))
    assert again["transforms"][0]["matrix"] == [list(row) for row in alignment.transforms[0].matrix]


def test_common_tones_agree_whatever_the_curve_and_clip_alike():
    scene = radiance(2)
    dark, bright = (
        cv2.cvtColor(photograph(scene, STILL, ev, 0, "film"), cv2.COLOR_RGB2GRAY) for ev in (-2, 1)
    )
    tone_dark, tone_bright = common_tones(dark, bright)
    assert np.median(np.abs(tone_dark - tone_bright)) < 2  # levels; noise and luma of clipped colours
    assert tone_dark.max() == tone_bright.max()
    assert tone_dark.min() == tone_bright.min()


class TestMotionModel:
    def test_the_simplest_sufficient_model_is_chosen(self):
        random = np.random.default_rng(0)
        source = random.uniform([0, 0], [960, 640], (600, 2))
        for motion, name in (
            (STILL, "identity"),
            (translation(3, -2), "translation"),
            (hand((3, -2), 0.3), "similarity"),
            (np.array([[1.004, 0, 1], [0, 0.998, 2], [0, 0, 1]]), "affine"),
            (hand((3, -2), 0.3, 3e-5), "homography"),
        ):
            target = apply(motion, source) + random.normal(0, 0.1, source.shape)
            target[::4] += random.uniform(-20, 20, target[::4].shape)  # a quarter was tracked wrongly
            fit = best_model(source, target, STILL, SHAPE)
            assert fit.name == name
            places = frame_corners(SHAPE)
            assert np.abs(apply(fit.matrix, places) - apply(motion, places)).max() < 0.1

    @pytest.mark.parametrize(
        ("matrix", "sane"),
        [
            (translation(300, 0), True),
            (translation(400, 0), False),  # 30 % of the diagonal of 1154 px: 346
            (hand((0, 0), 20), True),
            (np.diag([1.9, 1.9, 1.0]), False),  # the centre goes 548 px
            (np.diag([0.4, 0.4, 1.0]), False),
            (np.array([[1, 0, 0], [0, 1, 0], [-2e-3, 0, 1]]), False),  # a corner lies behind the camera
        ],
    )
    def test_motions_beyond_hands_are_refused(self, matrix, sane):
        assert is_sane(matrix, SHAPE) is sane


class TestCropAndWarp:
    @pytest.mark.parametrize("seed", range(8))
    def test_no_pixel_in_the_crop_is_invented(self, seed):
        random = np.random.default_rng(seed)
        motions = [
            hand(tuple(random.uniform(-40, 40, 2)), random.uniform(-3, 3), random.uniform(-3e-5, 3e-5))
            for _ in range(4)
        ]
        crop = common_crop(motions, 960, 640)
        assert crop.width % 2 == crop.height % 2 == 0
        y, x = np.mgrid[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
        places = np.column_stack([x.ravel(), y.ravel()]).astype(float)
        for motion in motions:
            reached = apply(motion, places)
            assert reached.min() >= 1 - 0.01  # the kernel's reach; 0.01 px is the crop's rounding slack
            assert (reached <= np.array([957, 637]) + 0.01).all()

    def test_the_crop_is_the_largest(self):
        """Against an exhaustive search over a small frame."""
        motions = [hand((2.4, -1.2), 6, shape=(30, 40)), hand((-1.5, 2.0), -4, shape=(30, 40))]
        y, x = np.mgrid[:30, :40]
        places = np.column_stack([x.ravel(), y.ravel()]).astype(float)
        valid = np.ones((30, 40), bool)
        for motion in motions:
            reached = apply(motion, places)
            valid &= ((reached >= 1) & (reached <= [37, 27])).all(axis=1).reshape(30, 40)
        largest = max(
            (right - left + 1) // 2 * 2 * ((bottom - top + 1) // 2 * 2)
            for left in range(40)
            for right in range(left, 40)
            for top in range(30)
            for bottom in range(top, 30)
            if valid[top, left] and valid[top, right] and valid[bottom, left] and valid[bottom, right]
        )
        crop = common_crop(motions, 40, 30)
        # the continuous optimum, rounded inwards, may lose one even step a side
        assert largest >= crop.width * crop.height >= largest - 2 * (crop.width + crop.height)

    def test_frames_without_anything_in_common_leave_an_empty_crop(self):
        crop = common_crop([translation(600, 0), translation(-600, 0)], 960, 640)
        assert crop.width * crop.height == 0

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_warping_keeps_type_and_clamps_overshoot(self, dtype):
        frame = np.zeros((40, 60, 3), dtype)
        frame[:, 30:] = np.iinfo(dtype).max
        transform = FrameTransform("translation", ((1.0, 0.0, 0.5), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
        warped = warp(frame, transform, Crop(2, 2, 50, 30))
        assert warped.dtype == dtype
        assert warped.shape == (30, 50, 3)
        assert warped[0, 27, 0] == pytest.approx(np.iinfo(dtype).max / 2, rel=0.01)
        assert (warped[:, :25] == 0).all()
        assert (warped[:, 31:] == np.iinfo(dtype).max).all()

    def test_whole_pixel_motion_moves_pixels_unchanged(self):
        frame = np.random.default_rng(0).integers(0, 65536, (40, 60, 3)).astype(np.uint16)
        transform = FrameTransform("translation", ((1.0, 0.0, 3.0), (0.0, 1.0, 2.0), (0.0, 0.0, 1.0)))
        assert np.array_equal(warp(frame, transform, Crop(4, 4, 40, 30)), frame[6:36, 7:47])

    def test_identity_is_a_plain_cut(self):
        frame = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
        cut = warp(frame, FrameTransform("identity", IDENTITY), Crop(4, 6, 20, 10))
        assert np.array_equal(cut, frame[6:16, 4:24])


def real_bracket(folder: str) -> tuple[list[np.ndarray], list[float]]:
    """Frames in file order and relative EV from index.csv (times there descend with the brightness)."""
    if not BRACKETS.is_dir():
        pytest.skip(f"no real brackets in {BRACKETS}")
    with (BRACKETS / "index.csv").open() as table:
        row = next(row for row in csv.DictReader(table) if row["folder"] == folder)
    frames = [
        cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for path in sorted((BRACKETS / folder).glob("*.[jJ]*"))
    ]
    seconds = [
        float(n) / float(d or 1) for n, _, d in (t.partition("/") for t in row["exposure_seconds"].split())
    ]
    brightness = np.argsort(np.argsort([frame.mean() for frame in frames]))
    evs = np.log2(sorted(seconds))[brightness]
    return frames, (evs - np.median(evs)).tolist()


def feature_residual(reference: np.ndarray, frame: np.ndarray) -> float | None:
    """Median distance of SIFT matches, which alignment itself only uses as a last resort; None below 20."""
    sift, matcher = cv2.SIFT_create(2000), cv2.BFMatcher(cv2.NORM_L2)
    lumas = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (reference, frame)]
    darker_first = sorted(lumas, key=np.mean)
    equal = [cv2.equalizeHist(np.round(tone).astype(np.uint8)) for tone in common_tones(*darker_first)]
    (keys_1, words_1), (keys_2, words_2) = (sift.detectAndCompute(image, None) for image in equal)
    if words_1 is None or words_2 is None:
        return None
    found = matcher.knnMatch(words_1, words_2, k=2)
    pairs = [(m.queryIdx, m.trainIdx) for m, n in found if m.distance < 0.7 * n.distance]
    offsets = np.array([np.subtract(keys_1[a].pt, keys_2[b].pt) for a, b in pairs]).reshape(-1, 2)
    distances = np.linalg.norm(offsets, axis=1)
    near = distances[distances < 16]
    return float(np.median(near)) if len(near) >= 20 else None


@pytest.mark.oracle
@pytest.mark.parametrize("folder", ["banterle_stack_alignment", "yi_hsuan_su_03"])
def test_real_hand_held_brackets_end_within_a_pixel(folder):
    frames, evs = real_bracket(folder)
    if len(frames) > 5:  # for speed: 9 EV instead of 13
        frames, evs = frames[3::2], evs[3::2]
    alignment = align_frames(frames, evs, SETTINGS)
    assert "align-failed" not in alignment.flags
    aligned = [warp(f, t, alignment.crop) for f, t in zip(frames, alignment.transforms, strict=True)]
    residuals = [feature_residual(aligned[alignment.reference], frame) for frame in aligned]
    before = [feature_residual(frames[alignment.reference], frame) for frame in frames]
    known = [residual for residual in residuals if residual is not None]
    assert len(known) >= 3
    assert max(known) <= 1.0
    assert max(residual for residual in before if residual is not None) > 2.0  # there was something to do


@pytest.mark.oracle
@pytest.mark.parametrize("folder", ["lbasek_dataset1", "hangxiaotian_d5_villa"])
def test_real_tripod_brackets_are_left_alone(folder):
    frames, evs = real_bracket(folder)
    assert align_frames(frames, evs, SETTINGS).is_identity


def test_corners_in_one_cell_only_still_tell_a_shift_from_none() -> None:
    """Nothing can be held out then; that must neither warn nor always mean 'no motion'."""
    source = np.random.default_rng(3).uniform(10, 60, (20, 2))
    shifted = source + (0.7, -0.4)
    assert best_model(source, shifted, np.eye(3), (400, 600)).name == "translation"
    assert best_model(source, source, np.eye(3), (400, 600)).name == "identity"
