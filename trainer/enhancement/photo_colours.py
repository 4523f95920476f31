"""From a network's sRGB back into the colours of a photograph's own profile, in 8 or 16 bits, by libvips' LittleCMS."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

SAME_LEVELS = 1  # of 255: profiles that move no colour further are sRGB under another name
FORMATS = {np.dtype(np.uint8): ("uchar", "srgb"), np.dtype(np.uint16): ("ushort", "rgb16")}


@dataclass(frozen=True)
class WrittenColours:
    """icc_profile: what a written file carries, b"" = nothing. converted: pixels must go from sRGB into it."""

    icc_profile: bytes
    converted: bool


@cache
def srgb_profile() -> bytes:
    """The profile of sRGB that libvips brings."""
    return bytes(pyvips.Image.profile_load("srgb"))


@cache
def written_colours(icc_profile: bytes) -> WrittenColours:
    """For a photograph with this profile (b"": none). sRGB where a profile has no place for colours or no way back."""
    if not icc_profile:
        return WrittenColours(b"", converted=False)
    if icc_profile[16:20] == b"GRAY":  # ICC.1, 7.2.6
        return WrittenColours(srgb_profile(), converted=False)
    levels = np.arange(0, 256, 17, dtype=np.uint16) * 257
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 256, 3)
    try:
        moved = converted(vips_image(grid), icc_profile, bits=16).numpy().astype(np.int32) - grid
    except pyvips.Error:
        return WrittenColours(srgb_profile(), converted=False)
    return WrittenColours(icc_profile, converted=int(np.abs(moved).max()) > SAME_LEVELS * 257)


def vips_image(pixels: NDArray[Any]) -> pyvips.Image:
    """HxWx3 uint8 or uint16, not copied."""
    height, width = pixels.shape[:2]
    sample, interpretation = FORMATS[pixels.dtype]
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels), width, height, 3, sample)
    return image.copy(interpretation=interpretation)


def converted(image: pyvips.Image, icc_profile: bytes, *, bits: int) -> pyvips.Image:
    """sRGB -> the profile's colours, computed when the image is written; pyvips.Error if there is no way back."""
    with tempfile.NamedTemporaryFile(suffix=".icc") as file:
        file.write(icc_profile)
        file.flush()
        return image.icc_transform(
            file.name,
            input_profile="srgb",
            embedded=False,
            intent="relative",
            black_point_compensation=True,
            depth=bits,
        )
