"""Grouping by plain facts: which frames become which sequence, with which verdict, by which rule."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from builder.brackets import BracketSequence
from builder.camera_metadata import FrameFacts
from builder.exposure_values import ev100, same_exposure, true_seconds
from builder.grouping import GroupingOptions, group_frames
from builder.grouping.damaged_files import DamagedFile, with_damaged_files
from builder.scene_names import safe_name

START = datetime(2024, 5, 31, 17, 20, 45, 120000)


@dataclass(frozen=True)
class FakeViews:
    """Pixels as told: every pair of frames agrees but for those named; brightness by file name."""

    strangers: frozenset[str] = frozenset()  # stems of another view
    levels: dict[str, float] = field(default_factory=dict)
    steps: float | None = 1.0

    def agreement(self, first: FrameFacts, second: FrameFacts) -> float | None:
        return 0.1 if (stem(first.path) in self.strangers) != (stem(second.path) in self.strangers) else 0.9

    def brightness(self, frame: FrameFacts) -> float | None:
        return self.levels.get(stem(frame.path), frame.seconds or 0.2)

    def ev_between(self, darker: FrameFacts, brighter: FrameFacts) -> float | None:
        return self.steps


def stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def frame(number: int, seconds: float | None, at: float, **changes: object) -> FrameFacts:
    """IMG_<number>.jpg of one camera, `at` seconds after START."""
    suffix = "dng" if changes.get("kind") == "raw" else "jpg"
    facts = FrameFacts(
        path=f"/photos/church/IMG_{number:04d}.{suffix}",
        sha256=f"{number:04d}{suffix}",
        kind="jpeg",
        width=6000,
        height=4000,
        body="F-1",
        focal_length=24.0,
        seconds=seconds,
        f_number=8.0,
        iso=100.0,
        captured_at=START + timedelta(seconds=at),
        whole_second=False,
        number=number,
    )
    return replace(facts, **changes)


def series(first_number: int, times: list[float], *, at: float = 0.0, step: float = 0.3, **changes: object):
    """Frames with shutter `times`, one every `step` seconds after the exposure before it ended."""
    frames = []
    for position, seconds in enumerate(times):
        frames.append(frame((first_number + position - 1) % 9999 + 1, seconds, at, **changes))
        at += seconds + step
    return frames


AEB = [1 / 60, 1 / 250, 1 / 15]  # 0 - +
AEB_5 = [1 / 60, 1 / 125, 1 / 30, 1 / 250, 1 / 15]


def group(frames: list[FrameFacts], views: FakeViews | None = None, **options: object):
    return group_frames(frames, GroupingOptions(**options), views or FakeViews())


def only(sequences: tuple[BracketSequence, ...]) -> BracketSequence:
    assert len(sequences) == 1, [(s.status, [stem(f.path) for f in s.frames]) for s in sequences]
    return sequences[0]


def verdicts(sequences: tuple[BracketSequence, ...]) -> list[tuple[str, tuple[str, ...], int]]:
    return [(sequence.status, sequence.reasons, len(sequence.frames)) for sequence in sequences]


# Exposure values


@pytest.mark.parametrize(
    ("nominal", "true"), [(1 / 30, 1 / 32), (1 / 125, 1 / 128), (15.0, 16.0), (1 / 13, 1 / 13), (0.04, 0.04)]
)
def test_rounded_full_stops_stand_for_powers_of_two(nominal: float, true: float) -> None:
    assert true_seconds(nominal) == pytest.approx(true, rel=1e-12)


def test_ev100_follows_aperture_and_iso() -> None:
    assert ev100(1.0, 1.0, 100) == 0
    assert ev100(1 / 60, 8.0, 200) == pytest.approx(6 + 6 - 1)


def test_third_stops_are_distinct_and_names_of_one_exposure_are_not() -> None:
    assert not same_exposure(ev100(1 / 13, 8, 100), ev100(1 / 15, 8, 100))
    assert not same_exposure(ev100(13, 8, 100), ev100(15, 8, 100))
    assert same_exposure(ev100(1 / 30, 8, 100), ev100(1 / 32, 8, 100))
    assert same_exposure(ev100(1 / 40, 8, 100), ev100(1 / 40.3, 8, 100))


# Automatic bracketing


def test_a_burst_of_three_is_a_sequence_from_dark_to_bright() -> None:
    found = only(group(series(812, AEB)))
    assert (found.status, found.by, found.reasons, found.flags) == ("accepted", "burst", (), ())
    assert [stem(f.path) for f in found.frames] == ["IMG_0813", "IMG_0812", "IMG_0814"]
    assert [f.relative_ev for f in found.frames] == pytest.approx([-2.0, 0.0, 2.0])
    assert found.name == "church"


def test_input_order_does_not_matter() -> None:
    frames = series(9990, AEB * 4) + series(20, [1, 0.5, 0.25], at=300, step=20) + [frame(90, 0.1, 900)]
    expected = group(frames)
    for seed in range(5):
        shuffled = random.Random(seed).sample(frames, len(frames))
        assert group(shuffled) == expected


def test_rounds_without_a_pause_are_cut_where_an_exposure_comes_again() -> None:
    found = group(series(1, AEB * 3))
    assert verdicts(found) == [("accepted", (), 3)] * 3
    assert [s.name for s in found] == ["img_0001", "img_0004", "img_0007"]


def test_a_drift_of_metering_is_cut_where_the_compensation_comes_again() -> None:
    biases = [0.0, -2.0, 2.0]
    first = series(1, [1 / 60, 1 / 250, 1 / 15])
    second = series(4, [1 / 100, 1 / 400, 1 / 25], at=1.5)
    frames = [replace(f, bias_ev=biases[i % 3]) for i, f in enumerate(first + second)]
    assert verdicts(group(frames)) == [("accepted", (), 3)] * 2


def test_rounds_of_a_program_are_cut_even_if_nothing_repeats() -> None:
    settled = series(1, AEB) + series(4, AEB, at=60)
    drifting = series(7, [1 / 60, 1 / 250, 1 / 15, 1 / 100, 1 / 400, 1 / 25], at=120)
    assert verdicts(group(settled + drifting)) == [("accepted", (), 3)] * 4


def test_a_thirty_second_frame_stays_in_its_set() -> None:
    times = [2.0, 0.5, 8.0, 30.0, 1 / 8]
    for stamped_at_end in (0, 1):
        at, frames = 0.0, []
        for number, seconds in enumerate(times, start=1):
            frames.append(frame(number, seconds, at + stamped_at_end * seconds))
            at += seconds + 0.5
        assert only(group(frames)).status == "accepted"


def test_whole_second_stamps_are_sorted_by_number_and_allowed_a_second() -> None:
    start = START.replace(microsecond=0)
    frames = [
        frame(number, seconds, 0, whole_second=True, captured_at=start + timedelta(seconds=at))
        for number, seconds, at in zip([9998, 9999, 1, 2, 3, 4], AEB * 2, [0, 0, 0, 3, 3, 6], strict=True)
    ]
    found = group(frames)
    assert verdicts(found) == [("accepted", (), 3)] * 2
    assert {stem(f.path) for f in found[0].frames} == {"IMG_9998", "IMG_9999", "IMG_0001"}


def test_numbers_roll_over_from_9999_to_0001() -> None:
    found = only(group(series(9997, [1 / 250, 1 / 125, 1 / 60, 1 / 30, 1 / 15])))
    assert found.status == "accepted"
    assert [stem(f.path) for f in found.frames] == [
        "IMG_9997",
        "IMG_9998",
        "IMG_9999",
        "IMG_0001",
        "IMG_0002",
    ]


def test_two_cameras_interleaved_are_kept_apart() -> None:
    other = [
        replace(f, body="S-5", path=f.path.replace("IMG", "DSC"), sha256="s" + f.sha256)
        for f in series(5, AEB)
    ]
    assert verdicts(group(series(1, AEB) + other)) == [("accepted", (), 3)] * 2


def test_equal_exposures_are_named_so() -> None:
    assert verdicts(group(series(1, [1 / 60] * 5))) == [("rejected", ("equal-exposures",), 5)]


def test_equal_exposures_of_unequal_brightness_are_ambiguous() -> None:
    levels = {f"IMG_000{number}": 0.02 * 2**number for number in range(1, 6)}
    assert verdicts(group(series(1, [1 / 60] * 5), FakeViews(levels=levels))) == [
        ("ambiguous", ("exif-contradicts-pixels",), 5)
    ]


def test_focus_and_white_balance_brackets_are_named() -> None:
    focus = [replace(f, focus_distance=1.0 + i) for i, f in enumerate(series(1, [1 / 60] * 3))]
    balance = [
        replace(f, white_balance=("auto", "manual")[i % 2])
        for i, f in enumerate(series(11, [1 / 60] * 3, at=999))
    ]
    assert verdicts(group(focus + balance)) == [
        ("rejected", ("focus-bracket",), 3),
        ("rejected", ("wb-bracket",), 3),
    ]


@pytest.mark.parametrize(
    ("times", "reasons"),
    [
        ([1 / 60], ("one-frame",)),
        ([1 / 60, 1 / 250], ("two-frames",)),
        ([1 / 60, 1 / 80, 1 / 100], ("span-too-small",)),
    ],
)
def test_too_little_for_a_bracket(times: list[float], reasons: tuple[str, ...]) -> None:
    assert verdicts(group(series(1, times))) == [("rejected", reasons, len(times))]


def test_a_nominal_full_stop_is_span_enough() -> None:
    assert only(group(series(1, [1 / 20, 1 / 25, 1 / 13]))).status == "accepted"  # 0.94 EV by the names


def test_an_interrupted_set_is_not_joined_to_what_was_shot_before() -> None:
    frames = [
        frame(1, 1 / 100, 0),
        *series(2, AEB_5[:2], at=12),
        *series(4, AEB_5, at=20),
        *series(9, AEB_5, at=40),
    ]
    assert verdicts(group(frames)) == [
        ("rejected", ("one-frame",), 1),
        ("rejected", ("two-frames", "lost-frame"), 2),
        ("accepted", (), 5),
        ("accepted", (), 5),
    ]


def test_sets_are_compared_with_their_neighbours() -> None:
    lost = series(11, [AEB_5[i] for i in (0, 1, 2, 4)], at=60)
    extra = series(15, [1 / 1000, *AEB_5], at=90)
    odd = series(31, [1 / 60, 1 / 80, 1 / 500, 1 / 15], at=120)
    complete = series(41, [1 / 60, 1 / 500, 1 / 8], at=150)  # another program, whole in itself
    usual = series(1, AEB_5) + series(6, AEB_5, at=30) + series(51, AEB_5, at=180)
    assert verdicts(group(usual + lost + extra + odd + complete)) == [
        ("accepted", (), 5),
        ("accepted", (), 5),
        ("ambiguous", ("lost-frame",), 4),
        ("ambiguous", ("extra-frame",), 6),
        ("ambiguous", ("size-not-mode",), 4),
        ("accepted", (), 3),
        ("accepted", (), 5),
    ]


def test_a_hole_in_numbers_and_steps_is_a_lost_frame() -> None:
    frames = series(1, [1 / 1000, 1 / 500, 1 / 250, 1 / 125, 1 / 60])
    assert verdicts(group([f for f in frames if f.number != 3])) == [("ambiguous", ("lost-frame",), 4)]
    renumbered = [replace(f, number=i) for i, f in enumerate(frames) if i != 2]
    renumbered = [replace(f, number=i) for i, f in enumerate(renumbered)]
    found = only(group(renumbered))
    assert (found.status, found.flags) == ("accepted", ("irregular-steps",))


def test_varying_aperture_and_iso_must_agree_with_the_compensation() -> None:
    apertures = [8.0, 16.0, 4.0]
    biases = [0.0, -2.0, 2.0]
    frames = [
        replace(f, f_number=n, bias_ev=b)
        for f, n, b in zip(series(1, [1 / 60] * 3), apertures, biases, strict=True)
    ]
    found = only(group(frames))
    assert (found.status, found.flags) == ("accepted", ("aperture-varies",))
    assert [f.relative_ev for f in found.frames] == pytest.approx([-2, 0, 2])
    silent = [replace(f, bias_ev=None) for f in frames]
    assert verdicts(group(silent)) == [("ambiguous", ("mixed-aperture",), 3)]
    isos = [replace(f, f_number=8.0, iso=100 * 4**i, bias_ev=0.0) for i, f in enumerate(frames)]
    assert verdicts(group(isos)) == [("ambiguous", ("auto-iso",), 3)]


def test_missing_aperture_and_iso_are_flagged() -> None:
    found = only(group(series(1, AEB, f_number=None, iso=None)))
    assert (found.status, found.flags) == ("accepted", ("f-number-missing", "iso-missing"))
    one_without = [*series(1, AEB[:2]), *series(3, AEB[2:], at=0.7, f_number=None)]
    assert [f.relative_ev for f in only(group(one_without)).frames] == pytest.approx([-2, 0, 2])


def test_zooming_ends_a_burst_and_sizes_are_not_mixed() -> None:
    frames = [*series(1, AEB), *series(4, [1 / 500, 1 / 8], at=0.8, focal_length=35.0)]
    assert verdicts(group(frames)) == [("accepted", (), 3), ("rejected", ("two-frames",), 2)]
    turned = series(1, AEB)
    turned[1] = replace(turned[1], width=4000, height=6000)
    assert verdicts(group(turned)) == [("rejected", ("mixed-size",), 3)]


def test_every_file_is_in_exactly_one_sequence() -> None:
    rng = random.Random(7)
    frames = []
    at = 0.0
    for number in range(1, 200):
        at += rng.choice([0.2, 0.2, 0.5, 4.0, 30.0, 200.0])
        seconds = rng.choice([1 / 500, 1 / 250, 1 / 60, 1 / 15, 1.0, None])
        size = {"width": 4000, "height": 6000} if rng.random() < 0.1 else {}
        frames.append(frame(number, seconds, at, focal_length=rng.choice([24.0, 24.0, 35.0]), **size))
    found = group(frames, FakeViews(strangers=frozenset(stem(f.path) for f in frames[::3])))
    listed = [f.path for s in found for f in s.frames]
    assert sorted(listed) == [f.path for f in frames]
    assert len({s.name for s in found}) == len(found)


# By hand


def test_frames_taken_by_hand_join_where_the_view_agrees() -> None:
    frames = series(1, [1 / 500, 1 / 60, 1 / 8, 1.0, 1 / 4], step=25)
    found = only(group(frames))
    assert (found.status, found.by, found.flags) == ("accepted", "manual", ("irregular-steps",))
    found = group([*frames, *series(6, [1 / 250], at=140)], FakeViews(strangers=frozenset({"IMG_0006"})))
    assert verdicts(found) == [("accepted", (), 5), ("rejected", ("one-frame",), 1)]


def test_frames_taken_by_hand_end_after_ninety_seconds_or_a_zoom() -> None:
    early, late = (
        series(1, [1 / 500, 1 / 60, 1 / 8], step=20),
        series(4, [1 / 1000, 1 / 125, 1 / 30], at=140, step=20),
    )
    assert verdicts(group(early + late)) == [("accepted", (), 3)] * 2
    zoomed = [replace(f, focal_length=28.0, captured_at=f.captured_at - timedelta(seconds=60)) for f in late]
    assert verdicts(group(early + zoomed)) == [("accepted", (), 3)] * 2


def test_neighbours_join_where_they_are_one_ramp() -> None:
    times = [1 / 1000, 1 / 500, 1 / 250, 1 / 125, 1 / 60, 1 / 30]
    frames = series(1, times[:3]) + series(4, times[3:], at=8)
    assert verdicts(group(frames)) == [("accepted", (), 6)]
    lone_first = series(1, times[:1]) + series(2, times[1:], at=8)
    assert only(group(lone_first)).by == "manual"
    other_view = FakeViews(strangers=frozenset({"IMG_0004", "IMG_0005", "IMG_0006"}))
    assert verdicts(group(frames, other_view)) == [("accepted", (), 3)] * 2


def test_two_ramps_by_hand_are_cut_where_exposures_repeat_and_muddles_are_ambiguous() -> None:
    ramp = [1 / 500, 1 / 60, 1 / 8]
    assert verdicts(group(series(1, ramp + ramp, step=10))) == [("accepted", (), 3)] * 2
    assert verdicts(group(series(1, [*ramp, 1 / 60, 2.0], step=10))) == [
        ("ambiguous", ("repeated-exposure",), 5)
    ]


def test_snapshots_of_one_view_under_changing_light_are_no_bracket() -> None:
    frames = series(1, [1 / 500, 1 / 125, 1 / 250, 1 / 60], step=40)
    assert verdicts(group(frames, FakeViews(levels={stem(f.path): 0.2 for f in frames}))) == [
        ("ambiguous", ("exif-contradicts-pixels",), 4)
    ]


# Cleaning


def test_raw_and_jpeg_are_one_frame() -> None:
    raws = [
        replace(f, kind="raw", path=f.path.replace("church", "church/raw"))
        for f in series(1, AEB, kind="raw")
    ]
    jpegs = series(1, AEB)
    found = only(group(raws + jpegs))
    assert all(f.path.endswith(".dng") for f in found.frames)
    assert [c.path for c in found.frames[0].companions] == ["/photos/church/IMG_0002.jpg"]
    preferred = only(group(raws + jpegs, prefer="jpeg"))
    assert [c.path for c in preferred.frames[0].companions] == ["/photos/church/raw/IMG_0002.dng"]


def test_a_raw_that_tells_little_borrows_from_its_jpeg() -> None:
    bare = {"body": "unknown:raw", "focal_length": None, "bias_ev": None, "whole_second": True}
    raws = [
        replace(f, captured_at=f.captured_at.replace(microsecond=0), **bare)
        for f in series(1, AEB, kind="raw")
    ]
    found = only(group(raws + series(1, AEB)))
    assert (found.status, len(found.frames[0].companions)) == ("accepted", 1)


def test_a_late_namesake_is_no_companion() -> None:
    raws = series(1, AEB, kind="raw")
    assert [len(s.frames) for s in group(raws + series(1, AEB, at=3000))] == [3, 3]


def test_duplicates_are_excluded_and_merged_results_rejected_by_name() -> None:
    frames = series(1, AEB)
    copy = replace(frames[1], path="/photos/copies/x.jpg")
    merged = replace(frames[0], path="/photos/church/hdr.jpg", sha256="m", software="Photomatix Pro 6.1")
    edited = [replace(f, software="Adobe Photoshop CS6") for f in frames]
    found = group([*edited, replace(copy, software="Adobe Photoshop CS6"), merged])
    assert verdicts(found) == [("accepted", (), 3), ("rejected", ("merged-result",), 0)]
    assert [(f.path, f.reason) for f in found[0].excluded] == [("/photos/copies/x.jpg", "duplicate")]
    assert found[1].excluded[0].path == "/photos/church/hdr.jpg"


# Explicit rules and frames without EXIF


def bare_frames(count: int) -> list[FrameFacts]:
    nothing = {"captured_at": None, "whole_second": True, "f_number": None, "iso": None, "focal_length": None}
    return [replace(frame(number, None, 0), **nothing) for number in range(1, count + 1)]


def test_frames_without_exif_are_rejected_with_a_hint() -> None:
    found = only(group(bare_frames(5)))
    assert (found.status, found.reasons) == ("rejected", ("no-exif",))
    assert "--by folder" in found.explanation
    assert "--ev-step" in found.explanation


def test_by_folder_takes_steps_from_the_option_or_from_the_pixels() -> None:
    levels = {f"IMG_000{number}": 0.5 / 2**number for number in range(1, 6)}
    given = only(group(bare_frames(5), FakeViews(levels), by="folder", ev_step=1.5))
    assert (given.status, given.by, given.flags) == ("accepted", "folder", ("given-ev-step", "no-time"))
    found = only(group(bare_frames(5), FakeViews(levels=levels), by="folder", ev_step=1.5))
    assert [stem(f.path) for f in found.frames] == [f"IMG_000{n}" for n in (5, 4, 3, 2, 1)]
    assert [f.relative_ev for f in found.frames] == pytest.approx([-3, -1.5, 0, 1.5, 3])
    assert {f.seconds for f in found.frames} == {None}
    estimated = only(group(bare_frames(5), FakeViews(levels=levels, steps=0.8), by="folder"))
    assert [f.relative_ev for f in estimated.frames] == pytest.approx([-1.6, -0.8, 0, 0.8, 1.6])
    assert estimated.flags == ("estimated-exposures", "no-time")
    unknown = only(group(bare_frames(3), FakeViews(levels=levels, steps=None), by="folder"))
    assert [f.relative_ev for f in unknown.frames] == pytest.approx([-1, 0, 1])


def test_noise_in_black_frames_does_not_disturb_a_ramp() -> None:
    levels = {
        f"IMG_{n:04d}": level for n, level in enumerate([0.5, 0.3, 0.2, 0.1, 0.012, 0.010, 0.011, 0.0109], 1)
    }
    found = only(group(bare_frames(8), FakeViews(levels=levels), by="folder", ev_step=1))
    assert [stem(f.path) for f in found.frames] == [f"IMG_{n:04d}" for n in range(8, 0, -1)]


def test_a_given_step_replaces_false_exif_and_nothing_else() -> None:
    levels = {f"IMG_000{number}": 0.02 * 2**number for number in range(1, 4)}
    false = only(group(series(1, [1 / 60] * 3), FakeViews(levels=levels), by="folder", ev_step=1))
    assert (false.status, false.frames[0].seconds, false.frames[0].ev100) == ("accepted", None, None)
    true = only(group(series(1, AEB), FakeViews(levels=levels), by="folder", ev_step=1))
    assert [f.relative_ev for f in true.frames] == pytest.approx([-2, 0, 2])


def test_size_cuts_in_capture_order_and_refuses_remainders() -> None:
    frames = series(9998, [1 / 60, 1 / 250, 1 / 15, 1 / 100, 1 / 400, 1 / 25])
    found = group(frames, size=3)
    assert [(s.by, s.status) for s in found] == [("size", "accepted")] * 2
    with pytest.raises(
        ValueError, match=r"`--size 4`: /photos/church holds 6 frames of camera 'F-1', no multiple of 4"
    ):
        group(frames, size=4)
    with pytest.raises(ValueError, match="contradict each other"):
        group(frames, size=3, by="folder")
    with pytest.raises(ValueError, match="`--by month` is unknown"):
        group(frames, by="month")


def test_by_folder_reports_what_does_not_fit() -> None:
    frames = series(1, AEB)
    frames[2] = replace(frames[2], focal_length=35.0)
    assert verdicts(group(frames, by="folder")) == [("ambiguous", ("mixed-focal-length",), 3)]
    frames[2] = replace(frames[2], focal_length=24.0, width=100)
    assert verdicts(group(frames, by="folder")) == [("rejected", ("mixed-size",), 3)]


# Damaged files


def damaged(name: str, reason: str = "truncated") -> DamagedFile:
    return DamagedFile(f"/photos/church/{name}", reason, f"'{name}': cut")


def test_a_damaged_file_goes_to_its_neighbours() -> None:
    whole = group(series(1, AEB_5) + series(21, AEB_5, at=60))
    five = [f for f in series(1, AEB_5) if f.number != 3]
    found = with_damaged_files(group(five + series(21, AEB_5, at=60)), [damaged("IMG_0003.jpg")])
    assert [(s.status, s.reasons) for s in found] == [("ambiguous", ("damaged-frame",)), ("accepted", ())]
    assert found[0].excluded[0].reason == "truncated"
    two = group(series(1, AEB[:2]))
    assert with_damaged_files(two, [damaged("IMG_0003.jpg", "empty")])[0].reasons == ("two-frames", "damaged")
    for stranger in ("IMG_0900.jpg", "scan.jpg"):
        assert with_damaged_files(whole, [damaged(stranger)]) == whole
    assert with_damaged_files(whole, [damaged("IMG_0003.tif")]) == whole
    assert with_damaged_files(whole, [damaged("IMG_0006.jpg", "unsupported-format")]) == whole
    words = [
        replace(f, path=f"/photos/church/{word}.jpg")
        for f, word in zip(series(1, AEB), ("mid", "dark", "light"), strict=True)
    ]
    assert with_damaged_files(group(words), [damaged("lighter.jpg")])[0].reasons == ("damaged-frame",)
    assert (
        with_damaged_files(group(series(1, AEB), by="folder"), [damaged("lighter.jpg")])[0].status
        == "ambiguous"
    )


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Treppenhaus Süd", "treppenhaus-sued"),
        ("Straße Nr. 5", "strasse-nr-5"),
        ("Café crème", "cafe-creme"),
        ("Su\u0308d", "sued"),
        ("../../etc", "etc"),
        ("教会", ""),
        ("line\nend", "line-end"),
    ],
)
def test_names_are_safe_for_every_file_system(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_names_are_unique_and_stay_from_scan_to_scan() -> None:
    here = series(1, AEB)
    there = [
        replace(f, path=f.path.replace("/photos/", "/more/"), sha256="t" + f.sha256)
        for f in series(1, AEB, at=900)
    ]
    found = group(here + there)
    assert [s.name for s in found] == ["church", "church-2"]
    names = tuple(
        (f.sha256, s.name) for s, name in zip(found, ("church", "dome"), strict=True) for f in s.frames
    )
    names = tuple((sha, "dome" if sha.startswith("t") else name) for sha, name in names)
    earlier = [
        replace(f, path=f.path.replace("/photos/", "/old/"), sha256="o" + f.sha256)
        for f in series(1, AEB, at=-900)
    ]
    again = group(earlier + here + there, earlier_names=names, taken_names=frozenset({"church-2"}))
    assert [s.name for s in again] == ["church-3", "church", "dome"]
