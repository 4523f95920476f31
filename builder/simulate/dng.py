"""A minimal DNG: one uncompressed 16-bit strip of Bayer data and the tags that raw developers need."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np

from builder.simulate.camera import SENSOR, Sensor
from builder.simulate.exif import Shot

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10
# XYZ (D65) to linear sRGB, IEC 61966-2-1: the simulated sensor has exactly these primaries.
XYZ_TO_RGB = (
    3.2404542,
    -1.5371385,
    -0.4985314,
    -0.969266,
    1.8760108,
    0.041556,
    0.0556434,
    -0.2040259,
    1.0572252,
)
Entry = tuple[int, int, int, bytes]


def _numbers(tag: int, kind: int, *values: int) -> Entry:
    code = {BYTE: "B", SHORT: "H", LONG: "I"}[kind]
    return tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values)


def _fractions(tag: int, kind: int, *values: Fraction) -> Entry:
    code = "<2I" if kind == RATIONAL else "<2i"
    return tag, kind, len(values), b"".join(struct.pack(code, v.numerator, v.denominator) for v in values)


def _text(tag: int, value: str) -> Entry:
    data = value.encode("ascii") + b"\0"
    return tag, ASCII, len(data), data


def _directory(entries: list[Entry], start: int) -> bytes:
    """A TIFF directory at offset `start`, its longer values behind it (TIFF 6.0, section 2)."""
    table, values = struct.pack("<H", len(entries)), b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, data in sorted(entries):
        if len(data) > 4:
            field = struct.pack("<I", behind + len(values))
            values += data + b"\0" * (len(data) % 2)
        else:
            field = data.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, count) + field
    return table + struct.pack("<I", 0) + values


def _exif_entries(shot: Shot) -> list[Entry]:
    moment = shot.captured_at.strftime("%Y:%m:%d %H:%M:%S")
    return [
        _fractions(0x829A, RATIONAL, shot.seconds),
        _fractions(0x829D, RATIONAL, shot.f_number),
        _numbers(0x8822, SHORT, 1 if shot.manual else 3),
        _numbers(0x8827, SHORT, shot.iso),
        (0x9000, UNDEFINED, 4, b"0231"),
        _text(0x9003, moment),
        _text(0x9011, shot.offset),
        _fractions(0x9204, SRATIONAL, shot.bias),
        _fractions(0x920A, RATIONAL, shot.focal_length),
        _text(0x9291, f"{shot.captured_at.microsecond // 10000:02d}"),
        _numbers(0xA403, SHORT, 1),
        _text(0xA431, shot.serial),
        _text(0xA434, shot.lens),
    ]


def _image_entries(shot: Shot, width: int, height: int, sensor: Sensor) -> list[Entry]:
    matrix = [Fraction(round(value * 10_000_000), 10_000_000) for value in XYZ_TO_RGB]
    one = Fraction(1)
    return [
        _numbers(254, LONG, 0),  # full-resolution image
        _numbers(256, LONG, width),
        _numbers(257, LONG, height),
        _numbers(258, SHORT, 16),
        _numbers(259, SHORT, 1),  # uncompressed
        _numbers(262, SHORT, 32803),  # colour filter array
        _text(271, shot.maker),
        _text(272, shot.model),
        _numbers(274, SHORT, shot.orientation),
        _numbers(277, SHORT, 1),
        _numbers(278, LONG, height),
        _numbers(279, LONG, 2 * width * height),
        _numbers(284, SHORT, 1),
        _text(305, f"{shot.model} Ver. 1.10"),
        _text(306, shot.captured_at.strftime("%Y:%m:%d %H:%M:%S")),
        _numbers(33421, SHORT, 2, 2),
        _numbers(33422, BYTE, 0, 1, 1, 2),  # RGGB
        _numbers(50706, BYTE, 1, 4, 0, 0),
        _numbers(50707, BYTE, 1, 1, 0, 0),
        _text(50708, f"{shot.maker} {shot.model}"),
        _numbers(50714, SHORT, sensor.black),
        _numbers(50717, SHORT, sensor.white),
        _fractions(50721, SRATIONAL, *matrix),
        _fractions(50728, RATIONAL, one, one, one),  # AsShotNeutral
        _numbers(50778, SHORT, 21),  # D65
    ]


def encode_dng(mosaic: np.ndarray, shot: Shot, sensor: Sensor = SENSOR) -> bytes:
    """DNG 1.4 file of an RGGB mosaic (uint16, h x w, both even)."""
    height, width = mosaic.shape
    image = _image_entries(shot, width, height, sensor)
    pointers = [_numbers(273, LONG, 0), _numbers(34665, LONG, 0)]
    exif_start = 8 + len(_directory(image + pointers, 8))
    exif = _directory(_exif_entries(shot), exif_start)
    strip = exif_start + len(exif)
    pointers = [_numbers(273, LONG, strip), _numbers(34665, LONG, exif_start)]
    header = struct.pack("<2sHI", b"II", 42, 8)
    return header + _directory(image + pointers, 8) + exif + mosaic.astype("<u2").tobytes()
