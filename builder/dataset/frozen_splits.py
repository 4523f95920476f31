"""`DATA/splits.lock`: what earlier versions of the dataset promised; `DATA/groups.csv`: what a person joined."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from builder.atomic_files import replace_file
from builder.dataset.splits import SPLITS, Place

LOCK_FILE, GROUPS_FILE = "splits.lock", "groups.csv"
COLUMNS = tuple(field.name for field in fields(Place))


def read_lock(data: Path) -> tuple[Place, ...]:
    """Places that earlier versions froze, by number; ValueError if the file was damaged."""
    path = data / LOCK_FILE
    if not path.exists():
        return ()
    places = []
    for line, row in _rows(path, COLUMNS):
        if row["split"] not in SPLITS or not row["number"].isdecimal():
            raise ValueError(
                f"{path} line {line}: {row!r} is no place; restore the file, it holds what earlier versions of the "
                f"dataset promised"
            )
        places.append(Place(**{**row, "number": int(row["number"])}))  # type: ignore[arg-type]
    if len({place.number for place in places}) < len(places):
        raise ValueError(f"{path}: a number stands there twice; restore the file")
    return tuple(sorted(places, key=lambda place: place.number))


def write_lock(data: Path, frozen: Sequence[Place], places: Sequence[Place]) -> None:
    """Freeze the places of a release beside those that are frozen already."""
    known = {place.scene for place in frozen}
    added = [place for place in places if place.scene not in known]
    if not added:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(place) for place in sorted((*frozen, *added), key=lambda place: place.number))
    replace_file(data / LOCK_FILE, text.getvalue().encode())


def read_groups(data: Path) -> dict[str, str]:
    """Scene -> group as a person decided; empty without the file. ValueError if it contradicts itself."""
    path = data / GROUPS_FILE
    groups: dict[str, str] = {}
    if not path.exists():
        return groups
    for line, row in _rows(path, ("scene", "group")):
        if not row["group"].strip() or groups.get(row["scene"], row["group"]) != row["group"]:
            raise ValueError(f"{path} line {line}: scene {row['scene']!r} needs exactly one group")
        groups[row["scene"]] = row["group"].strip()
    return groups


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a UTF-8 text ({error}); save it as CSV in UTF-8") from error
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise ValueError(
            f"{path}: its first line must be {','.join(columns)}; found {','.join(reader.fieldnames or ())}"
        )
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"{path} line {reader.line_num}: {len(columns)} columns expected")
        rows.append((reader.line_num, dict(row)))
    return rows
