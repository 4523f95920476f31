"""`sequences.csv`: what a scan found and a person may edit, one row per file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from builder.brackets import FLAGS, BracketSequence, SequenceFile, SequenceFrame
from builder.exposure_values import exposure_values, reference_position
from builder.sequence_rows import (
    Row,
    check_files_exist,
    check_rows,
    check_seconds,
    check_words,
    read_rows,
    write_rows,
)

_NO_EXPOSURE = ("",) * 6


@dataclass(frozen=True)
class HandEdits:
    """What a scan keeps of an earlier table."""

    sequences: tuple[BracketSequence, ...] = ()  # with at least one row `by=hand`, whole
    names: tuple[tuple[str, str], ...] = ()  # (sha256, name of its sequence) of all other frames


def read_sequences(table: Path) -> tuple[BracketSequence, ...]:
    """All sequences of `table`, in its order; frames from dark to bright.

    EV are computed anew where every frame of a sequence has seconds, so that hand-written ones count.
    ValueError names the table's line: missing file, a file listed twice, unknown status, role or rule,
    accepted with one frame, names that cannot be folders, numbers that are none.
    """
    rows = read_rows(table)
    check_rows(rows)
    check_seconds(rows)
    check_files_exist(rows)
    return _sequences(rows)


def read_hand_edits(table: Path) -> HandEdits:
    """The sequences of `table` that a person has edited (`by=hand` in any row); none without a table."""
    if not table.exists():
        return HandEdits()
    rows = read_rows(table)
    for row in rows:
        check_words(row)
    edited = {row["sequence"] for row in rows if row["by"] == "hand"}
    by_hand = [row for row in rows if row["sequence"] in edited]
    check_rows(by_hand)
    check_files_exist(by_hand)
    others = [
        row for row in rows if row["sequence"] not in edited and row["role"] == "frame" and row["sha256"]
    ]
    return HandEdits(_sequences(by_hand), tuple((row["sha256"], row["sequence"]) for row in others))


def _sequences(rows: Sequence[Row]) -> tuple[BracketSequence, ...]:
    sequences: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        sequences[row["sequence"]].append(row)
    return tuple(_sequence(rows_of_one) for rows_of_one in sequences.values())


def _sequence(rows: Sequence[Row]) -> BracketSequence:
    first = next((row for row in rows if row["role"] == "frame"), rows[0])
    codes = [code.strip() for code in first["reason"].split(";") if code.strip()]
    companions = [row for row in rows if row["role"] == "companion"]
    frames = [_frame(row, companions) for row in rows if row["role"] == "frame"]
    return BracketSequence(
        name=first["sequence"],
        status=first["status"],
        by="hand" if any(row["by"] == "hand" for row in rows) else first["by"],
        frames=with_relative_evs(frames),
        reasons=tuple(code for code in codes if code not in FLAGS),
        flags=tuple(code for code in codes if code in FLAGS),
        excluded=tuple(
            SequenceFile(row.path, row["sha256"], row["reason"]) for row in rows if row["role"] == "excluded"
        ) + _unclaimed(companions, frames),
    )  # fmt: skip


def _frame(row: Row, companions: Sequence[Row]) -> SequenceFrame:
    return SequenceFrame(
        path=row.path,
        sha256=row["sha256"],
        seconds=row.positive("seconds"),
        f_number=row.positive("f_number"),
        iso=row.positive("iso"),
        ev100=row.number("ev100"),
        relative_ev=row.number("relative_ev"),
        captured_at=row.time(),
        companions=tuple(
            SequenceFile(other.path, other["sha256"])
            for other in companions
            if _stem(other.path) == _stem(row.path)
        ),
    )


def _unclaimed(companions: Sequence[Row], frames: Sequence[SequenceFrame]) -> tuple[SequenceFile, ...]:
    """Companions whose frame a person has moved away or excluded: they are excluded too."""
    stems = {_stem(frame.path) for frame in frames}
    return tuple(
        SequenceFile(row.path, row["sha256"], "companion-without-frame")
        for row in companions
        if _stem(row.path) not in stems
    )


def _stem(path: str) -> str:
    return PurePosixPath(path).stem.lower()


def with_relative_evs(frames: Sequence[SequenceFrame]) -> tuple[SequenceFrame, ...]:
    """Frames from dark to bright, EV computed from seconds where every frame has them, else as they are."""
    if frames and all(frame.seconds is not None for frame in frames):
        evs = exposure_values(frames)
        frames = [replace(frame, ev100=ev) for frame, ev in zip(frames, evs, strict=True)]
        ordered = sorted(frames, key=lambda frame: (-(frame.ev100 or 0.0), frame.path))
        reference = ordered[reference_position(len(ordered))].ev100 or 0.0
        return tuple(replace(frame, relative_ev=reference - (frame.ev100 or 0.0)) for frame in ordered)
    if all(frame.relative_ev is not None for frame in frames):
        return tuple(sorted(frames, key=lambda frame: (frame.relative_ev or 0.0, frame.path)))
    return tuple(replace(frame, ev100=None, relative_ev=None) for frame in frames)


def write_sequences(table: Path, sequences: Iterable[BracketSequence]) -> None:
    """Write `table` in one step: readers see the old one or the new one. OSError if that is not possible."""
    write_rows(table, [row for sequence in sequences for row in _rows_of(sequence)])


def _rows_of(sequence: BracketSequence) -> list[tuple[str, ...]]:
    words = ";".join((*sequence.reasons, *sequence.flags))
    rows: list[tuple[str, ...]] = []
    for order, frame in enumerate(sequence.frames, start=1):
        position = (words, sequence.by, str(order))
        rows.append((*position, frame.path, "frame", frame.sha256, *_exposure_cells(frame)))
        rows += [(*position, file.path, "companion", file.sha256, *_NO_EXPOSURE) for file in frame.companions]
    rows += [
        (file.reason, sequence.by, "", file.path, "excluded", file.sha256, *_NO_EXPOSURE)
        for file in sequence.excluded
    ]
    return [(sequence.name, sequence.status, *row) for row in rows]


def _exposure_cells(frame: SequenceFrame) -> tuple[str, str, str, str, str, str]:
    return (
        _text(frame.seconds),
        _text(frame.f_number),
        _text(frame.iso),
        _text(frame.ev100, digits=3),
        _text(frame.relative_ev, digits=3),
        frame.captured_at.isoformat() if frame.captured_at else "",
    )


def _text(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if digits is None else f"{value + 0.0:.{digits}f}"
