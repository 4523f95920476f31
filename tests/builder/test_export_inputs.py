"""Originals that are not plain sRGB JPEGs: what is exported is what the algorithms saw, readable by everyone."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import Base
from sqlalchemy import select

from builder.atomic_files import sha256_hex
from builder.catalog import Exposure, catalog_url, open_catalog
from builder.images import encode_png, read_image
from tests.builder.exporting import contents, export, rows
from tests.builder.faked_dataset import HEIGHT, OWNER, WIDTH, fake_dataset, many_scenes


def picture(dtype: type = np.uint8) -> np.ndarray:
    random = np.random.default_rng(9)
    small = random.integers(0, np.iinfo(dtype).max, (8, 12, 3)).astype(dtype)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=95, **options)
    return memory.getvalue()


def turned(orientation: int, quarters: int) -> bytes:
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Artist] = orientation, OWNER
    return jpeg(np.ascontiguousarray(np.rot90(picture(), quarters)), exif=exif)


def with_chunks() -> bytes:
    memory = io.BytesIO()
    exif = Image.Exif()
    exif[Base.Artist] = OWNER
    Image.fromarray(picture()).save(memory, "PNG", exif=exif)
    return memory.getvalue()


def swapped_profile() -> bytes:
    """A profile that is not sRGB: Pillow makes Lab and XYZ ones, so an sRGB one with another gamma is bent here."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    position = profile.index(b"para")
    profile[position + 12 : position + 16] = (int(1.6 * 65536)).to_bytes(4, "big")
    return bytes(profile)


KINDS = {
    "orientation 6": (turned(6, 1), "png"),
    "orientation 3": (turned(3, 2), "png"),
    "gray": (jpeg(picture()[..., 0]), "png"),
    "color profile": (jpeg(picture(), icc_profile=swapped_profile()), "png"),
    "PNG with EXIF": (with_chunks(), "png"),
    "16-bit PNG": (encode_png(picture(np.uint16)), "png"),
    "progressive JPEG": (jpeg(picture(), progressive=True), "jpg"),
    "plain JPEG": (jpeg(picture()), "jpg"),
}


def with_original(data: Path, content: bytes) -> None:
    """The last exposure of the first scene is this file."""
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        row = session.scalars(select(Exposure).where(Exposure.position == 2)).first()
        assert row is not None
        row.sha256 = sha256_hex(content)
        (data / row.original_path).write_bytes(content)
    catalog.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_original(tmp_path, kind):
    content, suffix = KINDS[kind]
    data = fake_dataset(tmp_path / "data", many_scenes(1))
    with_original(data, content)
    dataset = export(data, tmp_path / "out").dataset
    row = rows(dataset / "manifest.csv")[2]
    assert row["input"].endswith(f"/3.{suffix}")
    (tmp_path / "as-it-was").write_bytes(content)
    seen = read_image(tmp_path / "as-it-was")
    if seen.dtype == np.uint16:
        seen = cv2.convertScaleAbs(seen, alpha=1 / 257)
    exported = dataset / row["input"]
    assert np.array_equal(read_image(exported), seen)
    with Image.open(exported) as opened:  # a loader that knows nothing of orientation, profiles or gray
        assert opened.mode == "RGB"
        assert opened.size == (WIDTH, HEIGHT)
        if suffix == "png":
            assert np.array_equal(np.asarray(opened), seen)
    assert not any(OWNER.encode() in data for data in contents(dataset).values())


def test_the_bent_profile_does_change_colors():
    plain, bent = io.BytesIO(KINDS["plain JPEG"][0]), KINDS["color profile"][0]
    assert b"ICC_PROFILE" in bent
    with Image.open(plain) as opened:
        as_is = np.asarray(opened).astype(int)
    from builder.images import decode_image

    assert np.abs(decode_image(bent, name="x").astype(int) - as_is).max() > 10
