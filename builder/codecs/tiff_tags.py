"""A strict reader of TIFF directories: the part of TIFF, EXIF and RAW headers that decides what a file is.

It reads only what lies inside the bytes and follows no directory twice. Source: TIFF 6.0, sections 2 and 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
INTEGER_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
MAX_DIRECTORIES = 64
PLAUSIBLE_TAG_BYTES = 1 << 26  # a longer value is garbage rather than cut off

NEW_SUBFILE_TYPE, WIDTH, HEIGHT, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES_PER_PIXEL, STRIP_BYTE_COUNTS = 273, 274, 277, 279
TILE_OFFSETS, TILE_BYTE_COUNTS, SUB_IFDS, SAMPLE_FORMAT = 324, 325, 330, 339
ICC_PROFILE, EXIF_IFD, INTEROP_IFD, DNG_VERSION = 34675, 34665, 40965, 50706


class TiffDamage(ValueError):
    """A TIFF structure that points outside its bytes (`truncated`) or contradicts itself."""

    def __init__(self, found: str, *, truncated: bool = False) -> None:
        super().__init__(found)
        self.truncated = truncated


@dataclass(frozen=True)
class TiffField:
    """Where the values of one tag lie: `count` values of TIFF type `type_code` from byte `start` on."""

    type_code: int
    count: int
    start: int


@dataclass(frozen=True)
class TiffDirectory:
    """One image file directory (IFD) of `data`, whose byte order is `order` ("<" or ">")."""

    data: bytes
    order: str
    fields: Mapping[int, TiffField]
    next_offset: int

    def integers(self, tag: int) -> tuple[int, ...]:
        """All values of an integer tag; empty if the tag is missing or of another type."""
        field = self.fields.get(tag)
        if field is None or field.type_code not in INTEGER_CODES:
            return ()
        return struct.unpack_from(
            f"{self.order}{field.count}{INTEGER_CODES[field.type_code]}", self.data, field.start
        )

    def integer(self, tag: int, default: int) -> int:
        """First value of an integer tag, or `default`."""
        values = self.integers(tag)
        return values[0] if values else default

    def raw_bytes(self, tag: int) -> bytes:
        """The undecoded bytes of a tag; empty if it is missing."""
        field = self.fields.get(tag)
        if field is None:
            return b""
        return self.data[field.start : field.start + field.count * TYPE_SIZES[field.type_code]]


def byte_order(data: bytes) -> str | None:
    """ "<" or ">" if `data` begins like a TIFF or a RAW of the same build, else None."""
    return {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))


def read_directory(data: bytes, order: str, offset: int) -> TiffDirectory:
    """The directory at byte `offset`; TiffDamage if it or one of its values lies outside `data`."""
    if offset < 8 or offset + 2 > len(data):
        raise TiffDamage(
            f"tags that should begin at byte {offset} of {len(data)} bytes", truncated=offset + 2 > len(data)
        )
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    end = offset + 2 + 12 * count
    if end > len(data):
        raise TiffDamage(f"{count} tags that should end at byte {end} of {len(data)} bytes", truncated=True)
    fields: dict[int, TiffField] = {}
    for position in range(offset + 2, end, 12):
        tag, type_code, number = struct.unpack_from(f"{order}HHI", data, position)
        size = TYPE_SIZES.get(type_code, 0) * number
        if size == 0:
            continue  # unknown types are to be skipped (TIFF 6.0, page 16)
        start = position + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, position + 8)[0]
        if start + size > len(data):
            found = f"a tag {tag} of {size} bytes from byte {start} of {len(data)} bytes"
            raise TiffDamage(found, truncated=size < PLAUSIBLE_TAG_BYTES)
        fields.setdefault(tag, TiffField(type_code, number, start))
    following = struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0
    return TiffDirectory(data, order, fields, following)


def first_directory(data: bytes) -> TiffDirectory:
    """The directory that the TIFF header points to."""
    order = byte_order(data)
    if order is None or len(data) < 8:
        raise TiffDamage(f"no TIFF header in its {len(data)} bytes", truncated=len(data) < 8)
    return read_directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])


def walk_directories(data: bytes) -> Iterator[TiffDirectory]:
    """The chained directories of a TIFF in order (the pages and thumbnails), without sub-directories."""
    directory = first_directory(data)
    yield directory
    seen = {0}
    while directory.next_offset not in seen and len(seen) <= MAX_DIRECTORIES:
        seen.add(directory.next_offset)
        directory = read_directory(data, directory.order, directory.next_offset)
        yield directory


def all_directories(data: bytes) -> Iterator[TiffDirectory]:
    """The chained directories, each followed by its SubIFDs: RAW files keep their sensor data there."""
    for directory in walk_directories(data):
        yield directory
        for offset in directory.integers(SUB_IFDS)[:MAX_DIRECTORIES]:
            yield read_directory(data, directory.order, offset)


def missing_pixel_bytes(directory: TiffDirectory) -> int:
    """How many bytes the strips or tiles of this directory reach beyond the end of the file; 0 if none."""
    end = 0
    for offsets_tag, counts_tag in ((STRIP_OFFSETS, STRIP_BYTE_COUNTS), (TILE_OFFSETS, TILE_BYTE_COUNTS)):
        pairs = zip(directory.integers(offsets_tag), directory.integers(counts_tag), strict=False)
        end = max([end, *(offset + count for offset, count in pairs)])
    return max(0, end - len(directory.data))
