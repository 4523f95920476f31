"""Embedded ICC profiles: pixels in a profile's colours become sRGB.

8 bits go through LittleCMS (Pillow's ImageCms). It refuses 16-bit RGB, so profiles made of a matrix and
curves are evaluated here in float. A broken profile is an error, not a guess at the colours that were meant.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from builder.codecs.unreadable_image import UnreadableImage
from fusion_algos.color import linear_to_srgb

# Linear sRGB -> XYZ relative to D50, the ICC connection space (IEC 61966-2-1, Bradford-adapted)
SRGB_TO_XYZ_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
# What previews carry. A file, not made at run time: a fresh profile would hold the date it was made.
SRGB_PROFILE = Path(__file__).with_name("srgb.icc")
TABLE_TAGS = (b"A2B0", b"A2B1", b"A2B2")
SAME_LEVELS = 1  # of 255: profiles that move no colour further are sRGB under another name
STRIP_ROWS = 256


def to_srgb(pixels: np.ndarray, profile: bytes, *, name: str) -> np.ndarray:
    """uint8 or uint16, HxW (grey) or HxWx3 in the colours of `profile` -> the same type in sRGB.

    Grey may stay HxW. UnreadableImage (unsupported-profile) if the profile is broken, for other channels, or
    a table profile on 16-bit pixels.
    """
    space = _colour_space(profile, name)
    if space == "GRAY" and pixels.ndim == 3:
        raise _broken(name, "is for grey pictures, but this one is in colour")
    if space == "RGB" and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    transform = _transform(profile, space, name)
    if _keeps_all_colours(transform, space):
        return pixels
    if pixels.dtype == np.uint8:
        return _convert_8_bit(pixels, transform)
    return _convert_16_bit(pixels, _tags(profile, name), name)


def _colour_space(profile: bytes, name: str) -> str:
    """ "RGB" or "GRAY" from the profile's header (ICC.1, 7.2.6)."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise _broken(name, f"of {len(profile)} bytes is broken (it lacks the ICC signature)")
    space = profile[16:20].decode("ascii", "replace").strip()
    if space not in ("RGB", "GRAY"):
        raise _broken(name, f"is for {space} pictures")
    return space


def _broken(name: str, found: str) -> UnreadableImage:
    remedy = "export it again as sRGB, or remove the profile if its colours are sRGB already"
    return UnreadableImage("unsupported-profile", name, f"its colour profile {found}", remedy)


def _transform(profile: bytes, space: str, name: str) -> ImageCms.ImageCmsTransform:
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "L" if space == "GRAY" else "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise _broken(name, f"of {len(profile)} bytes is broken ({error})") from None


def _keeps_all_colours(transform: ImageCms.ImageCmsTransform, space: str) -> bool:
    """Whether the profile is sRGB under some name: tried on a grid of colours."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    if space == "GRAY":
        grid, expected = levels[None, :], np.repeat(levels[None, :, None], 3, axis=2)
    else:
        grid = expected = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 256, 3)
    moved = np.abs(_convert_8_bit(grid, transform).astype(np.int16) - expected)
    return int(moved.max()) <= SAME_LEVELS


def _convert_8_bit(pixels: np.ndarray, transform: ImageCms.ImageCmsTransform) -> np.ndarray:
    return np.asarray(ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(pixels)), transform))


def _tags(profile: bytes, name: str) -> dict[bytes, bytes]:
    """Tag data by signature (ICC.1, 7.3)."""
    (count,) = struct.unpack_from(">I", profile, 128)
    if 132 + 12 * count > len(profile):
        raise _broken(name, f"is broken (its {count} tags do not fit into {len(profile)} bytes)")
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count))
    return {signature: profile[start : start + size] for signature, start, size in entries}


def _convert_16_bit(pixels: np.ndarray, tags: dict[bytes, bytes], name: str) -> np.ndarray:
    """uint16 pixels by the profile's curves and matrix (ICC.1, F.2 and F.3), strip by strip in float32."""
    if any(tag in tags for tag in TABLE_TAGS):
        raise _broken(name, "is made of tables, which cannot be applied to 16-bit pixels here")
    try:
        if pixels.ndim == 2:
            return _srgb_levels(_curve(tags[b"kTRC"]))[pixels]
        curves = [_curve(tags[signature]) for signature in (b"rTRC", b"gTRC", b"bTRC")]
        matrix = np.stack([_xyz(tags[signature]) for signature in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    except (KeyError, struct.error, ValueError) as error:
        raise _broken(name, f"is broken ({error})") from None
    to_linear_srgb = (np.linalg.inv(SRGB_TO_XYZ_D50) @ matrix).astype(np.float32)
    converted = np.empty_like(pixels)
    for top in range(0, len(pixels), STRIP_ROWS):
        strip = pixels[top : top + STRIP_ROWS]
        linear = np.stack([curve[strip[..., band]] for band, curve in enumerate(curves)], axis=-1)
        converted[top : top + STRIP_ROWS] = _srgb_levels(linear @ to_linear_srgb.T)
    return converted


def _xyz(tag: bytes) -> np.ndarray:
    """X, Y, Z of an XYZType tag, s15Fixed16 (ICC.1, 10.31)."""
    signature, *values = struct.unpack_from(">4s4x3i", tag)
    if signature != b"XYZ ":
        raise ValueError(f"a colorant of type {signature!r}")
    return np.array(values) / 65536.0


def _curve(tag: bytes) -> np.ndarray:
    """A tone curve as 65536 float32 values in [0, 1] (ICC.1, 10.6 curveType, 10.18 parametric)."""
    encoded = np.linspace(0.0, 1.0, 65536)
    signature = tag[:4]
    if signature == b"para":
        return _parametric_curve(tag, encoded).clip(0.0, 1.0).astype(np.float32)
    if signature != b"curv":
        raise ValueError(f"a tone curve of type {signature!r}")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return encoded.astype(np.float32)
    samples = np.array(struct.unpack_from(f">{count}H", tag, 12), dtype=np.float64)
    if count == 1:
        return (encoded ** (samples[0] / 256.0)).astype(np.float32)
    return np.interp(encoded, np.linspace(0.0, 1.0, count), samples / 65535.0).astype(np.float32)


def _parametric_curve(tag: bytes, encoded: np.ndarray) -> np.ndarray:
    """Function types 0..4: Y = (aX + b)^g + e for X >= d, else cX + f (ICC.1, table 68)."""
    (function,) = struct.unpack_from(">H", tag, 8)
    counts = (1, 3, 4, 5, 7)
    if function >= len(counts):
        raise ValueError(f"a parametric curve of type {function}")
    given = [value / 65536.0 for value in struct.unpack_from(f">{counts[function]}i", tag, 12)]
    g, a, b, c, d, e, f = given + [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(given) :]
    if function in (1, 2):  # their threshold is -b/a, below it the value is constant
        c, d, e, f = 0.0, -b / a if a else 0.0, c, c
    power = np.maximum(a * encoded + b, 0.0) ** g + e
    return np.where(encoded >= d, power, c * encoded + f)


def _srgb_levels(linear: np.ndarray) -> np.ndarray:
    """Linear light, clipped to [0, 1] -> sRGB-encoded uint16."""
    return np.round(linear_to_srgb(linear) * 65535.0).astype(np.uint16)
