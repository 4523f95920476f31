"""Decoding, orientation and encoding; profiles and RAW have files of their own."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from builder.images import (
    UnreadableImage,
    as_8_bit,
    decode_image,
    encode_jpeg,
    encode_png,
    image_size,
    read_header,
    read_image,
    sniff_kind,
    upright,
    write_image,
)
from builder.settings import ScanSettings
from tests.builder.bad_files import dng, jpeg, picture, png, tiff
from tests.builder.image_files import (
    directory_bytes,
    exif_block,
    jpeg_with_exif,
    picture_tags,
    pillow_bytes,
    tiff_bytes,
)

LIMITS = ScanSettings()
BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"


# --- kinds, sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [(jpeg, "jpeg"), (png, "png"), (tiff, "tiff"), (dng, "raw")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_kind_and_size_come_from_the_header(content, kind) -> None:
    data = content()
    assert sniff_kind(data) == kind
    assert image_size(data, kind) == (96, 64)
    header = read_header(data, name="frame", limits=LIMITS)
    assert (header.kind, header.width, header.height, header.orientation) == (kind, 96, 64, 1)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"FUJIFILMCCD-RAW 0201", "raw"),
        (b"IIRO\x08\0\0\0", "raw"),
        (b"IIU\0\x18\0\0\0", "raw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw"),
        (b"\0\0\0\x18ftypheic", None),
        (b"RIFF\0\0\0\0WEBP", None),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_magic_bytes(start: bytes, kind: str | None) -> None:
    assert sniff_kind(start) == kind


def test_a_raw_whose_sensor_data_lies_in_a_sub_directory_is_no_tiff() -> None:
    """The layout of NEF, ARW and most DNG: the first directory is a thumbnail."""
    thumbnail = picture_tags(np.zeros((4, 4, 3), np.uint8)) | {254: (4, 1), 330: (4, 0)}
    sensor = tiff_bytes(picture_tags(np.zeros((4, 4), np.uint16), photometric=32803))[8:]
    plain = tiff_bytes(thumbnail)
    with_sub = tiff_bytes(thumbnail | {330: (4, len(plain))}) + sensor
    assert sniff_kind(with_sub) == "raw"
    assert sniff_kind(tiff_bytes(picture_tags(np.zeros((4, 4, 3), np.uint8)), bytes(48))) == "tiff"


def test_the_pixel_limit_is_checked_before_decoding() -> None:
    strict = ScanSettings(max_megapixels=0.006)
    with pytest.raises(UnreadableImage, match=r"96 x 64 pixels .*; raise max_megapixels") as caught:
        decode_image(png(), name="frame.png", limits=strict)
    assert caught.value.reason == "too-large"


# --- pixels ----------------------------------------------------------------------------------------------


def test_lossless_formats_return_their_pixels() -> None:
    wide = picture().astype(np.uint16) * 257 - (picture() > 99)
    for pixels in (picture(), wide):
        np.testing.assert_array_equal(decode_image(encode_png(pixels), name="x"), pixels)
        plain = tiff_bytes(picture_tags(pixels), pixels.tobytes())
        np.testing.assert_array_equal(decode_image(plain, name="x"), pixels)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
        np.testing.assert_array_equal(decode_image(tiff(compression), name="x"), picture())


def test_jpeg_pixels_are_those_of_opencv() -> None:
    for subsampling in (0, 2):
        data = pillow_bytes(picture(), "JPEG", quality=90, subsampling=subsampling)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(decode_image(data, name="x"), expected)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_pixel_layout_becomes_rgb(format_name: str, mode: str) -> None:
    data = pillow_bytes(picture(), format_name, mode)
    with Image.open(io.BytesIO(data)) as reference:
        expected = np.asarray(reference.convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, name="x"), expected)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_alpha_is_dropped_and_not_multiplied_in(format_name: str) -> None:
    transparent = np.dstack([picture(), np.full((64, 96), 40, np.uint8)])
    data = pillow_bytes(transparent, format_name)
    np.testing.assert_array_equal(decode_image(data, name="x"), picture())


def test_grey_of_every_format_and_depth_becomes_rgb() -> None:
    grey = picture()[:, :, 0]
    wide = grey.astype(np.uint16) * 257
    for data, expected in (
        (pillow_bytes(grey, "PNG"), grey),
        (pillow_bytes(wide, "PNG"), wide),
        (tiff_bytes(picture_tags(wide, photometric=1), wide.tobytes()), wide),
    ):
        np.testing.assert_array_equal(
            decode_image(data, name="x"), np.repeat(expected[:, :, None], 3, axis=2)
        )
    decoded = decode_image(pillow_bytes(grey, "JPEG", quality=95), name="x")
    assert decoded.shape == (64, 96, 3)
    assert np.ptp(decoded, axis=2).max() == 0


def test_white_is_zero_tiff_is_inverted() -> None:
    grey = picture()[:, :, 0]
    data = tiff_bytes(picture_tags(grey, photometric=0), grey.tobytes())
    np.testing.assert_array_equal(decode_image(data, name="x")[:, :, 0], 255 - grey)


def test_a_thumbnail_directory_is_no_second_page() -> None:
    pixels = picture()
    plain = tiff_bytes(picture_tags(pixels), pixels.tobytes())
    thumbnail = picture_tags(pixels[:8, :8]) | {254: (4, 1), 273: (4, 8), 279: (4, 192)}
    (count,) = struct.unpack_from("<H", plain, 8 + pixels.nbytes)
    chained = bytearray(plain + directory_bytes(thumbnail, len(plain)))
    struct.pack_into("<I", chained, 8 + pixels.nbytes + 2 + 12 * count, len(plain))
    np.testing.assert_array_equal(decode_image(bytes(chained), name="x"), pixels)


# --- orientation -----------------------------------------------------------------------------------------


def stored_for(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores so that `orientation` shows `pixels` (EXIF 2.32, 4.6.4)."""
    transposed = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(
        {
            1: pixels,
            2: pixels[:, ::-1],
            3: pixels[::-1, ::-1],
            4: pixels[::-1],
            5: transposed,
            6: transposed[::-1],
            7: transposed[::-1, ::-1],
            8: transposed[:, ::-1],
        }[orientation]
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_eight_orientations_show_one_picture(orientation: int) -> None:
    stored = stored_for(picture(), orientation)
    block = exif_block({}, {274: (3, orientation)})
    in_png = png_with_exif(encode_png(stored), block)
    in_tiff = tiff_bytes(picture_tags(stored) | {274: (3, orientation)}, stored.tobytes())
    np.testing.assert_array_equal(decode_image(in_png, name="x"), picture())
    np.testing.assert_array_equal(decode_image(in_tiff, name="x"), picture())
    plain_jpeg = encode_jpeg(stored)
    unturned = decode_image(plain_jpeg, name="x")
    turned = decode_image(jpeg_with_exif(plain_jpeg, block), name="x")
    np.testing.assert_array_equal(turned, upright(unturned, orientation))
    assert np.abs(turned.astype(int) - picture()).mean() < 4  # of 255: JPEG's own loss


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_agree_with_pillow(orientation: int) -> None:
    from PIL import ImageOps

    data = pillow_bytes(picture(), "PNG", exif=pillow_orientation(orientation))
    with Image.open(io.BytesIO(data)) as reference:
        expected = np.asarray(ImageOps.exif_transpose(reference))
    np.testing.assert_array_equal(decode_image(data, name="x"), expected)


def pillow_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def png_with_exif(data: bytes, block: bytes) -> bytes:
    import zlib

    chunk = b"eXIf" + block
    return (
        data[:33] + struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    )


# --- encoding --------------------------------------------------------------------------------------------


def test_jpeg_is_baseline_444_without_metadata() -> None:
    data = encode_jpeg(picture())
    with Image.open(io.BytesIO(data)) as opened:
        assert [component[1:3] for component in opened.layer] == [(1, 1)] * 3
        assert "progressive" not in opened.info
        assert not opened.getexif()
        assert "icc_profile" not in opened.info
    assert np.abs(decode_image(data, name="x").astype(int) - picture()).mean() < 4


def test_16_bits_become_the_nearest_8() -> None:
    levels = np.arange(0, 65536, 3, dtype=np.uint16)[: 3 * 7281].reshape(-1, 1, 3)
    assert abs(as_8_bit(levels) - levels / 257).max() <= 0.5
    picture_8 = picture()
    assert as_8_bit(picture_8) is picture_8


def test_only_pictures_are_encoded() -> None:
    with pytest.raises(ValueError, match=r"HxWx3 uint8 or uint16, got \(4, 4, 3\) float32"):
        encode_png(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="a JPEG holds 8 bits per channel, got uint16; use encode_png"):
        encode_jpeg(np.zeros((4, 4, 3), np.uint16))


def test_write_and_read_back(tmp_path: Path) -> None:
    for name, pixels in (("a.png", picture()), ("b.PNG", picture().astype(np.uint16) * 200)):
        write_image(tmp_path / name, pixels)
        np.testing.assert_array_equal(read_image(tmp_path / name), pixels)
    write_image(tmp_path / "c.jpg", picture())
    assert read_image(tmp_path / "c.jpg").shape == (64, 96, 3)
    (tmp_path / "d.dng").write_bytes(dng())
    assert read_image(tmp_path / "d.dng").dtype == np.uint8
    with pytest.raises(ValueError, match=r"pictures are written as \.png, \.jpg or \.jpeg, not '\.bmp'"):
        write_image(tmp_path / "e.bmp", picture())
    assert not (tmp_path / "e.bmp").exists()


# --- real files ------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_real_files_decode_to_opencvs_size() -> None:
    if not BRACKETS.exists():
        pytest.skip(f"no real brackets at {BRACKETS}")
    paths = [path for path in sorted(BRACKETS.glob("*/*")) if path.suffix.lower() in (".jpg", ".png")]
    seen = {}
    for path in paths:
        seen.setdefault(path.parent, path)  # one of each set: the rest is the same camera
    for path in seen.values():
        pixels = read_image(path)
        assert pixels.shape == cv2.imread(str(path), cv2.IMREAD_COLOR).shape, path
