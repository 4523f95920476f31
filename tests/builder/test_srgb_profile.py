"""The sRGB profile that every preview carries: made once by this recipe, and read by others as sRGB."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms

from builder.codecs.color_profiles import SRGB_PROFILE

# Primaries of IEC 61966-2-1 adapted to D50 by Bradford, as ICC.1 wants them: X, Y, Z
D50 = (0.9642, 1.0, 0.8249)
PRIMARIES = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
NAME, RIGHTS = b"sRGB", b"CC0"


def recipe() -> bytes:
    """A display profile of version 2.1 (all browsers read it): three primaries and one curve of 256 steps.

    256 steps hit every level of an 8-bit picture, so no level is interpolated.
    """
    curve = b"curv" + struct.pack(
        ">II256H", 0, 256, *np.round(65535 * decoded(np.arange(256) / 255)).astype(int)
    )
    contents = {
        b"desc": b"desc" + struct.pack(">II", 0, len(NAME) + 1) + NAME + b"\0" + bytes(4 + 4 + 2 + 1 + 67),
        b"cprt": b"text" + bytes(4) + RIGHTS + b"\0",
        b"wtpt": xyz(*D50),
        **{tag: xyz(*values) for tag, values in PRIMARIES.items()},
        b"rTRC": curve,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * (len(contents) + 2)
    for tag, content in contents.items():
        place = struct.pack(">II", start + len(body), len(content))
        tags = (tag, b"gTRC", b"bTRC") if tag == b"rTRC" else (tag,)
        table += b"".join(one + place for one in tags)
        body += content + bytes(-len(content) % 4)
    count = len(contents) + 2
    size = start + len(body)
    header = struct.pack(">I4xI4s4s4s", size, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", count) + table + body


def decoded(level: np.ndarray) -> np.ndarray:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + fixed(*values)


def test_the_file_is_what_the_recipe_gives():
    assert SRGB_PROFILE.read_bytes() == recipe()
    assert len(recipe()) < 1024


def test_littlecms_takes_it_for_srgb():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(SRGB_PROFILE.read_bytes()))
    assert profile.profile.profile_description == "sRGB"
    assert profile.profile.xcolor_space.strip() == "RGB"
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    change = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    seen = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), change))
    assert np.abs(seen.astype(int) - colours).max() <= 1  # of 255: rounding of the primaries


def test_white_stays_white():
    change = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(SRGB_PROFILE.read_bytes())),
        ImageCms.createProfile("LAB"),
        "RGB",
        "LAB",
    )
    white = ImageCms.applyTransform(Image.new("RGB", (1, 1), (255, 255, 255)), change)
    assert white.getpixel((0, 0)) == (255, 128, 128)
