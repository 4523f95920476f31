"""Writers of small camera files for tests: TIFF with any tags, DNG, EXIF blocks, JPEG segments, ICC profiles.

Independent of the code under test: `struct` and the formats' own documents only.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10
FORMATS = {BYTE: "B", SHORT: "H", LONG: "I", UNDEFINED: "B"}
Tags = Mapping[int, tuple[int, object]]


def _packed(type_code: int, value: object) -> tuple[int, bytes]:
    """(count, bytes) of a tag's value in little-endian order; a pair is a numerator and a denominator."""
    if type_code == ASCII:
        text = value if isinstance(value, bytes) else str(value).encode() + b"\0"
        return len(text), text
    is_fraction = type_code in (RATIONAL, SRATIONAL) and isinstance(value, tuple) and len(value) == 2
    values = [value] if is_fraction or not isinstance(value, (Sequence, np.ndarray)) else list(value)
    if type_code in (RATIONAL, SRATIONAL):
        letter = "I" if type_code == RATIONAL else "i"
        pairs = [
            v if isinstance(v, tuple) else Fraction(v).limit_denominator(10000).as_integer_ratio()
            for v in values
        ]
        return len(values), b"".join(struct.pack(f"<2{letter}", *pair) for pair in pairs)
    return len(values), struct.pack(f"<{len(values)}{FORMATS[type_code]}", *values)


def directory_bytes(tags: Tags, start: int, following: int = 0) -> bytes:
    """One image file directory at file offset `start`, its values right behind it."""
    entries, values = b"", b""
    values_start = start + 2 + 12 * len(tags) + 4
    for tag, (type_code, value) in sorted(tags.items()):
        count, packed = _packed(type_code, value)
        if len(packed) <= 4:
            field = packed.ljust(4, b"\0")
        else:
            field = struct.pack("<I", values_start + len(values))
            values += packed + b"\0" * (len(packed) % 2)
        entries += struct.pack("<HHI", tag, type_code, count) + field
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values


def tiff_bytes(tags: Tags, pixels: bytes = b"", exif: Tags | None = None, pages: int = 1) -> bytes:
    """A TIFF of equal pages with `pixels` in one strip (tags 273 and 279 are set here) and EXIF tags."""
    header = struct.pack("<2sHI", b"II", 42, 8 + len(pixels) + len(pixels) % 2)
    data = header + pixels + b"\0" * (len(pixels) % 2)
    tags = dict(tags)
    if pixels:
        tags |= {273: (LONG, 8), 279: (LONG, len(pixels))}
    for page in range(pages):
        page_tags = dict(tags)
        if exif is not None:
            page_tags[34665] = (LONG, 0)
            length = len(directory_bytes(page_tags, len(data)))
            page_tags[34665] = (LONG, len(data) + length)
            data += directory_bytes(page_tags, len(data)) + directory_bytes(exif, len(data) + length)
            continue
        length = len(directory_bytes(page_tags, len(data)))
        following = len(data) + length if page + 1 < pages else 0
        data += directory_bytes(page_tags, len(data), following)
    return data


def picture_tags(pixels: np.ndarray, photometric: int = 2) -> dict[int, tuple[int, object]]:
    """The baseline TIFF tags of an HxW or HxWxC array."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    tags: dict[int, tuple[int, object]] = {
        256: (LONG, pixels.shape[1]),
        257: (LONG, pixels.shape[0]),
        258: (SHORT, [8 * pixels.itemsize] * channels),
        259: (SHORT, 1),
        262: (SHORT, photometric),
        277: (SHORT, channels),
        278: (LONG, pixels.shape[0]),
        339: (SHORT, [3 if pixels.dtype.kind == "f" else 1] * channels),
    }
    return tags


def dng_bytes(
    mosaic: np.ndarray,
    *,
    black: int = 512,
    white: int = 15871,
    neutral: tuple[float, float, float] = (1.0, 1.0, 1.0),
    orientation: int = 1,
    exif: Tags | None = None,
) -> bytes:
    """An uncompressed RGGB DNG of an HxW uint16 mosaic whose camera colours are linear sRGB (DNG 1.4)."""
    xyz_to_srgb = [3.2404542, -1.5371385, -0.4985314, -0.969266, 1.8760108, 0.041556]
    xyz_to_srgb += [0.0556434, -0.2040259, 1.0572252]
    tags = picture_tags(mosaic, photometric=32803) | {
        254: (LONG, 0),
        271: (ASCII, "Test"),
        272: (ASCII, "Mosaic"),
        274: (SHORT, orientation),
        33421: (SHORT, [2, 2]),
        33422: (BYTE, [0, 1, 1, 2]),
        50706: (BYTE, [1, 4, 0, 0]),
        50707: (BYTE, [1, 1, 0, 0]),
        50708: (ASCII, "Test Mosaic"),
        50714: (SHORT, black),
        50717: (LONG, white),
        50721: (SRATIONAL, xyz_to_srgb),
        50728: (RATIONAL, neutral),
        50778: (SHORT, 21),
    }
    del tags[339]
    return tiff_bytes(tags, mosaic.astype("<u2").tobytes(), exif or {33434: (RATIONAL, (1, 60))})


def monochrome_dng_bytes(levels: np.ndarray, *, black: int = 512, white: int = 15871) -> bytes:
    """A DNG of a sensor without colour filters: HxW uint16 (DNG 1.4, LinearRaw with one sample)."""
    tags = picture_tags(levels, photometric=34892) | {
        254: (LONG, 0),
        271: (ASCII, "Test"),
        272: (ASCII, "Monochrome"),
        50706: (BYTE, [1, 4, 0, 0]),
        50708: (ASCII, "Test Monochrome"),
        50714: (SHORT, black),
        50717: (LONG, white),
    }
    del tags[339]
    return tiff_bytes(tags, levels.astype("<u2").tobytes(), {33434: (RATIONAL, (1, 60))})


def exif_block(exif: Tags, main: Tags | None = None) -> bytes:
    """A TIFF block of EXIF tags as JPEG's APP1 and PNG's eXIf hold it."""
    return tiff_bytes(main or {}, exif=exif)


def jpeg_with(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """`jpeg` with further marker segments (marker byte, payload) behind its start marker."""
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return jpeg[:2] + extra + jpeg[2:]


def jpeg_with_exif(jpeg: bytes, block: bytes) -> bytes:
    return jpeg_with(jpeg, (0xE1, b"Exif\0\0" + block))


def pillow_bytes(pixels: np.ndarray, format_name: str, mode: str | None = None, **options: object) -> bytes:
    """An array written by Pillow, in another colour mode if one is named."""
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, format_name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


ADOBE_RGB_D50 = np.array(  # Adobe RGB (1998), Bradford-adapted colorants, one column per channel
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)


def matrix_profile(colorants: np.ndarray, curve: bytes, extra: Mapping[bytes, bytes] | None = None) -> bytes:
    """An RGB display profile of three XYZ colorants (columns, D50) and one tone curve tag (ICC.1:2004)."""

    def xyz(values: Sequence[float] | np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))

    text = b"text\0\0\0\0test\0"
    tags = {b"desc": b"desc" + b"\0" * 4 + struct.pack(">I", 5) + b"test\0" + b"\0" * 78, b"cprt": text}
    tags |= {b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    for band, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = xyz(colorants[:, band])
        tags[letter + b"TRC"] = curve
    return profile_bytes(b"RGB ", tags | dict(extra or {}))


def grey_profile(curve: bytes) -> bytes:
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return profile_bytes(b"GRAY", {b"wtpt": white, b"kTRC": curve})


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def profile_bytes(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """Header, tag table and tag data of an ICC v2 profile."""
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for signature, value in tags.items():
        padded = value + b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", signature, start + len(body), len(value))
        body += padded
    header = bytearray(128)
    struct.pack_into(
        ">I4sI4s4s4s", header, 0, start + len(body), b"none", 0x02400000, b"mntr", space, b"XYZ "
    )
    struct.pack_into(">4s", header, 36, b"acsp")
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    return bytes(header) + struct.pack(">I", len(tags)) + table + body
