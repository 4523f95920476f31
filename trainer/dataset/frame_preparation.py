"""What becomes of one file of a dataset before crops are taken from it: decoded, resized, split, made small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.dataset.finished import Pair
from builder.images import decode_image, read_bytes
from trainer.dataset.frame_shards import LIGHT, PICTURE, PICTURE_AND_BASE, Arrays, Stored, stored_bytes
from trainer.dataset.manifest import hdr_path
from trainer.dataset.merged_light import read_light
from trainer.inputs import THUMBNAIL_SIDE
from trainer.preprocessing.eight_bits import eight_bits
from trainer.preprocessing.grey_levels import grey_levels
from trainer.preprocessing.resize import area_resized, short_side_resized, short_side_size, third_resized

VERSION = 1  # of what is computed here: a higher one makes all caches anew
LARGEST_BASE = 65535  # = 1
HDR_OFFSET = np.float32(1 / 255)  # of the logarithm, which is finite where there is no light


@dataclass(frozen=True)
class Preparation:
    """What is done to whole frames before crops are taken; part of the cache's key.

    resize: "short_side" (area, to `short_side`, never enlarged), "third" (the seed's: cropped to multiples of 3,
    bicubic 1/3 rounded to 8 bits) or "none". base: the WLS base is made too. hdr: the linear picture too.
    """

    resize: str = "short_side"
    short_side: int = 512
    base: bool = False
    hdr: bool = False

    @property
    def kind(self) -> str:
        """What is stored of a picture."""
        return PICTURE_AND_BASE if self.base else PICTURE

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of a prepared frame."""
        if self.resize == "third":
            return height // 3, width // 3
        return (
            short_side_size(height, width, self.short_side)
            if self.resize == "short_side"
            else (height, width)
        )

    def key(self, kind: str, sha256: str) -> str:
        """Name of the content that this preparation makes of a file."""
        resize = f"{self.resize}-{self.short_side}" if self.resize == "short_side" else self.resize
        return f"{sha256} {kind} {resize} v{VERSION}"

    def resized(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """HxWx3 -> a prepared frame."""
        if self.resize == "third":
            return third_resized(picture)
        return short_side_resized(picture, self.short_side) if self.resize == "short_side" else picture


@dataclass(frozen=True)
class Source:
    """A file of the dataset and what it will be in the cache: its size is known before it is read."""

    stored: Stored
    scene: str
    path: str
    sha256: str
    height: int
    width: int

    @property
    def stored_bytes(self) -> int:
        """What it will take in a shard."""
        return stored_bytes(self.stored.kind, self.stored.height, self.stored.width)


def sources_of(
    pairs: Sequence[Pair], preparation: Preparation, lights: Mapping[str, str]
) -> dict[str, Source]:
    """All that these pairs need, by key: files of the same content are prepared once."""
    return {one.stored.key: one for pair in pairs for one in _files_of(pair, preparation, lights)}


def _files_of(pair: Pair, preparation: Preparation, lights: Mapping[str, str]) -> Iterator[Source]:
    def source(kind: str, path: str, sha256: str) -> Source:
        height, width = preparation.size(pair.height, pair.width)
        stored = Stored(preparation.key(kind, sha256), kind, height, width)
        return Source(stored, pair.scene, path, sha256, pair.height, pair.width)

    yield source(preparation.kind, pair.input, pair.input_sha256)
    yield source(preparation.kind, pair.reference, pair.reference_sha256)
    if pair.scene in lights:
        yield source(LIGHT, hdr_path(pair.split, pair.scene), lights[pair.scene])


def prepared(dataset: Path, source: Source, preparation: Preparation) -> tuple[Stored, Arrays]:
    """The arrays of one file. ValueError (UnreadableImage) if it cannot be decoded or is not as the manifest says."""
    if source.stored.kind == LIGHT:
        light = read_light(dataset, source.path, source.sha256)
        _require_size(light, source)
        return source.stored, {"hdr": _log_light(light, preparation)}
    picture = decode_image(read_bytes(dataset / source.path), name=source.path)
    _require_size(picture, source)
    return _prepared_picture(picture, source.stored, preparation)


def linear_light(stored: NDArray[np.float16]) -> NDArray[np.float32]:
    """E of the stored ln(E + 1/255), never negative."""
    return np.maximum(np.exp(stored.astype(np.float32)) - HDR_OFFSET, 0)


def _require_size(picture: NDArray[Any], source: Source) -> None:
    height, width = picture.shape[:2]
    if (height, width) != (source.height, source.width):
        raise ValueError(f"it decodes to {width}x{height}, its pair is {source.width}x{source.height}")


def _prepared_picture(
    picture: NDArray[Any], stored: Stored, preparation: Preparation
) -> tuple[Stored, Arrays]:
    """HxWx3 uint8 or uint16 as decoded -> pixels, thumbnail of the prepared frame and, if asked for, its base."""
    bits = 8 * picture.dtype.itemsize
    pixels = preparation.resized(eight_bits(picture))
    arrays: dict[str, NDArray[Any]] = {
        "pixels": pixels,
        "thumbnail": area_resized(pixels, THUMBNAIL_SIDE, THUMBNAIL_SIDE),
    }
    if preparation.base:
        # its solver is compiled: only where it is needed
        from trainer.preprocessing.base_detail import base_detail

        base = base_detail(pixels).base
        arrays["base"] = np.round(np.clip(base, 0, 1) * np.float32(LARGEST_BASE)).astype(np.uint16)
    return replace(stored, bits=bits, luminance_peak=int(grey_levels(pixels).max())), arrays


def _log_light(light: NDArray[np.float32], preparation: Preparation) -> NDArray[np.float16]:
    """ln(E + 1/255) of the area-averaged light, HxWx3 of a prepared frame's size."""
    height, width = light.shape[:2]
    if preparation.resize == "third":
        light = light[: height - height % 3, : width - width % 3]
    small = area_resized(light, *preparation.size(height, width))
    return np.log(small + HDR_OFFSET).astype(np.float16)
