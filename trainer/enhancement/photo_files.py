"""Which photographs are meant, and under which names their enhanced versions are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.images import sniff_kind

KNOWN_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
MAGIC_BYTES = 64


@dataclass(frozen=True)
class Found:
    """A photograph and where below the output folder it belongs: name without suffix."""

    path: Path
    place: Path


def photographs_in(arguments: Sequence[Path], output: Path) -> list[Found]:
    """The files, and all photographs in the folders and their subfolders, which keep their place; none twice.

    Passed over in folders: what is no photograph, hidden files, and the output folder.
    """
    found: dict[Path, Found] = {}
    for argument in arguments:
        for path, place in _in_folder(argument, output) if argument.is_dir() else [(argument, argument.name)]:
            found.setdefault(path.absolute(), Found(path, Path(place).with_suffix("")))
    return list(found.values())


def _in_folder(folder: Path, output: Path) -> list[tuple[Path, Path]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    wanted = [
        path
        for path in paths
        if output.resolve() not in path.resolve().parents or output.resolve() == folder.resolve()
    ]
    return [(path, path.relative_to(folder)) for path in wanted if _is_photograph(path)]


def _is_photograph(path: Path) -> bool:
    """By its suffix, so that damaged ones are reported, else by its first bytes."""
    if path.suffix.lower() in KNOWN_SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return sniff_kind(stream.read(MAGIC_BYTES)) is not None
    except OSError:
        return False


class FreeNames:
    """Gives every photograph a file of its own, in the order in which they come."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._given: set[str] = set()

    def name(self, place: Path, suffix: str) -> Path:
        """DIR/place.suffix, or DIR/place-2.suffix, ... where another photograph of this call has that name already."""
        number = 1
        while True:
            stem = place if number == 1 else place.with_name(f"{place.name}-{number}")
            path = self._output / f"{stem}{suffix}"
            key = os.path.normcase(path).casefold()  # some file systems know no case
            if key not in self._given:
                self._given.add(key)
                return path
            number += 1


def identities(paths: Sequence[Path]) -> frozenset[tuple[int, int]]:
    """What identifies the files behind names and links."""
    return frozenset(one for path in paths if (one := identity(path)) is not None)


def identity(path: Path) -> tuple[int, int] | None:
    """(device, file number); None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
