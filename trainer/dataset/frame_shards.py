"""Shards: prepared pictures one after the other in a file of at most 1 GiB, with an index beside it.

`<name>.frames` holds the arrays, `<name>.json` says where each lies, and size and SHA-256 of the file. The index is
written last: a shard exists exactly if its index does.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.atomic_files import UNFINISHED, CannotWrite, digest_path, replace_file, sha256_hex
from trainer.inputs import THUMBNAIL_SIDE

SHARD_BYTES = 1 << 30
ALIGNMENT = 64  # of every array, so that any type may be mapped
FRAMES, INDEX, LOCK = ".frames", ".json", "lock"
PICTURE, PICTURE_AND_BASE, LIGHT = "picture", "picture and base", "light"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Stored:
    """One prepared picture in a shard: where it starts, and what is not in its arrays."""

    key: str  # of its content: hash of the file, preparation, version
    kind: str  # PICTURE, PICTURE_AND_BASE or LIGHT
    height: int
    width: int
    bits: int = 8  # per channel of the file
    luminance_peak: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Shard:
    """A finished shard."""

    frames: Path
    stored: tuple[Stored, ...]


def array_shapes(kind: str, height: int, width: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of the arrays of a prepared picture, in the order of the file."""
    if kind == LIGHT:
        return {"hdr": (np.dtype("<f2"), (height, width, 3))}
    shapes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        "pixels": (np.dtype("u1"), (height, width, 3)),
        "thumbnail": (np.dtype("u1"), (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)),
    }
    return shapes | ({"base": (np.dtype("<u2"), (height, width))} if kind == PICTURE_AND_BASE else {})


def stored_bytes(kind: str, height: int, width: int) -> int:
    """What a prepared picture takes in a shard."""
    return sum(_aligned(_bytes(dtype, shape)) for dtype, shape in array_shapes(kind, height, width).values())


def mapped(shard: Shard) -> NDArray[np.uint8]:
    """The bytes of a shard, read when indexed."""
    return np.memmap(shard.frames, np.uint8, mode="r").view(np.ndarray)


def arrays_in(shard: NDArray[np.uint8], stored: Stored) -> dict[str, NDArray[Any]]:
    """The arrays of one prepared picture as views of the map."""
    arrays, offset = {}, stored.offset
    for name, (dtype, shape) in array_shapes(stored.kind, stored.height, stored.width).items():
        size = _bytes(dtype, shape)
        arrays[name] = shard[offset : offset + size].view(dtype).reshape(shape)
        offset += _aligned(size)
    return arrays


def write_shard(folder: Path, name: str, pictures: Iterable[tuple[Stored, Arrays]]) -> Shard:
    """A new shard of these pictures, one in memory at a time; nothing is left of one that fails.

    OSError if the disk refuses.
    """
    unfinished, frames = folder / f"{UNFINISHED}{name}-{os.getpid()}", folder / f"{name}{FRAMES}"
    stored: list[Stored] = []
    digest, offset = hashlib.sha256(), 0
    try:
        with unfinished.open("wb") as stream:
            for one, arrays in pictures:
                stored.append(replace(one, offset=offset))
                for block in _blocks(one, arrays):
                    stream.write(block)
                    digest.update(block)
                    offset += len(block)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, frames)
        index = {"bytes": offset, "sha256": digest.hexdigest(), "stored": [asdict(one) for one in stored]}
        replace_file(frames.with_suffix(INDEX), json.dumps(index).encode())
    except OSError:
        frames.unlink(missing_ok=True)
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    return Shard(frames, tuple(stored))


def _blocks(stored: Stored, arrays: Arrays) -> Iterator[bytes]:
    for name, (dtype, shape) in array_shapes(stored.kind, stored.height, stored.width).items():
        block = np.ascontiguousarray(arrays[name], dtype).reshape(shape).tobytes()
        yield block + bytes(_aligned(len(block)) - len(block))


def read_index(path: Path) -> tuple[Shard, int, str] | None:
    """(shard, bytes, SHA-256) as an index says; None if it is damaged."""
    try:
        index = json.loads(path.read_bytes())
        stored = tuple(Stored(**one) for one in index["stored"])
        return Shard(path.with_suffix(FRAMES), stored), int(index["bytes"]), str(index["sha256"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def damage_of(shard: Shard, size: int, sha256: str) -> str:
    """What is wrong with the bytes of a shard; "" if nothing is."""
    try:
        found = shard.frames.stat().st_size
    except OSError:
        return "it is gone"
    if found != size:
        return f"it has {found} bytes instead of {size}"
    return "" if digest_path(shard.frames) == sha256 else "its SHA-256 is not the one of its index"


def remove_shard(index: Path) -> None:
    """Take a damaged shard away, index first."""
    index.unlink(missing_ok=True)
    index.with_suffix(FRAMES).unlink(missing_ok=True)


def shard_name(stored: Iterable[Stored]) -> str:
    """The name of a shard by what it holds."""
    return f"shard-{sha256_hex(' '.join(one.key for one in stored).encode())[:16]}"


@contextmanager
def only_builder(folder: Path) -> Iterator[None]:
    """Wait until no other process builds in this folder, then clear what a killed one left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as stream:
        if _is_locked(stream.fileno()):
            orphans = [one for one in folder.glob(f"*{FRAMES}") if not one.with_suffix(INDEX).exists()]
            for left in (*folder.glob(f"{UNFINISHED}*"), *orphans):
                left.unlink(missing_ok=True)
        yield


def _is_locked(descriptor: int) -> bool:
    """Wait for the lock, held until the file is closed. Without one two builders write the same bytes twice."""
    if os.name != "posix":
        return False
    import fcntl

    with suppress(OSError):  # some network file systems
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    return False


@contextmanager
def saying_what_is_needed(folder: Path, needed: int) -> Iterator[None]:
    """Turn the disk's refusal into CannotWrite with the bytes that the whole work needs."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotWrite(
            error.errno or errno.EIO,
            f"{folder}: the frame cache cannot be written ({reason}); it needs {needed} bytes ({needed / 2**30:.2f} "
            f"GiB). What is finished is kept; make room or choose another folder, then run the same command again",
        ) from error


def _bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return dtype.itemsize * int(np.prod(shape, dtype=np.int64))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
