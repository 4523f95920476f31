"""What a photograph's file says beside its pixels: EXIF, XMP, IPTC, resolution: from one file into another.

libvips writes EXIF into JPEG and PNG (and mends the offsets inside maker notes), but none into TIFF: there Pillow's
directory writer adds it to the finished file.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyvips
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from builder.images import ImageHeader

# Of the first directory what describes the photograph; the rest says, in TIFF and RAW files, how pixels are stored.
DESCRIPTIVE = frozenset(
    {
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.Software,
        ExifTags.Base.DateTime,
        ExifTags.Base.Artist,
        ExifTags.Base.HostComputer,
        ExifTags.Base.Copyright,
        ExifTags.Base.Rating,
        ExifTags.Base.XPTitle,
        ExifTags.Base.XPComment,
        ExifTags.Base.XPAuthor,
        ExifTags.Base.XPKeywords,
        ExifTags.Base.XPSubject,
    }
)
MAKER_NOTE = int(ExifTags.Base.MakerNote)
SIZES = (int(ExifTags.Base.ExifImageWidth), int(ExifTags.Base.ExifImageHeight))
FIRST_DIRECTORY = 8  # where it begins behind the eight bytes of a TIFF header
JPEG_EXIF_BYTES = 65_000  # a segment holds 65,533
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>\s*))[1-8]""")
# Pillow promises nothing about damaged tags; these are what unpacking and packing such bytes can raise
EXIF_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError, struct.error)

Tags = Mapping[int, Any]


@dataclass(frozen=True)
class Metadata:
    """`exif`: a TIFF block as JPEG and PNG hold it, its orientation and sizes still the source's; b"" = none."""

    exif: bytes = b""
    blobs: Mapping[str, bytes] = field(default_factory=dict)  # XMP and IPTC by libvips' names
    pixels_per_mm: tuple[float, float] | None = None


def read_metadata(data: bytes, header: ImageHeader) -> Metadata:
    """From a file's bytes; damaged parts are left out: a photograph is worth more than its notes."""
    block = data[header.exif_start : header.exif_start + header.exif_length]
    if header.kind == "raw":
        return Metadata(_descriptive_block(block))
    block = _descriptive_block(block) if header.kind == "tiff" or len(block) > JPEG_EXIF_BYTES else block
    try:
        source = pyvips.Image.new_from_buffer(data, "")
    except pyvips.Error:
        return Metadata(_without_thumbnail(block))
    names = {"xmp-data", "iptc-data"} & set(source.get_fields())
    blobs = {name: bytes(source.get(name)) for name in names}
    if "xmp-data" in blobs:
        blobs["xmp-data"] = XMP_ORIENTATION.sub(rb"\g<1>1", blobs["xmp-data"])
    return Metadata(_without_thumbnail(block), blobs, (source.xres, source.yres))


def _without_thumbnail(block: bytes) -> bytes:
    """The first directory is made the last: the second is a small picture of the unenhanced photograph."""
    order = ">" if block[:2] == b"MM" else "<"
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
    except struct.error:
        return block
    following = start + 2 + 12 * entries
    return block[:following] + bytes(4) + block[following + 4 :]


def with_metadata(image: pyvips.Image, metadata: Metadata) -> pyvips.Image:
    """The same picture carrying the notes, marked as upright."""
    carrying = image.copy(**_resolution(metadata))
    blobs = dict(metadata.blobs) | ({"exif-data": metadata.exif} if metadata.exif else {})
    for name, blob in blobs.items():
        carrying.set_type(pyvips.GValue.blob_type, name, blob)
    carrying.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return carrying


def _resolution(metadata: Metadata) -> dict[str, float]:
    return dict(zip(("xres", "yres"), metadata.pixels_per_mm, strict=True)) if metadata.pixels_per_mm else {}


def tiff_with_exif(tiff: bytes, metadata: Metadata) -> bytes:
    """A TIFF file of one page (not BigTIFF) with the tags of `metadata.exif`.

    Behind the file come these tags, then a new first directory: the old entries as they are, and the new ones.
    """
    start = len(tiff) + len(tiff) % 2
    added = _directory(_descriptive_tags(metadata.exif), tiff[:FIRST_DIRECTORY], start)
    if not added:
        return tiff
    order = ">" if tiff[:2] == b"MM" else "<"
    entries = _entries(added, 0, order) | _entries(tiff, struct.unpack_from(f"{order}I", tiff, 4)[0], order)
    merged = [struct.pack(f"{order}H", len(entries)), *(entries[tag] for tag in sorted(entries)), bytes(4)]
    added += bytes(len(added) % 2)
    header = tiff[:4] + struct.pack(f"{order}I", start + len(added))
    return b"".join((header, memoryview(tiff)[FIRST_DIRECTORY:], bytes(len(tiff) % 2), added, *merged))


def _entries(data: bytes, start: int, order: str) -> dict[int, bytes]:
    """The 12 bytes of each entry of the directory at `start`, by tag (TIFF 6.0, section 2)."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    positions = (start + 2 + 12 * index for index in range(count))
    return {struct.unpack_from(f"{order}H", data, at)[0]: data[at : at + 12] for at in positions}


def _descriptive_block(block: bytes) -> bytes:
    """A TIFF block of the descriptive tags alone; the maker's notes only where they fit into a JPEG."""
    tags = _descriptive_tags(block)
    packed = _packed(tags, block)
    if len(packed) > JPEG_EXIF_BYTES:
        exif = {tag: value for tag, value in tags[ExifTags.IFD.Exif].items() if tag != MAKER_NOTE}
        packed = _packed({**tags, int(ExifTags.IFD.Exif): exif}, block)
    return packed if len(packed) <= JPEG_EXIF_BYTES else b""


def _packed(tags: Tags, block: bytes) -> bytes:
    """A TIFF block in the byte order of `block`: maker notes often rely on it."""
    head = b"MM\0*\0\0\0\x08" if block[:2] == b"MM" else b"II*\0\x08\0\0\0"
    directory = _directory(tags, head, FIRST_DIRECTORY)
    return head + directory if directory else b""


def _directory(tags: Tags, head: bytes, start: int) -> bytes:
    """A directory for file offset `start`, its values behind it; b"" if there are none or they cannot be written."""
    directory = ImageFileDirectory_v2(head)
    try:
        for tag, value in tags.items():
            directory[tag] = value
        return directory.tobytes(start) if tags else b""
    except EXIF_ERRORS:
        return b""


def _descriptive_tags(block: bytes) -> dict[int, Any]:
    """Descriptive tags of the first directory, and the directories of EXIF and GPS as dictionaries; {} if damaged."""
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(block)
            tags: dict[int, Any] = {tag: _text(value) for tag, value in exif.items() if tag in DESCRIPTIVE}
            for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                inside = {
                    tag: _text(value) for tag, value in exif.get_ifd(directory).items() if tag not in SIZES
                }
                if directory == ExifTags.IFD.Exif and ExifTags.IFD.Interop in inside:
                    inside[int(ExifTags.IFD.Interop)] = dict(exif.get_ifd(ExifTags.IFD.Interop))
                if inside:
                    tags[int(directory)] = inside
    except EXIF_ERRORS:
        return {}
    return tags


def _text(value: Any) -> Any:
    """Pillow reads texts as Latin-1 and writes ASCII: the bytes, whatever they encode, go back as they were."""
    return value.encode("latin-1", "replace") if isinstance(value, str) and not value.isascii() else value
