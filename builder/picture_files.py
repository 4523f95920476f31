"""Finding picture files below folders, whatever links, names and permissions stand in the way."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.codecs.image_headers import sniff_kind
from builder.grouping.damaged_files import DamagedFile

SNIFFED_BYTES = 4096
# Files with these endings claim to be pictures: if they are none, people want to know. Others are sniffed.
PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".webp", ".jxl",
     ".jp2", ".bmp", ".gif", ".psd", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2",
     ".raf", ".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq", ".mrw", ".erf", ".mef", ".mos", ".kdc", ".dcr",
     ".x3f", ".rwl", ".gpr")
)  # fmt: skip


@dataclass(frozen=True)
class PictureFiles:
    """What a walk found; paths absolute, sorted."""

    paths: tuple[str, ...]
    ignored: int  # files that are no pictures: notes, sidecars, films
    damaged: tuple[DamagedFile, ...]  # folders that cannot be listed


def find_picture_files(folders: Sequence[Path], *, left_out: Collection[Path] = ()) -> PictureFiles:
    """All picture files below `folders`; linked folders are followed, each real folder once.

    Names that begin with a dot are left out. ValueError if a folder does not exist or is none.
    """
    pictures: dict[str, None] = {}
    damaged: list[DamagedFile] = []
    ignored = 0
    seen = {
        (status.st_dev, status.st_ino) for status in (os.stat(path) for path in left_out if path.is_dir())
    }
    for folder in folders:
        if not folder.is_dir():
            found = "it is a file" if folder.exists() else "there is no such folder"
            raise ValueError(f"cannot scan {str(folder)!r}: {found}; give a folder of camera files")
        for entry in _files_below(os.path.abspath(folder), seen, damaged):
            if _is_picture(entry):
                pictures[entry] = None
            else:
                ignored += 1
    return PictureFiles(tuple(sorted(pictures)), ignored, tuple(damaged))


def _files_below(folder: str, seen: set[tuple[int, int]], damaged: list[DamagedFile]) -> Iterator[str]:
    """Depth first, by name; folders that cannot be listed go to `damaged`."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            status = os.stat(current)
            names = sorted(os.listdir(current))
        except OSError as error:
            sentence = (
                f"{current!r}: the folder cannot be listed ({error.strerror}); allow reading it (chmod u+rx)"
            )
            damaged.append(DamagedFile(current, "unreadable", sentence))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        paths = [os.path.join(current, name) for name in names if not name.startswith(".")]
        waiting += reversed([path for path in paths if os.path.isdir(path)])
        yield from (path for path in paths if not os.path.isdir(path))


def _is_picture(path: str) -> bool:
    """Whether a file is a picture or claims to be one."""
    if os.path.splitext(path)[1].lower() in PICTURE_SUFFIXES:
        return True
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as stream:
            return sniff_kind(stream.read(SNIFFED_BYTES)) is not None
    except OSError:
        return False
