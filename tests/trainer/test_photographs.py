"""What is kept of a photograph: pixels upright, colours, depth, and the camera's notes."""

from __future__ import annotations

import io

import exifread
import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from builder.images import decode_image, upright
from tests.builder.image_files import (
    ADOBE_RGB_D50,
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    directory_bytes,
    dng_bytes,
    gamma_curve,
    grey_profile,
    jpeg_with,
    jpeg_with_exif,
    matrix_profile,
    picture_tags,
    pillow_bytes,
    tiff_bytes,
)
from trainer.enhancement.photo_colours import srgb_profile
from trainer.enhancement.photographs import (
    Photograph,
    encode_photograph,
    output_format,
    read_photograph,
    working_bits,
)

ADOBE = matrix_profile(ADOBE_RGB_D50, gamma_curve(563 / 256))
JPEG_LEVELS = 6  # a JPEG of a smooth picture written again
TAKEN, DESCRIPTION = "2020:01:02 03:04:05", "Café".encode()


def smooth(height: int = 48, width: int = 64, peak: int = 255) -> np.ndarray:
    """Colours well inside sRGB, without symmetry."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = 0.25 + 0.5 * np.stack([across, down, 0.7 * across * down], axis=-1)
    return np.round(planes * peak).astype(np.uint8 if peak == 255 else np.uint16)


def camera_block(orientation: int = 1) -> bytes:
    """A TIFF block with maker note, place and a thumbnail in a second directory."""
    main = {
        271: (ASCII, "Maker"),
        272: (ASCII, "Model X"),
        306: (ASCII, TAKEN),
        270: (ASCII, DESCRIPTION + b"\0"),
    }
    main |= {274: (SHORT, orientation), 34665: (LONG, 0), 34853: (LONG, 0)}
    exif = {
        33434: (RATIONAL, (1, 60)),
        36867: (ASCII, TAKEN),
        37500: (UNDEFINED, [7] * 50),
        42036: (ASCII, "Lens"),
    }
    exif |= {40962: (LONG, 9999), 40963: (LONG, 9999)}
    gps = {
        1: (ASCII, "N"),
        2: (RATIONAL, [(50, 1), (30, 1), (15, 1)]),
        3: (ASCII, "E"),
        4: (RATIONAL, [(8, 1), (1, 1), (2, 1)]),
    }
    thumbnail = pillow_bytes(smooth(16, 16), "JPEG")
    small = {259: (SHORT, 6), 513: (LONG, 0), 514: (LONG, len(thumbnail))}
    starts = [8]
    for directory in (main, exif, gps, small):
        starts.append(starts[-1] + len(directory_bytes(directory, 0)))
    main |= {34665: (LONG, starts[1]), 34853: (LONG, starts[2])}
    small[513] = (LONG, starts[4])
    parts = [directory_bytes(main, 8, starts[3]), directory_bytes(exif, starts[1])]
    parts += [directory_bytes(gps, starts[2]), directory_bytes(small, starts[3]), thumbnail]
    return b"II*\0\x08\0\0\0" + b"".join(parts)


def photograph(tmp_path, data: bytes, name: str = "photo") -> Photograph:
    path = tmp_path / name
    path.write_bytes(data)
    return read_photograph(path)


def written(photo: Photograph, file_format: str | None = None, pixels: np.ndarray | None = None) -> bytes:
    """As `enhance` writes a network's result; without `pixels` that of one which changes nothing."""
    asked = output_format(photo.kind, file_format)
    if pixels is None:
        unit = photo.pixels / np.iinfo(photo.pixels.dtype).max
        bits = working_bits(photo, asked)
        pixels = np.rint(unit * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    return encode_photograph(pixels, photo, file_format=asked, quality=95)


def stored(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- orientation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["jpeg", "png", "tiff"])
def test_all_orientations_are_applied_and_the_tag_says_so(tmp_path, orientation, file_format):
    source = jpeg_with_exif(pillow_bytes(smooth(), "JPEG", quality=95), camera_block(orientation))
    data = written(photograph(tmp_path, source), file_format)
    picture = stored(data)
    assert picture.getexif()[274] == 1
    seen = upright(smooth(), orientation)
    assert picture.size == (seen.shape[1], seen.shape[0])
    assert np.abs(np.asarray(picture).astype(int) - seen).max() <= JPEG_LEVELS
    np.testing.assert_array_equal(decode_image(data, name="result"), np.asarray(picture))


def test_xmp_says_upright_too(tmp_path):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" dc:title="kept"/></x:xmpmeta>'
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + packet
    data = written(photograph(tmp_path, jpeg_with(pillow_bytes(smooth(), "JPEG"), (0xE1, xmp))))
    assert b'tiff:Orientation="1" dc:title="kept"' in data
    assert b'tiff:Orientation="6"' not in data


# --- notes of the camera ---------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["jpeg", "png", "tiff"])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_exif_is_kept_from_format_to_format(tmp_path, kind, file_format):
    if kind == "jpeg":
        source = jpeg_with_exif(pillow_bytes(smooth(), "JPEG"), camera_block(6))
    else:
        source = pillow_bytes(smooth(), "PNG", exif=camera_block(6))
    check_notes(written(photograph(tmp_path, source), file_format))


def check_notes(data: bytes) -> None:
    found = stored(data).getexif()
    assert (found[271], found[272], found[306], found[274]) == ("Maker", "Model X", TAKEN, 1)
    assert found[270].encode("latin-1") == DESCRIPTION
    exif = found.get_ifd(ExifTags.IFD.Exif)
    assert (exif[36867], exif[33434], exif[42036]) == (TAKEN, pytest.approx(1 / 60), "Lens")
    assert exif[37500] == b"\x07" * 50
    assert 9999 not in (exif.get(40962), exif.get(40963))
    assert found.get_ifd(ExifTags.IFD.GPSInfo)[2] == (50.0, 30.0, 15.0)
    assert not found.get_ifd(ExifTags.IFD.IFD1)  # the small picture of the unenhanced photograph
    tags = exifread.process_file(io.BytesIO(data), details=False)
    assert str(tags["EXIF DateTimeOriginal"]) == TAKEN


@pytest.mark.parametrize("file_format", ["jpeg", "tiff"])
def test_exif_of_a_tiff_is_kept_without_the_layout_of_its_pixels(tmp_path, file_format):
    pixels = smooth(peak=65535)
    tags = picture_tags(pixels) | {271: (ASCII, "Maker"), 274: (SHORT, 8), 33432: (ASCII, "me")}
    source = tiff_bytes(tags, pixels.astype("<u2").tobytes(), {36867: (ASCII, TAKEN)})
    found = stored(written(photograph(tmp_path, source), file_format))
    exif = found.getexif()
    assert (exif[271], exif[33432], exif[274]) == ("Maker", "me", 1)
    assert exif.get_ifd(ExifTags.IFD.Exif)[36867] == TAKEN
    assert found.size == (48, 64)


@pytest.mark.parametrize(
    "block", [b"garbage" * 9, camera_block()[:60], camera_block()[:130], b"II*\0\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("file_format", ["jpeg", "png", "tiff"])
def test_damaged_exif_costs_only_the_notes(tmp_path, block, file_format):
    source = jpeg_with_exif(pillow_bytes(smooth(), "JPEG", quality=95), block)
    data = written(photograph(tmp_path, source), file_format)
    assert np.abs(decode_image(data, name="result").astype(int) - smooth()).max() <= JPEG_LEVELS


def test_a_maker_note_too_long_for_a_jpeg_goes_alone(tmp_path):
    pixels = smooth()
    exif = {36867: (ASCII, TAKEN), 37500: (UNDEFINED, [1] * 70_000)}
    photo = photograph(tmp_path, tiff_bytes(picture_tags(pixels), pixels.tobytes(), exif))
    kept = stored(written(photo, "jpeg")).getexif().get_ifd(ExifTags.IFD.Exif)
    assert kept[36867] == TAKEN
    assert 37500 not in kept


def test_resolution_is_kept(tmp_path):
    source = pillow_bytes(smooth(), "JPEG", dpi=(300, 300))
    assert stored(written(photograph(tmp_path, source))).info["dpi"] == pytest.approx((300, 300))


# --- colours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "peak", "file_format", "levels"),
    [
        ("PNG", 255, None, 1),
        ("PNG", 255, "tiff", 1),
        ("JPEG", 255, None, JPEG_LEVELS),
        ("TIFF", 65535, None, 40),
        ("TIFF", 65535, "png", 40),
        ("TIFF", 65535, "jpeg", JPEG_LEVELS),
    ],
)
def test_a_wide_profile_is_kept_and_the_pixels_fit_it(tmp_path, kind, peak, file_format, levels):
    pixels = (0.45 * peak + smooth(peak=peak) / 3).astype(
        np.uint8 if peak == 255 else np.uint16
    )  # inside sRGB
    if peak == 255:
        source = pillow_bytes(pixels, kind, icc_profile=ADOBE, **({"quality": 95} if kind == "JPEG" else {}))
    else:
        tags = picture_tags(pixels) | {34675: (UNDEFINED, list(ADOBE))}
        source = tiff_bytes(tags, pixels.astype("<u2").tobytes())
    photo = photograph(tmp_path, source)
    assert (
        np.abs(photo.pixels.astype(int) - pixels).max() > 0.02 * peak
    )  # sRGB for the network: other numbers
    data = written(photo, file_format)
    assert stored(data).info["icc_profile"] == ADOBE
    own = read_as_stored(data)
    assert own.dtype == (np.uint8 if file_format == "jpeg" else pixels.dtype)
    scale = 257 if own.dtype == np.uint8 and peak == 65535 else 1
    assert np.abs(own.astype(float) - pixels / scale).max() <= levels


def read_as_stored(data: bytes) -> np.ndarray:
    """Pixels as the file holds them, in its own colours and depth."""
    return pyvips.Image.new_from_buffer(data, "").numpy()


@pytest.mark.parametrize("profile", [b"", srgb_profile()], ids=["none", "srgb"])
def test_srgb_and_no_profile_stay_and_pixels_too(tmp_path, profile):
    source = pillow_bytes(smooth(), "PNG", **({"icc_profile": profile} if profile else {}))
    data = written(photograph(tmp_path, source))
    assert stored(data).info.get("icc_profile", b"") == profile
    np.testing.assert_array_equal(read_as_stored(data), smooth())


def test_grey_photographs_become_colour_in_srgb(tmp_path):
    grey = smooth()[:, :, 0]
    source = pillow_bytes(grey, "PNG", icc_profile=grey_profile(gamma_curve(1.8)))
    photo = photograph(tmp_path, source)
    data = written(photo)
    assert stored(data).info["icc_profile"] == srgb_profile()
    np.testing.assert_array_equal(decode_image(data, name="result"), photo.pixels)


# --- depth -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_16_bits_stay_16_bits_without_bands(tmp_path, file_format):
    ramp = np.repeat(np.arange(20_000, 24_096, dtype=np.uint16)[None, :, None], 2, axis=0).repeat(3, axis=2)
    photo = photograph(tmp_path, tiff_bytes(picture_tags(ramp), ramp.astype("<u2").tobytes()))
    np.testing.assert_array_equal(read_as_stored(written(photo, file_format)), ramp)
    brighter = np.rint(ramp * np.float32(1.5)).astype(np.uint16)
    steps = np.diff(read_as_stored(written(photo, file_format, brighter))[0, :, 0].astype(int))
    assert set(steps) == {1, 2}


def test_raw_becomes_a_16_bit_tiff_in_srgb(tmp_path):
    mosaic = np.full((64, 96), 4000, np.uint16)
    data = written(
        photograph(tmp_path, dng_bytes(mosaic, exif={36867: (ASCII, TAKEN), 33434: (RATIONAL, (1, 60))}))
    )
    assert read_as_stored(data).dtype == np.uint16
    picture_exif = exifread.process_file(io.BytesIO(data), details=False)
    assert str(picture_exif["EXIF DateTimeOriginal"]) == TAKEN
    assert str(picture_exif["Image Model"]) == "Mosaic"
    assert bytes(srgb_profile()) in data
    assert decode_image(data, name="result").shape == (64, 96, 3)
