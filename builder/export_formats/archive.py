"""The whole dataset in one file that is the same byte for byte whenever and wherever it is packed.

tar: pax, not compressed (pictures are). zip: stored. Entries in bytewise order below a folder named after the dataset.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from builder.dataset.finished import FIRST_ZIP_DATE, checked_file, dataset_files, existing, source_date

FILE_MODE, FOLDER_MODE = 0o644, 0o755
UNIX, DOS_FOLDER = 3, 0x10
BLOCK = 1 << 20


def write(dataset: Path, output: Path) -> None:
    """Pack into `output`, a .tar or .zip; what an interrupted call left there is replaced.

    ValueError if a file is missing or not what its checksum says.
    """
    packers = {".tar": _pack_tar, ".zip": _pack_zip}
    if output.suffix not in packers:
        raise ValueError(f"{output}: archives are .tar or .zip")
    with output.open("wb") as stream:
        packers[output.suffix](dataset, stream)
        stream.flush()
        os.fsync(stream.fileno())


def tar_entry(name: str, *, size: int) -> tarfile.TarInfo:
    """A file's entry with nothing in it of who packed it, when and where."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, FILE_MODE, source_date()
    return entry


def _pack_tar(dataset: Path, stream: IO[bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, sha256 in _entries(dataset):
            path = _below(dataset, name)
            if sha256 is None:
                folder = tar_entry(path, size=0)
                folder.type, folder.mode = tarfile.DIRTYPE, FOLDER_MODE
                archive.addfile(folder)
                continue
            size = existing(dataset, name).stat().st_size
            with checked_file(dataset, name, sha256) as content:
                archive.addfile(tar_entry(path, size=size), content)


def _pack_zip(dataset: Path, stream: IO[bytes]) -> None:
    date = time.gmtime(max(source_date(), FIRST_ZIP_DATE))[:6]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, sha256 in _entries(dataset):
            path = _below(dataset, name)
            if sha256 is None:
                folder = _zip_entry(f"{path}/", date, stat.S_IFDIR | FOLDER_MODE)
                folder.external_attr |= DOS_FOLDER
                archive.writestr(folder, b"")
                continue
            entry = _zip_entry(path, date, stat.S_IFREG | FILE_MODE)
            entry.file_size = existing(dataset, name).stat().st_size  # decides on ZIP64
            with checked_file(dataset, name, sha256) as content, archive.open(entry, "w") as target:
                shutil.copyfileobj(content, target, BLOCK)


def _zip_entry(path: str, date: tuple[int, ...], mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, (date[0], date[1], date[2], date[3], date[4], date[5]))
    entry.create_system, entry.external_attr = UNIX, mode << 16
    return entry


def _entries(dataset: Path) -> Iterator[tuple[str, str | None]]:
    """(path, SHA-256) of files, (path, None) of folders, bytewise; a folder comes before what it holds."""
    files: dict[str, str | None] = {**dataset_files(dataset)}
    folders = {str(parent): None for name in files for parent in PurePosixPath(name).parents}
    everything = files | folders
    for name in sorted(everything, key=lambda name: _below(dataset, name).encode()):
        yield name, everything[name]


def _below(dataset: Path, name: str) -> str:
    """`1.0.0/train`: unpacking makes one folder, not a hundred in the current one."""
    return str(PurePosixPath(dataset.name, name))
