"""Writing files so that a reader, a killed process or a full disk never leaves a part of one under its final name."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

UNFINISHED = "unfinished-"


class NotDeterministic(RuntimeError):
    """The same recipe gave other bytes than those already stored."""


class CannotWrite(OSError):
    """A derived file could not be written: no space, no permission, or a file where a folder should be."""


def sha256_hex(data: bytes | memoryview) -> str:
    """SHA-256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_path(path: Path) -> str:
    """SHA-256 of a file, or of a folder's sorted (name, SHA-256) list; "" if it is not there."""
    if path.is_dir():
        return _digest_folder(path)[0]
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def write_once(final: Path, data: bytes | memoryview) -> None:
    """Store bytes under a name that never changes its content again.

    Raises NotDeterministic if other bytes are there, CannotWrite if the disk or the folder refuses.
    """
    with _naming(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        unfinished = _unfinished(final)
        try:
            _write_and_sync(unfinished, data)
            try:
                os.link(unfinished, final)  # unlike rename it fails where the name is taken
            except FileExistsError:
                _require_same(final, sha256_hex(data))
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                    raise
                os.replace(unfinished, final)  # a file system without hard links
            _sync_folder(final.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def replace_file(final: Path, data: bytes | memoryview) -> None:
    """Write or replace a file so that a reader sees the old or the new content, never a part."""
    with _replacing(final) as unfinished, _naming(final):
        _write_and_sync(unfinished, data)


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """A path beside `final` for another program to write to; it takes the final name if the block ends well.

    A reader sees what `replace_file` lets it see. Raises CannotWrite as that does, and what the block raises.
    """
    with _replacing(final) as unfinished:
        yield unfinished
        with _naming(final), unfinished.open("rb") as stream:
            os.fsync(stream.fileno())


@contextmanager
def _replacing(final: Path) -> Iterator[Path]:
    unfinished = _unfinished(final)
    try:
        with _naming(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)  # left by a killed process that had the same number
        yield unfinished
        with _naming(final):
            os.replace(unfinished, final)
            _sync_folder(final.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_text(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text to write line by line into a folder that is not finished itself; on disk when closed.

    Raises as `write_once` does.
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())


def finish_folder(unfinished: Path, final: Path) -> None:
    """Give a complete folder its final name. CannotWrite if the name is taken or the disk refuses."""
    with _naming(final):
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        _sync_folder(unfinished)
        os.rename(unfinished, final)
        _sync_folder(final.parent)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn an OSError into a sentence that names the path and says that nothing was lost."""
    try:
        yield
    except CannotWrite:
        raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotWrite(
            error.errno or 0,
            f"{path}: cannot be written ({reason}). Nothing that was finished is lost; "
            f"make room or give write access there, then run the same command again",
        ) from error


def _unfinished(final: Path) -> Path:
    return final.with_name(f"{UNFINISHED}{final.name}-{socket.gethostname()}-{os.getpid()}")


def _write_and_sync(path: Path, data: bytes | memoryview) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_same(path: Path, sha256: str) -> None:
    if digest_path(path) != sha256:
        raise NotDeterministic(
            f"{path}: the same recipe gave other bytes than those stored. Either the file was changed by hand or "
            f"begun on another kind of processor (delete it, then build again), or the algorithm is not "
            f"deterministic (raise its revision)"
        )


def _digest_folder(folder: Path) -> tuple[str, int, int]:
    """(digest over sorted names and contents, bytes, number of files) of a folder."""
    digest, size, entries = hashlib.sha256(), 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_hex(data)}\n".encode())
        size, entries = size + len(data), entries + 1
    return digest.hexdigest(), size, entries


def write_folder_once(final: Path, fill: Callable[[Path], None]) -> tuple[str, int, int]:
    """Store the folder that `fill` writes: (digest, bytes, number of files). It appears only when complete.

    Raises as `write_once` does.
    """
    with _naming(final):
        unfinished = _unfinished(final)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        fill(unfinished)
        digest, size, entries = _digest_folder(unfinished)
        try:
            os.rename(
                unfinished, final
            )  # fails where the name is taken, were it by another host a moment ago
            _sync_folder(final.parent)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _require_same(final, digest)
            shutil.rmtree(unfinished)
        return digest, size, entries


def readable_name(text: str) -> str:
    """A name that is safe in any file system: letters, digits, '-', '_' and '.', never empty."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.") or "scene"
