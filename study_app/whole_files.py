"""Files that are there in full or not at all: written beside, flushed, renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(final: Path, *, mode: int = 0o600) -> Iterator[Path]:
    """A path beside `final` to write to; it takes the final name, with this mode, only if the block ends well."""
    final.parent.mkdir(parents=True, exist_ok=True)
    unfinished = final.with_name(f"unfinished-{final.name}-{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        unfinished.chmod(mode)
        with unfinished.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(unfinished, final)
        _sync_folder(final.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(final: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write or replace a file in one step."""
    with whole_file(final, mode=mode) as unfinished:
        unfinished.write_bytes(data)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
