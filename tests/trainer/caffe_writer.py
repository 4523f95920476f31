"""Writes protobuf's wire format, as much as a .caffemodel has of it, for trainer/exchange/caffe_wire.py to read."""

from __future__ import annotations

import struct

import numpy as np


def varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(digits + bytearray([value]))


def field(number: int, content: bytes | str | int) -> bytes:
    """A length-delimited field, or a varint if `content` is a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values: np.ndarray, *, old_shape: bool = False, packed: bool = True) -> bytes:
    if old_shape:
        sides = (1,) * (4 - values.ndim) + values.shape
        shape = b"".join(field(i + 1, side) for i, side in enumerate(sides))
    elif packed:
        shape = field(7, field(1, b"".join(map(varint, values.shape))))
    else:
        shape = field(7, b"".join(field(1, side) for side in values.shape))
    numbers = values.astype("<f4").ravel()
    if packed:
        return shape + field(5, numbers.tobytes())
    return shape + b"".join(varint(5 << 3 | 5) + struct.pack("<f", number) for number in numbers)


def layer(name: str, *blobs: bytes, more: bytes = b"") -> bytes:
    content = field(1, name) + field(2, "Convolution") + b"".join(field(7, one) for one in blobs) + more
    return field(100, content)
