"""JPEG files without what they tell about camera, place and person, their pixels bit for bit as they were.

Kept is only what a decoder needs: tables, frame, scans, the JFIF marker (without thumbnail) and Adobe's, which
says how colors are coded. EXIF, XMP, IPTC, profiles, maker notes, comments, and whatever follows the picture
(further pictures of phones and panoramas bring EXIF of their own) are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from builder.codecs.unreadable_image import corrupt, truncated

SOI, EOI, SOS, COMMENT, ADOBE = 0xD8, 0xD9, 0xDA, 0xFE, 0xEE
APPLICATION = range(0xE0, 0xF0)
RESTARTS = range(0xD0, 0xD8)
JFIF_BYTES = 14  # "JFIF\0", version, units, two densities, two thumbnail sizes
ADOBE_BYTES = 12


def without_metadata(data: bytes, *, name: str) -> bytes:
    """The same JPEG reduced to its picture; UnreadableImage if its structure is damaged.

    A color profile goes too: strip only pictures whose colors are sRGB.
    """
    return b"".join(_picture_parts(data, name))


def _picture_parts(data: bytes, name: str) -> Iterator[bytes]:
    yield b"\xff\xd8"
    position = 2
    while True:
        position = _next_marker(data, position, name)
        marker = data[position + 1]
        if marker == EOI:
            yield b"\xff\xd9"
            return
        length = _segment_length(data, position, name)
        end = position + 2 + length
        yield _kept(marker, data[position + 4 : end])
        position = end
        if marker == SOS:
            end = _end_of_scan(data, position, name)
            yield data[position:end]
            position = end


def _next_marker(data: bytes, position: int, name: str) -> int:
    """Where the next marker begins, behind fill bytes (T.81, B.1.1.2)."""
    if data[position : position + 1] not in (b"\xff", b""):
        raise corrupt(name, f"byte {position} of this JPEG should start a segment and does not")
    while data[position + 1 : position + 2] == b"\xff":
        position += 1
    if position + 2 > len(data):
        raise truncated(name, f"this JPEG ends after {len(data)} bytes, before its end marker")
    return position


def _segment_length(data: bytes, position: int, name: str) -> int:
    if position + 4 > len(data):
        raise truncated(name, f"this JPEG ends after {len(data)} bytes, inside a segment")
    length = int(struct.unpack_from(">H", data, position + 2)[0])
    if length < 2 or position + 2 + length > len(data):
        raise corrupt(name, f"a segment of this JPEG at byte {position} has the impossible length {length}")
    return length


def _kept(marker: int, payload: bytes) -> bytes:
    """The segment as it goes out; empty if it is not needed to decode."""
    if marker == APPLICATION[0] and payload.startswith(b"JFIF\0") and len(payload) >= JFIF_BYTES:
        payload = payload[: JFIF_BYTES - 2] + b"\0\0"
    elif marker == ADOBE and payload.startswith(b"Adobe") and len(payload) >= ADOBE_BYTES:
        payload = payload[:ADOBE_BYTES]
    elif marker in APPLICATION or marker == COMMENT:
        return b""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _end_of_scan(data: bytes, position: int, name: str) -> int:
    """The first marker behind entropy-coded data: 0xFF not followed by a stuffed zero or a restart."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise truncated(name, f"this JPEG ends after {len(data)} bytes, in the middle of its pixels")
        following = data[position + 1]
        if following == 0xFF:
            position += 1
        elif following and following not in RESTARTS:
            return position
        else:
            position += 2
