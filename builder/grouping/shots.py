"""Camera files to shots: duplicates and merged results dropped, RAW+JPEG paired, put in capture order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import PurePosixPath

from builder.camera_metadata import FrameFacts

PAIR_SECONDS = 2.0  # of a RAW+JPEG pair
# Words of the software tag of programs that write merged pictures. An editor is no reason (10 of 22 real sets
# name one), nor is "HDR+", with which phones sign every single frame.
MERGERS = (
    "aurora hdr", "dynamic photo hdr", "dynamic-photo hdr", "easyhdr", "enfuse", "enblend", "fdrtools",
    "hdr darkroom", "hdr efex", "hdr expose", "hdr projects", "hdrmerge", "hugin", "luminance hdr",
    "machinery hdr", "oloneo", "photoengine", "photomatix", "picturenaut", "qtpfsgui", "sns-hdr",
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """One press of the shutter: a frame with the other file of a RAW+JPEG pair and byte-wise copies."""

    facts: FrameFacts  # gaps of a RAW's facts filled from its JPEG
    ev: float | None = None  # larger is darker; EV100, or a scale of its own where exposures were estimated
    companions: tuple[FrameFacts, ...] = ()
    duplicates: tuple[FrameFacts, ...] = ()

    @property
    def folder(self) -> PurePosixPath:
        return PurePosixPath(self.facts.path).parent


def clean(frames: Iterable[FrameFacts], prefer: str) -> tuple[list[Shot], list[FrameFacts]]:
    """(shots, merged HDR results); the first of equal files stays, `prefer` ("raw", "jpeg") leads a pair."""
    copies: dict[str, list[FrameFacts]] = defaultdict(list)
    for frame in sorted(frames, key=lambda frame: frame.path):
        copies[frame.sha256].append(frame)
    firsts = [same[0] for same in copies.values()]
    merged = [frame for frame in firsts if is_merged_result(frame)]
    shots = _pair([frame for frame in firsts if not is_merged_result(frame)], prefer)
    return [_with_duplicates(shot, copies) for shot in shots], merged


def is_merged_result(frame: FrameFacts) -> bool:
    """Whether the software tag names a program that merges exposures."""
    software = frame.software.lower()
    return any(merger in software for merger in MERGERS)


def _with_duplicates(shot: Shot, copies: dict[str, list[FrameFacts]]) -> Shot:
    files = (shot.facts, *shot.companions)
    return replace(shot, duplicates=tuple(copy for file in files for copy in copies[file.sha256][1:]))


def _pair(frames: Sequence[FrameFacts], prefer: str) -> list[Shot]:
    by_stem: dict[str, list[FrameFacts]] = defaultdict(list)
    for frame in frames:
        by_stem[PurePosixPath(frame.path).stem.lower()].append(frame)
    shots = []
    for same_stem in by_stem.values():
        waiting = [frame for frame in same_stem if frame.kind != "raw"]
        for raw in (frame for frame in same_stem if frame.kind == "raw"):
            partner = next((other for other in waiting if _are_pair(raw, other)), None)
            if partner:
                waiting.remove(partner)
            shots.append(_paired(raw, partner, prefer))
        shots += [Shot(frame) for frame in waiting]
    return shots


def _are_pair(raw: FrameFacts, other: FrameFacts) -> bool:
    here, there = PurePosixPath(raw.path).parent, PurePosixPath(other.path).parent
    near = here == there or here.parent == there.parent or here.parent == there or here == there.parent
    # LibRaw tells no model where exifread fails (CR3, RAF): such a RAW goes with any body.
    same_body = raw.body == other.body or raw.body.startswith("unknown")
    return other.kind == "jpeg" and near and same_body and _within(raw, other, PAIR_SECONDS)


def _within(first: FrameFacts, second: FrameFacts, seconds: float) -> bool:
    if first.captured_at is None or second.captured_at is None:
        return first.captured_at is second.captured_at
    return abs(first.captured_at - second.captured_at) <= timedelta(seconds=seconds)


def _paired(raw: FrameFacts, other: FrameFacts | None, prefer: str) -> Shot:
    if other is None:
        return Shot(raw)
    leader, companion = (other, raw) if prefer == "jpeg" else (raw, other)
    finer_time = companion if leader.whole_second and not companion.whole_second else leader
    facts = replace(
        leader,
        body=companion.body if leader.body.startswith("unknown") else leader.body,
        seconds=_first_known(leader.seconds, companion.seconds),
        f_number=_first_known(leader.f_number, companion.f_number),
        iso=_first_known(leader.iso, companion.iso),
        focal_length=_first_known(leader.focal_length, companion.focal_length),
        bias_ev=_first_known(leader.bias_ev, companion.bias_ev),
        captured_at=finer_time.captured_at,
        whole_second=finer_time.whole_second,
    )
    return Shot(facts, companions=(companion,))


def _first_known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


def in_capture_order(shots: Iterable[Shot]) -> list[Shot]:
    """Shots by time; where stamps cannot tell, by file number (rolling over from 9999 to 0001), then name."""
    by_name = sorted(shots, key=lambda shot: shot.facts.path)
    ordered: list[Shot] = []
    for _, group in groupby(sorted(by_name, key=_whole_second), key=_whole_second):
        same_second = list(group)
        if any(is_coarse(shot) for shot in same_second):
            start = _first_number([shot.facts.number or 0 for shot in same_second])
            same_second.sort(key=lambda shot: ((shot.facts.number or 0) - start) % 10_000)
        else:
            same_second.sort(key=lambda shot: shot.facts.captured_at or datetime.min)
        ordered += same_second
    return ordered


def _whole_second(shot: Shot) -> tuple[datetime, str]:
    """Time to the second; frames without time come folder by folder."""
    time = shot.facts.captured_at
    return (datetime.min, str(shot.folder)) if time is None else (time.replace(microsecond=0), "")


def is_coarse(shot: Shot) -> bool:
    """Whether the time stamp tells no fraction of a second; some cameras write an empty fraction of 00."""
    return (
        shot.facts.whole_second or shot.facts.captured_at is None or shot.facts.captured_at.microsecond == 0
    )


def _first_number(numbers: Sequence[int]) -> int:
    """The number after the largest circular gap: of 9998, 9999, 1, 2 it is 9998."""
    ordered = sorted({number % 10_000 for number in numbers})
    gaps = [(number - ordered[i - 1]) % 10_000 for i, number in enumerate(ordered)]
    return ordered[gaps.index(max(gaps))]


def follows(previous: Shot, following: Shot, pause: float) -> bool:
    """Whether `following` begins at most `pause` seconds after `previous` ended; False without times.

    Cameras stamp the start or the end of an exposure, so the longer exposure is allowed for; and a second
    where a stamp is whole.
    """
    start, end = previous.facts.captured_at, following.facts.captured_at
    if start is None or end is None:
        return False
    exposure = max(previous.facts.seconds or 0.0, following.facts.seconds or 0.0)
    allowed = pause + exposure + (1.0 if is_coarse(previous) or is_coarse(following) else 0.0)
    return (end - start).total_seconds() <= allowed


def same_focal_length(first: Shot, second: Shot) -> bool:
    """Whether two focal lengths are within 1 %; an unknown one equals any."""
    a, b = first.facts.focal_length, second.facts.focal_length
    return not a or not b or abs(a - b) <= 0.01 * max(a, b)
