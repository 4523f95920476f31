"""Grouping by hand-taken pace, by explicit rules, and what is cleaned, damaged and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builder.camera_metadata import FrameFacts
from builder.grouping.damaged_files import DamagedFile, with_damaged_files
from builder.scene_names import safe_name
from tests.builder.frames import (
    AEB,
    AEB_5,
    FakeViews,
    frame,
    group,
    only,
    series,
    stem,
    verdicts,
)

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
