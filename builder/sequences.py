"""`sequences.csv`: what a scan found and a person may edit, one row per file."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import pandas as pd

from builder.brackets import FLAGS, RULES, STATUSES, BracketSequence, SequenceFile, SequenceFrame
from builder.exposure_values import exposure_values, reference_position
from builder.scene_names import SAFE_NAME, safe_name

COLUMNS = (
    "sequence", "status", "reason", "by", "order", "file", "role", "sha256", "seconds", "f_number", "iso",
    "ev100", "relative_ev", "captured_at",
)  # fmt: skip
ROLES = ("frame", "companion", "excluded")
NO_EXPOSURE = ("",) * 6
LEAST_BY_HAND = 2  # frames that a person may accept; a scan asks for more
NAMES_BYTES = "surrogateescape"  # file names that are not UTF-8 come back byte by byte


@dataclass(frozen=True)
class HandEdits:
    """What a scan keeps of an earlier table."""

    sequences: tuple[BracketSequence, ...] = ()  # with at least one row `by=hand`, whole
    names: tuple[tuple[str, str], ...] = ()  # (sha256, name of its sequence) of all other frames


@dataclass(frozen=True)
class _Row:
    """One row as text; `line` of the file for messages."""

    line: int
    table: Path
    values: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        return self.values[COLUMNS.index(column)]

    def error(self, problem: str) -> ValueError:
        return ValueError(f"{self.table}, line {self.line}: {problem}")

    @property
    def path(self) -> str:
        """Absolute; a relative one is meant from the table's folder."""
        return (self.table.parent / self["file"]).as_posix()

    def number(self, column: str) -> float | None:
        """A finite number or None where the cell is empty."""
        text = self[column].strip()
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not math.isfinite(value):
            raise self.error(
                f"{column} is {text!r}; write a number such as 0.033, or nothing if it is unknown"
            )
        return value

    def positive(self, column: str) -> float | None:
        value = self.number(column)
        if value is not None and value <= 0:
            raise self.error(f"{column} is {self[column]!r}; it must be larger than 0")
        return value

    def time(self) -> datetime | None:
        text = self["captured_at"].strip()
        try:
            return datetime.fromisoformat(text) if text else None
        except ValueError:
            raise self.error(
                f"captured_at is {text!r}; write it as 2024-05-31T17:20:45.5, or nothing"
            ) from None


def read_sequences(table: Path) -> tuple[BracketSequence, ...]:
    """All sequences of `table`, in its order; frames from dark to bright.

    EV are computed anew where every frame of a sequence has seconds, so that hand-written ones count.
    ValueError names the table's line: missing file, a file listed twice, unknown status, role or rule,
    accepted with one frame, names that cannot be folders, numbers that are none.
    """
    rows = _read_rows(table)
    _check_rows(rows)
    _check_files_exist(rows)
    return _sequences(rows)


def read_hand_edits(table: Path) -> HandEdits:
    """The sequences of `table` that a person has edited (`by=hand` in any row); none without a table."""
    if not table.exists():
        return HandEdits()
    rows = _read_rows(table)
    for row in rows:
        _check_words(row)
    edited = {row["sequence"] for row in rows if row["by"] == "hand"}
    by_hand = [row for row in rows if row["sequence"] in edited]
    _check_rows(by_hand)
    _check_files_exist(by_hand)
    others = [
        row for row in rows if row["sequence"] not in edited and row["role"] == "frame" and row["sha256"]
    ]
    return HandEdits(_sequences(by_hand), tuple((row["sha256"], row["sequence"]) for row in others))


def _read_rows(table: Path) -> list[_Row]:
    try:
        frame = pd.read_csv(
            table, dtype=str, na_filter=False, skip_blank_lines=False, index_col=False,
            encoding="utf-8-sig", encoding_errors=NAMES_BYTES,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{table} is no table of sequences: {error}; scan again to make one") from None
    if tuple(frame.columns) != COLUMNS:
        found = ",".join(map(str, frame.columns))
        raise ValueError(f"{table}, line 1: the columns must be {','.join(COLUMNS)}; found {found}")
    rows, line = [], 2
    for values in frame.itertuples(index=False, name=None):
        texts = tuple(str(value) for value in values)
        if any(texts):
            rows.append(_Row(line, table, texts))
        line += 1 + sum(text.count("\n") for text in texts)  # a quoted name may hold line ends
    return rows


def _check_rows(rows: Sequence[_Row]) -> None:
    """Raise for the first row that is wrong by itself or contradicts an earlier one."""
    lines: dict[str, _Row] = {}
    sequences: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        _check_words(row)
        other = lines.setdefault(row.path, row)
        if other is not row:
            raise row.error(
                f"{row['file']!r} is in '{row['sequence']}', but line {other.line} lists it in "
                f"'{other['sequence']}'; delete one of the two rows"
            )
        sequences[row["sequence"]].append(row)
    for rows_of_one in sequences.values():
        _check_sequence(rows_of_one)


def _check_words(row: _Row) -> None:
    if not row["file"]:
        raise row.error("no file is named; name one or delete the row")
    for column, allowed in (("status", STATUSES), ("role", ROLES), ("by", RULES)):
        if row[column] not in allowed:
            raise row.error(f"{column} is {row[column]!r}; it must be one of {', '.join(allowed)}")
    if not SAFE_NAME.fullmatch(row["sequence"]):
        hint = safe_name(row["sequence"]) or "church"
        raise row.error(
            f"the sequence's name {row['sequence']!r} is no safe folder name; write {hint!r}, say"
        )


def _check_sequence(rows: Sequence[_Row]) -> None:
    first = rows[0]
    frames = [row for row in rows if row["role"] == "frame"]
    for row in rows:
        if row["status"] != first["status"]:
            raise row.error(
                f"'{row['sequence']}' is {row['status']!r} here, but {first['status']!r} in line "
                f"{first.line}; give it one status"
            )
    if first["status"] == "rejected":
        return
    if len(frames) < LEAST_BY_HAND:
        raise first.error(
            f"'{first['sequence']}' is {first['status']} with {len(frames)} frame, needs at least "
            f"{LEAST_BY_HAND}; move more frames to it or set its status to rejected"
        )
    timed = [row for row in frames if row.positive("seconds") is not None]
    if timed and len(timed) < len(frames):
        bare = next(row for row in frames if row not in timed)
        raise bare.error(f"{bare['file']!r} has no seconds, but other frames of '{bare['sequence']}' have")


def _check_files_exist(rows: Iterable[_Row]) -> None:
    for row in rows:
        if row["status"] != "rejected" and row["role"] != "excluded" and not os.path.lexists(row.path):
            raise row.error(f"there is no file {row.path!r}; correct the path, delete the row or scan again")


def _sequences(rows: Sequence[_Row]) -> tuple[BracketSequence, ...]:
    sequences: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        sequences[row["sequence"]].append(row)
    return tuple(_sequence(rows_of_one) for rows_of_one in sequences.values())


def _sequence(rows: Sequence[_Row]) -> BracketSequence:
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


def _frame(row: _Row, companions: Sequence[_Row]) -> SequenceFrame:
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


def _unclaimed(companions: Sequence[_Row], frames: Sequence[SequenceFrame]) -> tuple[SequenceFile, ...]:
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
    rows = [row for sequence in sequences for row in _rows_of(sequence)]
    text = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str).to_csv(index=False, lineterminator="\n")
    table.parent.mkdir(parents=True, exist_ok=True)
    unfinished = table.with_name(f"unfinished-{table.name}-{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            stream.write(text.encode("utf-8", NAMES_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(table)
    finally:
        unfinished.unlink(missing_ok=True)


def _rows_of(sequence: BracketSequence) -> list[tuple[str, ...]]:
    words = ";".join((*sequence.reasons, *sequence.flags))
    rows: list[tuple[str, ...]] = []
    for order, frame in enumerate(sequence.frames, start=1):
        position = (words, sequence.by, str(order))
        rows.append((*position, frame.path, "frame", frame.sha256, *_exposure_cells(frame)))
        rows += [(*position, file.path, "companion", file.sha256, *NO_EXPOSURE) for file in frame.companions]
    rows += [
        (file.reason, sequence.by, "", file.path, "excluded", file.sha256, *NO_EXPOSURE)
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
    return f"{value:.12g}" if digits is None else f"{value + 0.0:.{digits}f}"
