"""An exported dataset as the trainer sees it: its pairs by split, checked before anything is computed."""

from __future__ import annotations

import csv
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.atomic_files import digest_path, sha256_hex
from builder.dataset.finished import MANIFEST, Pair, read_pairs
from builder.images import DEFAULT_LIMITS, UnreadableImage, read_bytes, read_header

FIRST_ROW = 2  # line of manifest.csv below its header
READERS = 8  # files read at a time: each is held in memory while it is hashed


class DatasetError(ValueError):
    """The dataset cannot be used; the message lists every fault by row."""


@dataclass(frozen=True)
class Dataset:
    """A folder made by export. `rows` of batches index `pairs`."""

    folder: Path
    sha256: str  # of manifest.csv: the name under which results on it may be compared
    pairs: tuple[Pair, ...]  # of the splits that were asked for and checked
    skipped: tuple[str, ...] = ()  # sentences, with `skip_bad`

    def split(self, name: str) -> tuple[Pair, ...]:
        """The pairs of train, val or test. DatasetError if there is none."""
        pairs = tuple(pair for pair in self.pairs if pair.split == name)
        if not pairs:
            raise DatasetError(_empty_split(self.folder, name))
        return pairs

    def hdr_file(self, scene: str) -> Path | None:
        """The merged linear picture of a scene, if the export has one."""
        splits = {pair.split for pair in self.pairs if pair.scene == scene}
        files = (self.folder / hdr_path(split, scene) for split in splits)
        return next((path for path in files if path.is_file()), None)


@dataclass(frozen=True)
class _Row:
    line: int
    pair: Pair

    def fault(self, path: str, found: str) -> str:
        return f"line {self.line}: scene {self.pair.scene!r}, {path}: {found}"


@dataclass(frozen=True)
class _PictureFile:
    """What was found under a path: `sha256` is "" where it cannot be read, the size None where it is no picture."""

    sha256: str
    size: tuple[int, int] | None  # width, height
    problem: str


def hdr_path(split: str, scene: str) -> str:
    """Where export puts the merged linear picture of a scene, relative to the dataset."""
    return f"{split}/hdr/{scene}.exr"


def well_placed(pairs: Sequence[Pair], max_residual: float) -> tuple[Pair, ...]:
    """The pairs that are misplaced by at most so many pixels, as far as that was measured."""
    return tuple(pair for pair in pairs if pair.residual is None or pair.residual <= max_residual)


def open_dataset(folder: Path, *, splits: Sequence[str], skip_bad: bool = False) -> Dataset:
    """Read and check manifest and files (existence, SHA-256, sizes, splits) of these splits.

    DatasetError lists all faults by row. With `skip_bad` pairs with faults are left out and listed in `skipped`.
    """
    rows = _rows(folder)
    faults = dict(_row_faults(folder, [row for row in rows if row.pair.split in splits]))
    leaks = [*_in_two_splits(rows, "scene"), *_in_two_splits(rows, "group")]
    kept = tuple(row.pair for row in rows if row.pair.split in splits and row.line not in faults)
    found = tuple(sentence for line in sorted(faults) for sentence in faults[line])
    if leaks or (found and not skip_bad):
        raise DatasetError(_all_faults(folder, [*leaks, *found]))
    empty = [name for name in splits if not any(pair.split == name for pair in kept)]
    if empty:
        sentences = [_empty_split(folder, name) for name in empty]
        raise DatasetError("\n  ".join([*sentences, *(f"left out: {one}" for one in found)]))
    return Dataset(folder, digest_path(folder / MANIFEST), kept, found)


def _rows(folder: Path) -> list[_Row]:
    try:
        return [_Row(line, pair) for line, pair in enumerate(read_pairs(folder), FIRST_ROW)]
    except (ValueError, TypeError, csv.Error) as error:  # TypeError: a row that ends too early
        found = str(error) if isinstance(error, ValueError) else f"{folder / MANIFEST} is damaged ({error})"
        raise DatasetError(f"{found}; nothing was computed") from error


def _row_faults(folder: Path, rows: Sequence[_Row]) -> Iterator[tuple[int, list[str]]]:
    """(line, its faults) of the rows that have any; each file is read and hashed once, however many rows name it."""
    paths = sorted(
        {path for row in rows for path in (row.pair.input, row.pair.reference) if _is_inside(path)}
    )
    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as threads:
        files = dict(zip(paths, threads.map(lambda path: _examined(folder / path), paths), strict=True))
    listed: set[str] = set()
    for row in rows:
        faults = [*_manifest_faults(row, listed), *_file_faults(row, files), *_size_faults(row, files)]
        listed.add(row.pair.input)
        if faults:
            yield row.line, faults


def _is_inside(path: str) -> bool:
    """Whether a path of the manifest stays in the dataset."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts


def _examined(path: Path) -> _PictureFile:
    try:
        data = read_bytes(path)
    except UnreadableImage as error:
        return _PictureFile("", None, "is missing" if not path.exists() else f"cannot be read ({error})")
    sha256 = sha256_hex(data)
    try:
        header = read_header(data, name=path.name, limits=DEFAULT_LIMITS)
    except UnreadableImage as error:
        return _PictureFile(sha256, None, f"is no picture ({error})")
    return _PictureFile(sha256, (header.width, header.height), "")


def _manifest_faults(row: _Row, listed: set[str]) -> Iterator[str]:
    pair = row.pair
    for path in (pair.input, pair.reference):
        if not _is_inside(path):
            yield row.fault(repr(path), "leads out of the dataset")
    if pair.input in listed:
        yield row.fault(pair.input, "is listed twice")
    if not PurePosixPath(pair.input).stem.isdecimal():
        yield row.fault(pair.input, "is not named after its position in the bracket")
    if pair.relative_ev is not None and not math.isfinite(pair.relative_ev):
        yield row.fault(pair.input, f"its relative_ev is {pair.relative_ev}")


def _file_faults(row: _Row, files: Mapping[str, _PictureFile]) -> Iterator[str]:
    pair = row.pair
    for path, promised in ((pair.input, pair.input_sha256), (pair.reference, pair.reference_sha256)):
        file = files.get(path)
        if file is None:
            continue
        if not file.sha256:
            yield row.fault(path, file.problem)
        elif file.sha256 != promised:
            yield row.fault(path, f"was altered (SHA-256 {file.sha256[:12]}..., listed {promised[:12]}...)")
        elif file.problem:
            yield row.fault(path, file.problem)


def _size_faults(row: _Row, files: Mapping[str, _PictureFile]) -> Iterator[str]:
    pair = row.pair
    sizes = {path: files[path].size for path in (pair.input, pair.reference) if path in files}
    known = {path: size for path, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        (width, height), (other_width, other_height) = known[pair.input], known[pair.reference]
        yield row.fault(
            pair.input,
            f"is {width}x{height}, but its reference {pair.reference} is {other_width}x{other_height}",
        )
    elif known and set(known.values()) != {(pair.width, pair.height)}:
        path, (width, height) = next(iter(known.items()))
        yield row.fault(path, f"is {width}x{height}, listed as {pair.width}x{pair.height}")


def _in_two_splits(rows: Iterable[_Row], name: str) -> Iterator[str]:
    """Sentences on scenes (groups) that a network would both learn from and be judged by."""
    splits: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        splits[getattr(row.pair, name)].setdefault(row.pair.split, row.line)
    for value, lines in splits.items():
        if len(lines) > 1:
            places = " and ".join(f"{split} (line {line})" for split, line in lines.items())
            yield f"{name} {value!r} is in {places}: what is learnt from may not be tested on"


def _all_faults(folder: Path, faults: Sequence[str]) -> str:
    what = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    lines = "\n  ".join(faults)
    return (
        f"{folder / MANIFEST}: {what}:\n  {lines}\nRestore these files or export again; --skip-bad leaves such "
        f"pairs out (never scenes or groups in two splits)"
    )


def _empty_split(folder: Path, name: str) -> str:
    return f"{folder / MANIFEST}: the split {name!r} has no usable pair; export with more scenes"
