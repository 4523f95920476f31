"""OpenEXR, as much as linear pictures need: one part, scan lines, half floats B G R, ZIP compression.

After "OpenEXR File Layout" (openexr.com). Written files open in every program that reads OpenEXR; read are
those of this writer, anything else is refused with a sentence.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAGIC = b"v/1\x01"
VERSION = 2
ROWS_PER_BLOCK = 16  # of ZIP_COMPRESSION
ZIP, HALF = 3, 1
LARGEST = 65504.0  # of a half float
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # red, green, blue, white: x, y
ZLIB_LEVEL = 6


@dataclass(frozen=True, eq=False)
class LinearPicture:
    """HxWx3 float32, linear Rec.709, and the file's text attributes."""

    pixels: NDArray[np.float32]
    texts: Mapping[str, str] = field(default_factory=dict)


def encode_exr(picture: LinearPicture) -> bytes:
    """The picture as half floats; values beyond 65504 are clipped. ValueError unless HxWx3, finite and >= 0."""
    pixels = picture.pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"a linear picture is HxWx3, got {pixels.shape}")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0):
        raise ValueError("a linear picture holds finite light, zero or more")
    height, width = pixels.shape[:2]
    blocks = []
    for top in range(0, height, ROWS_PER_BLOCK):
        raw = _scan_lines(pixels[top : top + ROWS_PER_BLOCK])
        packed = zlib.compress(_predicted(raw), ZLIB_LEVEL)
        packed = packed if len(packed) < len(raw) else raw
        blocks.append(struct.pack("<ii", top, len(packed)) + packed)
    header = _header(width, height, picture.texts)
    sizes = np.array([len(block) for block in blocks], np.uint64)
    offsets = len(header) + 8 * len(blocks) + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.uint64)
    return b"".join([header, offsets.astype("<u8").tobytes(), *blocks])


def decode_exr(data: bytes, *, name: str) -> LinearPicture:
    """A picture that `encode_exr` wrote; ValueError for other kinds of OpenEXR and for damaged files."""
    try:
        attributes, position = _attributes(data)
        left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"][1])
        kind = attributes["compression"][1], attributes["channels"][1], (left, top)
        is_ours = kind == (bytes([ZIP]), _channels(), (0, 0))
        pixels = _rows(data, position, right + 1, bottom + 1) if is_ours else None
    except (struct.error, zlib.error, LookupError, ValueError) as error:
        raise ValueError(f"{name}: this OpenEXR file is damaged ({error}); export it again") from error
    if pixels is None:
        raise ValueError(f"{name}: this OpenEXR is not one of half floats R, G, B with ZIP compression")
    texts = {key: value.decode() for key, (kind, value) in attributes.items() if kind == "string"}
    return LinearPicture(pixels, texts)


def _scan_lines(pixels: NDArray[np.float32]) -> bytes:
    """Half floats line by line, in each the channels in the order of their names: B, G, R."""
    planes = np.minimum(pixels[..., ::-1], np.float32(LARGEST)).astype("<f2").transpose(0, 2, 1)
    return np.ascontiguousarray(planes).tobytes()


def _predicted(raw: bytes) -> bytes:
    """Low and high bytes apart, then each as the difference to the one before: what ZIP packs well."""
    split = np.frombuffer(raw, np.uint8)
    split = np.concatenate([split[0::2], split[1::2]])
    out = split.copy()
    out[1:] = split[1:] - split[:-1] + np.uint8(128)
    return out.tobytes()


def _restored(packed: bytes) -> bytes:
    steps = np.frombuffer(packed, np.uint8).copy()
    steps[1:] -= np.uint8(128)
    split = np.cumsum(steps, dtype=np.uint8)
    middle = (len(split) + 1) // 2
    out = np.empty_like(split)
    out[0::2], out[1::2] = split[:middle], split[middle:]
    return out.tobytes()


def _header(width: int, height: int, texts: Mapping[str, str]) -> bytes:
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        ("channels", "chlist", _channels()),
        ("chromaticities", "chromaticities", struct.pack("<8f", *REC709)),
        ("compression", "compression", bytes([ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *((key, "string", text.encode()) for key, text in sorted(texts.items())),
    ]
    packed = [
        f"{key}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value for key, kind, value in attributes
    ]
    return MAGIC + struct.pack("<i", VERSION) + b"".join(packed) + b"\0"


def _channels() -> bytes:
    return b"".join(f"{name}\0".encode() + struct.pack("<iiii", HALF, 0, 1, 1) for name in "BGR") + b"\0"


def _attributes(data: bytes) -> tuple[dict[str, tuple[str, bytes]], int]:
    """Attributes by name as (type, value), and where the header ends."""
    if data[:4] != MAGIC or struct.unpack_from("<i", data, 4)[0] != VERSION:
        raise KeyError("no OpenEXR 2 header")
    found, position = {}, 8
    while data[position]:
        key, kind = data[position : position + 512].split(b"\0", 2)[:2]
        position += len(key) + len(kind) + 2
        size = struct.unpack_from("<i", data, position)[0]
        found[key.decode()] = kind.decode(), data[position + 4 : position + 4 + size]
        position += 4 + size
    return found, position + 1


def _rows(data: bytes, position: int, width: int, height: int) -> NDArray[np.float32]:
    pixels = np.empty((height, width, 3), np.float32)
    count = -(-height // ROWS_PER_BLOCK)
    for offset in struct.unpack_from(f"<{count}Q", data, position):
        top, size = struct.unpack_from("<ii", data, offset)
        rows = min(ROWS_PER_BLOCK, height - top)
        packed = data[offset + 8 : offset + 8 + size]
        raw = packed if size == rows * width * 6 else _restored(zlib.decompress(packed))
        planes = np.frombuffer(raw, "<f2").reshape(rows, 3, width)
        pixels[top : top + rows] = planes.transpose(0, 2, 1)[..., ::-1]
    return pixels
