"""The layers and numbers of a .caffemodel file: protobuf's wire format, read without Caffe or a schema compiler.

Of caffe.proto: NetParameter {100 layer}; LayerParameter {1 name, 7 blobs}; BlobProto {7 shape {1 dims}, 5 data,
or 1 num, 2 channels, 3 height, 4 width in old files}. All other fields are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NET_LAYER, LAYER_NAME, LAYER_BLOBS, BLOB_SHAPE, BLOB_DATA, SHAPE_DIMS = 100, 1, 7, 7, 5, 1
OLD_SHAPE = (1, 2, 3, 4)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10  # bytes of 64 bits


@dataclass(frozen=True)
class CaffeLayer:
    """A layer that holds numbers: finite float32 arrays in Caffe's order."""

    name: str
    blobs: tuple[NDArray[np.float32], ...]


class _Field(NamedTuple):
    number: int
    wire_type: int
    first: int  # of its value: bytes `first` to `last` - 1 of the file
    last: int


def caffe_layers(content: bytes) -> tuple[CaffeLayer, ...]:
    """The layers with numbers, in order. ValueError, with the place in bytes, for whatever is damaged."""
    layers = [
        _layer(content, field)
        for field in _fields(content, 0, len(content))
        if field.number == NET_LAYER and _is_bytes(field)
    ]
    return tuple(layer for layer in layers if layer.blobs)


def _layer(content: bytes, message: _Field) -> CaffeLayer:
    name, blobs = "", []
    for field in _fields(content, message.first, message.last):
        if field.number == LAYER_NAME and _is_bytes(field):
            name = content[field.first : field.last].decode(errors="replace")
        elif field.number == LAYER_BLOBS and _is_bytes(field):
            blobs.append(field)
    return CaffeLayer(name, tuple(_blob(content, blob, name) for blob in blobs))


def _blob(content: bytes, message: _Field, layer: str) -> NDArray[np.float32]:
    shape: list[int] = []
    old_shape = dict.fromkeys(OLD_SHAPE, 1)
    chunks = []
    for field in _fields(content, message.first, message.last):
        if field.number == BLOB_SHAPE and _is_bytes(field):
            shape += _dimensions(content, field)
        elif field.number in OLD_SHAPE and field.wire_type == VARINT:
            old_shape[field.number] = _varint(content, field.first, field.last)[0]
        elif field.number == BLOB_DATA:
            chunks.append(_floats(content, field))
    values = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    sides = shape or list(old_shape.values())
    if prod(sides) != values.size:
        size = "x".join(map(str, sides))
        raise ValueError(
            f"layer {layer!r}, byte {message.first}: {values.size} numbers for a shape of {size}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"layer {layer!r}, byte {message.first}: numbers that are not finite")
    return values.reshape(sides)


def _dimensions(content: bytes, message: _Field) -> Iterator[int]:
    """The sides of a shape, packed into one field or one field each."""
    for field in _fields(content, message.first, message.last):
        place = field.first
        while field.number == SHAPE_DIMS and place < field.last:
            side, place = _varint(content, place, field.last)
            yield side


def _floats(content: bytes, field: _Field) -> NDArray[np.float32]:
    if field.wire_type not in (BYTES, FIXED32) or (field.last - field.first) % 4:
        raise ValueError(f"byte {field.first}: {field.last - field.first} bytes are no list of float32")
    return np.frombuffer(content, "<f4", (field.last - field.first) // 4, field.first).astype(np.float32)


def _fields(content: bytes, place: int, end: int) -> Iterator[_Field]:
    """The fields of the message in bytes `place` to `end` - 1."""
    while place < end:
        start = place
        key, place = _varint(content, place, end)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            last = _varint(content, place, end)[1]
        elif wire_type == BYTES:
            length, place = _varint(content, place, end)
            last = place + length
        elif wire_type in FIXED_SIZES:
            last = place + FIXED_SIZES[wire_type]
        else:
            raise ValueError(
                f"byte {start}: wire type {wire_type} is unknown; the file is damaged or no caffemodel"
            )
        if number == 0:
            raise ValueError(f"byte {start}: field number 0; the file is damaged or no caffemodel")
        if last > end:
            raise ValueError(
                f"byte {start}: field {number} goes {last - end} bytes past the end; the file is cut off"
            )
        yield _Field(number, wire_type, place, last)
        place = last


def _varint(content: bytes, place: int, end: int) -> tuple[int, int]:
    """(value, place after it)."""
    value = 0
    for i in range(LONGEST_VARINT):
        if place + i >= end:
            raise ValueError(f"byte {place}: a number goes past the end; the file is cut off")
        byte = content[place + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, place + i + 1
    raise ValueError(f"byte {place}: a number of more than {LONGEST_VARINT} bytes; the file is damaged")


def _is_bytes(field: _Field) -> bool:
    if field.wire_type != BYTES:
        raise ValueError(
            f"byte {field.first}: field {field.number} has wire type {field.wire_type}, not {BYTES}"
        )
    return True
