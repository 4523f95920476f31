"""The rows of `sequences.csv`: reading, checking and writing them as text, with line numbers for messages."""

from __future__ import annotations

import csv
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd

from builder.brackets import RULES, STATUSES
from builder.scene_names import SAFE_NAME, safe_name

# File names need not be UTF-8. Strings of Arrow, which pandas takes where pyarrow is present, would refuse them.
pd.options.mode.string_storage = "python"

COLUMNS = (
    "sequence", "status", "reason", "by", "order", "file", "role", "sha256", "seconds", "f_number", "iso",
    "ev100", "relative_ev", "captured_at",
)  # fmt: skip
ROLES = ("frame", "companion", "excluded")
LEAST_BY_HAND = 2  # frames that a person may accept; a scan asks for more
NAMES_BYTES = "surrogateescape"  # file names that are not UTF-8 come back byte by byte


@dataclass(frozen=True)
class Row:
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
        return Path(os.path.abspath(self.table.parent / self["file"])).as_posix()

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


def read_rows(table: Path) -> list[Row]:
    try:
        frame = pd.read_csv(
            table,
            dtype=str,
            na_filter=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            encoding_errors=NAMES_BYTES,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{table} is no table of sequences: {error}; scan again to make one") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes surplus cells for row names
        raise ValueError(f"{table}, line 2: more cells than columns; put a text with commas in double quotes")
    if tuple(frame.columns) != COLUMNS:
        found = ",".join(map(str, frame.columns))
        raise ValueError(f"{table}, line 1: the columns must be {','.join(COLUMNS)}; found {found}")
    rows, line = [], 2
    for values in frame.itertuples(index=False, name=None):
        texts = tuple(str(value) for value in values)
        if any(texts):
            rows.append(Row(line, table, texts))
        line += 1 + sum(text.count("\n") for text in texts)  # a quoted name may hold line ends
    return rows


def check_rows(rows: Sequence[Row]) -> None:
    """Raise for the first row that is wrong by itself or contradicts an earlier one."""
    lines: dict[str, Row] = {}
    sequences: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        check_words(row)
        other = lines.setdefault(row.path, row)
        if other is not row:
            raise row.error(
                f"{row['file']!r} is in '{row['sequence']}', but line {other.line} lists it in "
                f"'{other['sequence']}'; delete one of the two rows"
            )
        sequences[row["sequence"]].append(row)
    for rows_of_one in sequences.values():
        _check_sequence(rows_of_one)


def check_words(row: Row) -> None:
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


def _check_sequence(rows: Sequence[Row]) -> None:
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


def check_seconds(rows: Iterable[Row]) -> None:
    """Raise for a frame without seconds in a sequence that is not rejected and has seconds elsewhere."""
    frames = [row for row in rows if row["role"] == "frame" and row["status"] != "rejected"]
    timed = {row["sequence"] for row in frames if row.positive("seconds") is not None}
    for row in frames:
        if row["sequence"] in timed and row.positive("seconds") is None:
            raise row.error(f"{row['file']!r} has no seconds, but other frames of '{row['sequence']}' have")


def check_files_exist(rows: Iterable[Row]) -> None:
    for row in rows:
        if row["status"] != "rejected" and row["role"] != "excluded" and not os.path.lexists(row.path):
            raise row.error(f"there is no file {row.path!r}; correct the path, delete the row or scan again")


def write_rows(table: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write `table` in one step: readers see the old one or the new one. OSError if that is not possible."""
    # The csv writer leaves a carriage return in a name unquoted, which would then end the row.
    has_return = any("\r" in cell for row in rows for cell in row)
    quoting: Literal[0, 1] = csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    text = frame.to_csv(index=False, lineterminator="\n", quoting=quoting)
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
