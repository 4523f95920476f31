"""Grouping of automatic brackets by plain facts: sets, verdicts, exposures."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from builder.exposure_values import ev100, same_exposure, true_seconds
from tests.builder.frames import (
    AEB,
    AEB_5,
    START,
    FakeViews,
    frame,
    group,
    only,
    series,
    stem,
    verdicts,
)

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
