"""A finished dataset as its views see it: the pairs of manifest.csv, the files of the checksum list, hard links."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from builder.atomic_files import new_text

MANIFEST, CHECKSUMS = "manifest.csv", "manifest-sha256.txt"
FIRST_ZIP_DATE, LAST_ZIP_DATE = 315532800, 4354819198  # 1980-01-01 and 2107-12-31 23:59:58
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True)
class Pair:
    """A row of manifest.csv: an exposure and its scene's reference; paths POSIX, relative to the dataset."""

    split: str
    group: str
    scene: str
    sice_number: int
    input: str
    reference: str
    relative_ev: float | None
    seconds: float | None
    f_number: float | None
    iso: float | None
    width: int
    height: int
    input_sha256: str
    reference_sha256: str
    algorithm: str
    residual: float | None
    ghost_score: float | None
    verdict: str
    stamp: str

    @property
    def position(self) -> int:
        """Of the exposure in its scene: 1 is the darkest."""
        return int(PurePosixPath(self.input).stem)

    @property
    def key(self) -> str:
        """`<scene>-<position>`, a name that no other pair of the dataset has."""
        return f"{self.scene}-{self.position}"


def _number(text: str) -> float | None:
    return float(text) if text else None


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float | None": _number}
COLUMNS = {field.name: _CONVERTERS[str(field.type)] for field in fields(Pair)}


def read_pairs(dataset: Path) -> Iterator[Pair]:
    """The rows of manifest.csv, scene by scene; ValueError if it is not one of a finished dataset."""
    path = dataset / MANIFEST
    if not path.is_file():
        raise ValueError(f"{dataset} is no finished dataset: it has no {MANIFEST}; run export first")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            try:
                yield Pair(**{name: convert(row[name]) for name, convert in COLUMNS.items()})
            except (KeyError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {reader.line_num}: not a row of this version's export ({error}); export again"
                ) from error


def read_scenes(dataset: Path) -> Iterator[tuple[Pair, ...]]:
    """The pairs of one scene after the other."""
    for _, pairs in groupby(read_pairs(dataset), key=lambda pair: pair.scene):
        yield tuple(pairs)


def dataset_files(dataset: Path) -> dict[str, str]:
    """SHA-256 by path of all that belongs to the dataset, in bytewise order: views and strangers' files do not."""
    path = dataset / CHECKSUMS
    if not path.is_file():
        raise ValueError(f"{dataset} is no finished dataset: it has no {CHECKSUMS}; run export first")
    content = path.read_bytes()
    listed = [line.split("  ", 1) for line in content.decode().splitlines()]
    sums = {name: sha256 for sha256, name in listed} | {CHECKSUMS: hashlib.sha256(content).hexdigest()}
    return {name: sums[name] for name in sorted(sums, key=str.encode)}


class CheckedFile(io.RawIOBase):
    """A file whose bytes are counted into a checksum while they are read."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        block = self._stream.read(size)
        self.digest.update(block)
        return block

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def checked_file(dataset: Path, name: str, sha256: str) -> Iterator[CheckedFile]:
    """A file of the dataset to be read from start to end. ValueError if it is not what the dataset promises."""
    with CheckedFile(existing(dataset, name)) as stream:
        yield stream
        if stream.digest.hexdigest() != sha256:
            raise ValueError(
                f"{dataset / name} is damaged: its SHA-256 is not the one that the dataset lists; restore it"
            )


def existing(dataset: Path, name: str) -> Path:
    """Where a listed file is. ValueError if it is gone."""
    path = dataset / name
    if not path.is_file():
        raise ValueError(
            f"{path} is missing although the dataset lists it; restore it or export a new version"
        )
    return path


def link(source: Path, target: Path) -> None:
    """The same file under one more name; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        shutil.copyfile(source, target)


def link_notices(dataset: Path, output: Path) -> None:
    """A view says whose it is, under which licence, and what is wrong with its references, if anything."""
    for name in dataset_files(dataset):
        is_warning = "/" not in name and name.endswith(".txt") and name != CHECKSUMS
        if is_warning or name == "CITATION.cff":
            link(existing(dataset, name), output / name)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV table with "\\n" at line ends; None becomes an empty cell."""
    with new_text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def source_date() -> int:
    """Seconds since 1970 that packed files carry: SOURCE_DATE_EPOCH, else 1980-01-01, the first day of ZIP."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(FIRST_ZIP_DATE))
    if not (text.isascii() and text.isdigit() and int(text) <= LAST_ZIP_DATE):
        raise ValueError(
            f"SOURCE_DATE_EPOCH={text!r}: give whole seconds since 1970, up to {LAST_ZIP_DATE} (the year 2107)"
        )
    return int(text)
