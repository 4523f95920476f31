"""Plain facts of imagined camera files, and grouping of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from builder.brackets import BracketSequence
from builder.camera_metadata import FrameFacts
from builder.grouping import GroupingOptions, group_frames

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
