"""Photographs in and out: pixels as sRGB for a network; colours, depth and notes of the camera kept in what is written.

Written pictures are upright, with the orientation tag set to 1. A photograph with a colour profile of its own is
converted back into it, so every program shows the result as it shows the original. Colours outside sRGB are lost
(networks see and give sRGB alone), and so is transparency.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips
from numpy.typing import NDArray

from builder.images import (
    DEFAULT_LIMITS,
    decode_image,
    develop_raw,
    display_from_linear,
    raw_white_balance,
    read_bytes,
    read_header,
)
from trainer.enhancement.photo_colours import (
    WrittenColours,
    converted,
    srgb_profile,
    vips_image,
    written_colours,
)
from trainer.enhancement.photo_metadata import Metadata, read_metadata, tiff_with_exif, with_metadata

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif"}  # format -> suffix of written files
RAW_BECOMES = "tiff"
PNG_COMPRESSION = 4  # of 9: beyond it 16-bit photographs hardly shrink


@dataclass(frozen=True)
class Photograph:
    """pixels: HxWx3 RGB uint8 or uint16, sRGB-encoded, upright."""

    pixels: NDArray[Any]
    kind: str  # of its file: jpeg, png, tiff or raw
    colours: WrittenColours
    metadata: Metadata


def read_photograph(path: Path) -> Photograph:
    """Any file that the builder reads; RAW as shot in 16 bits. UnreadableImage if it is damaged or unsupported."""
    name, data = str(path), read_bytes(path)
    header = read_header(data, name=name, limits=DEFAULT_LIMITS)
    if header.kind == "raw":
        linear = develop_raw(data, white_balance=raw_white_balance(data, name=name), name=name)
        pixels, profile = display_from_linear(linear, bits=16), srgb_profile()
    else:
        pixels, profile = decode_image(data, name=name), header.icc_profile
    return Photograph(pixels, header.kind, written_colours(profile), read_metadata(data, header))


def output_format(kind: str, asked: str | None = None) -> str:
    """A name in SUFFIXES: the asked one, else that of the photograph."""
    return asked or (RAW_BECOMES if kind == "raw" else kind)


def working_bits(photograph: Photograph, file_format: str) -> int:
    """Bits per channel of enhanced sRGB pixels: 16 where they go on into another profile, to be rounded only once."""
    return 16 if photograph.colours.converted else _written_bits(photograph, file_format)


def _written_bits(photograph: Photograph, file_format: str) -> int:
    return 8 if file_format == "jpeg" else 8 * photograph.pixels.itemsize


def encode_photograph(
    pixels: NDArray[Any], photograph: Photograph, *, file_format: str, quality: int = 95
) -> bytes:
    """The bytes of a file: `pixels` (HxWx3 sRGB, of `working_bits`) with all else of `photograph`; quality: of JPEG."""
    image = _as_written(pixels, photograph, _written_bits(photograph, file_format))
    if file_format == "jpeg":
        return bytes(image.jpegsave_buffer(Q=quality))
    if file_format == "png":
        return bytes(image.pngsave_buffer(compression=PNG_COMPRESSION))
    tiff = image.tiffsave_buffer(compression="deflate", predictor="horizontal")
    return tiff_with_exif(bytes(tiff), photograph.metadata)


def _as_written(pixels: NDArray[Any], photograph: Photograph, bits: int) -> pyvips.Image:
    """In the file's own colours, with its notes; computed when it is written."""
    image, colours = vips_image(pixels), photograph.colours
    if colours.converted:
        image = converted(image, colours.icc_profile, bits=bits)
    image = with_metadata(image, photograph.metadata)
    if colours.icc_profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", colours.icc_profile)
    return image
