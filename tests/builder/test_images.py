"""Decoding, colours, orientation, RAW scaling and encoding."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from builder.images import (
    UnreadableImage,
    decode_image,
    develop_raw,
    display_from_linear,
    encode_jpeg,
    encode_png,
    image_size,
    raw_white_balance,
    read_header,
    read_image,
    sniff_kind,
    upright,
    write_image,
)
from builder.settings import ScanSettings
from fusion_algos.color import linear_to_srgb, srgb_to_linear
from tests.builder.bad_files import dng, jpeg, picture, png, tiff
from tests.builder.image_files import (
    ADOBE_RGB_D50,
    directory_bytes,
    dng_bytes,
    exif_block,
    gamma_curve,
    grey_profile,
    jpeg_with,
    jpeg_with_exif,
    matrix_profile,
    monochrome_dng_bytes,
    picture_tags,
    pillow_bytes,
    tiff_bytes,
)

LIMITS = ScanSettings()
UNIT_BALANCE = (1.0, 1.0, 1.0, 1.0)
BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998), 4.3.4.2
# One column per channel, linear sRGB of linear Adobe RGB (Lindbloom's matrices, D65 throughout)
ADOBE_TO_SRGB = np.array([[1.3983557, -0.3983557, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429290, 1.0429290]])


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


# --- colour profiles -------------------------------------------------------------------------------------


def adobe_profile() -> bytes:
    return matrix_profile(ADOBE_RGB_D50, gamma_curve(ADOBE_GAMMA))


def srgb_of_adobe(encoded: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] of Adobe RGB in [0, 1] by the published matrices."""
    linear = encoded.astype(np.float64) ** ADOBE_GAMMA @ ADOBE_TO_SRGB.T
    return linear_to_srgb(linear.clip(0, 1).astype(np.float32))


def test_adobe_rgb_16_bit_tiff_converts() -> None:
    pixels = picture().astype(np.uint16) * 257
    data = tiff_bytes(picture_tags(pixels) | {34675: (7, adobe_profile())}, pixels.tobytes())
    converted = decode_image(data, name="x")
    assert converted.dtype == np.uint16
    expected = srgb_of_adobe(pixels / 65535)
    """What a camera stores so that `orientation` shows `pixels`."""
    error = np.abs(converted / 65535 - expected)
    assert np.percentile(error, 99) < 2e-4
    assert error.max() < 2e-3


def test_adobe_rgb_8_bit_converts_in_every_format() -> None:
    profile = adobe_profile()
    expected = srgb_of_adobe(picture() / 255) * 255
    for data in (
        pillow_bytes(picture(), "PNG", icc_profile=profile),
        pillow_bytes(picture(), "TIFF", icc_profile=profile),
    ):
        error = np.abs(decode_image(data, name="x") - expected)
        assert np.percentile(error, 99) <= 1.0  # LittleCMS rounds to 8 bits
    plain = decode_image(jpeg(), name="x")
    in_jpeg = decode_image(pillow_bytes(picture(), "JPEG", quality=92, icc_profile=profile), name="x")
    assert np.percentile(np.abs(in_jpeg - srgb_of_adobe(plain / 255) * 255), 99) <= 1.0


def test_srgb_profiles_change_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = pillow_bytes(picture(), "PNG", icc_profile=profile)
    np.testing.assert_array_equal(decode_image(data, name="x"), picture())
    wide = picture().astype(np.uint16) * 257
    in_tiff = tiff_bytes(picture_tags(wide) | {34675: (7, profile)}, wide.tobytes())
    np.testing.assert_array_equal(decode_image(in_tiff, name="x"), wide)


SRGB_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
SRGB_PARAMETERS = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def parametric_curve(function: int, *parameters: float) -> bytes:
    fixed = struct.pack(f">{len(parameters)}i", *(round(value * 65536) for value in parameters))
    return b"para\0\0\0\0" + struct.pack(">HH", function, 0) + fixed


def sampled_curve(values: np.ndarray) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(
        f">I{len(values)}H", len(values), *np.round(values * 65535).astype(int)
    )


@pytest.mark.parametrize(
    ("curve", "decoded"),
    [
        (b"curv" + bytes(8), lambda x: x),
        (gamma_curve(1.75), lambda x: x**1.75),
        (sampled_curve(np.linspace(0, 1, 4096) ** 1.75), lambda x: x**1.75),
        (parametric_curve(0, 1.75), lambda x: x**1.75),
        (parametric_curve(1, 2.0, 1.25, -0.25), lambda x: (1.25 * x - 0.25).clip(0) ** 2),
        (parametric_curve(2, 2.0, 0.75, 0.0, 0.25), lambda x: (0.75 * x) ** 2 + 0.25),
        (parametric_curve(3, *SRGB_PARAMETERS), lambda x: srgb_to_linear(x.astype(np.float32))),
        (parametric_curve(4, 2.0, 0.75, 0.0, 0.5, 0.25, 0.125, 0.0),
         lambda x: np.where(x >= 0.25, (0.75 * x) ** 2 + 0.125, 0.5 * x)),
    ],
    ids=["identity", "gamma", "samples", "para0", "para1", "para2", "para3", "para4"],
)  # fmt: skip
def test_every_tone_curve_of_16_bit_profiles(curve: bytes, decoded) -> None:
    """Grey through the curve, with the sRGB primaries."""
    levels = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    pixels = np.repeat(levels[:, :, None], 3, axis=2)
    primaries = np.array(
        [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
    )
    profile = matrix_profile(primaries, curve)
    data = tiff_bytes(picture_tags(pixels) | {34675: (7, profile)}, pixels.tobytes())
    expected = linear_to_srgb(np.asarray(decoded(pixels / 65535), np.float32).clip(0, 1))
    # 16 fractional bits of colorants and parameters, amplified up to 12.92 in the darks
    np.testing.assert_allclose(decode_image(data, name="x") / 65535, expected, atol=1.5e-3)


def test_grey_profiles_in_8_and_16_bits() -> None:
    grey = picture()[:, :, 0]
    profile = grey_profile(gamma_curve(1.8))
    expected = linear_to_srgb((grey / 255).astype(np.float32) ** np.float32(461 / 256))
    data = pillow_bytes(grey, "PNG", icc_profile=profile)
    # LittleCMS interpolates the curve, which is steep at black: 2 levels there
    assert np.abs(decode_image(data, name="x")[:, :, 1] - 255 * expected).max() <= 2.0
    wide = grey.astype(np.uint16) * 257
    in_tiff = tiff_bytes(picture_tags(wide, photometric=1) | {34675: (7, profile)}, wide.tobytes())
    assert np.abs(decode_image(in_tiff, name="x")[:, :, 1] / 65535 - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (grey_profile(gamma_curve(2.2)), "is for grey pictures"),
        (adobe_profile().replace(b"RGB XYZ ", b"CMYKLab ", 1), "is for CMYK pictures"),
        (adobe_profile()[:140], "is broken"),
        (b"no profile", "of 10 bytes is broken"),
    ],
)
def test_unusable_profiles_are_refused(profile: bytes, says: str) -> None:
    data = pillow_bytes(picture(), "PNG", icc_profile=profile)
    with pytest.raises(UnreadableImage, match=f"'a.png': its colour profile .*{says}.*; export") as caught:
        decode_image(data, name="a.png")
    assert caught.value.reason == "unsupported-profile"


def test_a_profile_in_several_jpeg_segments_is_joined() -> None:
    profile = adobe_profile()
    halves = [(0xE2, b"ICC_PROFILE\0\2\2" + profile[200:]), (0xE2, b"ICC_PROFILE\0\1\2" + profile[:200])]
    header = read_header(jpeg_with(jpeg(), *halves), name="x", limits=LIMITS)
    assert header.icc_profile == profile


# --- RAW -------------------------------------------------------------------------------------------------


def patches(*levels: float, black: int = 512, white: int = 15871) -> np.ndarray:
    """A grey mosaic of vertical patches, 24 px each, at fractions of white."""
    fractions = np.repeat(np.array(levels), 24)[None, :].repeat(64, axis=0)
    return np.round(black + fractions * (white - black)).astype(np.uint16)


def developed(mosaic: np.ndarray, white_balance=UNIT_BALANCE, **options) -> np.ndarray:
    """Centres of the patches in [0, 1], one row per patch."""
    pixels = develop_raw(dng_bytes(mosaic, **options), white_balance=white_balance, name="x", limits=LIMITS)
    assert pixels.dtype == np.uint16
    return pixels[32, 12::24] / 65535


@pytest.mark.parametrize("peak", [0.60, 0.74, 0.76, 0.80, 0.90, 0.98, 1.0])
def test_the_peak_of_a_frame_does_not_change_its_scale(peak: float) -> None:
    """libraw's default stretches every frame whose peak lies above 0.75 of white, each by its own factor."""
    linear = developed(patches(0.05, 0.1, 0.2, peak))
    truth = (patches(0.05, 0.1, 0.2, peak)[0, 12::24].astype(float) - 512) / (15871 - 512)
    np.testing.assert_allclose(linear, np.repeat(truth[:, None], 3, axis=1), rtol=1e-3)


def test_white_balance_is_the_callers_and_scales_by_its_smallest_multiplier() -> None:
    balanced = developed(patches(0.05, 0.1, 0.2), (2.0, 1.0, 1.5, 1.0), neutral=(0.5, 1.0, 0.66))
    np.testing.assert_allclose(balanced, np.outer([0.05, 0.1, 0.2], [2.0, 1.0, 1.5]), rtol=2e-3)  # 14 bits
    halved = developed(patches(0.05, 0.1, 0.2), (1.0, 0.5, 0.75, 0.5))
    np.testing.assert_array_equal(halved, balanced)


def test_saturated_sensor_is_white_in_every_balance() -> None:
    for balance in (UNIT_BALANCE, (2.0, 1.0, 1.5, 1.0), (0.7, 1.0, 1.4, 1.0)):
        assert developed(patches(0.1, 1.0, 1.0), balance)[2].min() == 1.0


def test_as_shot_white_balance_is_read() -> None:
    data = dng_bytes(patches(0.1, 0.2), neutral=(0.5, 1.0, 0.625))
    red, green, blue, second_green = raw_white_balance(data, name="x")
    assert (red / green, blue / green, second_green / green) == pytest.approx((2.0, 1.6, 1.0))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_raw_comes_upright_and_its_header_says_how(orientation: int) -> None:
    mosaic = patches(0.05, 0.2, 0.4, 0.8)
    mosaic[:8] = 512
    data = dng_bytes(mosaic, orientation=orientation)
    header = read_header(data, name="x", limits=LIMITS)
    assert (header.orientation, header.width, header.height) == (orientation, 96, 64)
    plain = develop_raw(dng_bytes(mosaic), white_balance=UNIT_BALANCE, name="x", limits=LIMITS)
    turned = develop_raw(data, white_balance=UNIT_BALANCE, name="x", limits=LIMITS)
    np.testing.assert_array_equal(turned, upright(plain, orientation))


def test_a_cut_raw_with_its_tags_in_front_is_truncated() -> None:
    """Adobe's layout: libraw would develop what is left without a word."""
    data = bytearray(dng())
    strip_offset = data.find(struct.pack("<HHI", 273, 4, 1)) + 8
    length = 96 * 64 * 2
    struct.pack_into("<I", data, strip_offset, len(data))
    moved = bytes(data) + bytes(data[8 : 8 + length])
    assert read_header(moved, name="a.dng", limits=LIMITS).kind == "raw"
    with pytest.raises(
        UnreadableImage, match=r"'a\.dng': 40 bytes of pixels are missing .*; copy it"
    ) as caught:
        read_header(moved[:-40], name="a.dng", limits=LIMITS)
    assert caught.value.reason == "truncated"


def test_a_monochrome_sensor_gives_grey_rgb() -> None:
    data = monochrome_dng_bytes(patches(0.1, 0.4, 1.0))
    linear = develop_raw(data, white_balance=UNIT_BALANCE, name="x", limits=LIMITS)
    assert linear.shape == (64, 72, 3)
    np.testing.assert_allclose(linear[32, 12::24] / 65535, np.outer([0.1, 0.4, 1.0], [1, 1, 1]), rtol=1e-3)


def test_decode_image_sends_raw_files_to_develop_raw() -> None:
    with pytest.raises(ValueError, match=r"'a\.dng' is a RAW file: use develop_raw"):
        decode_image(dng(), name="a.dng")


def test_display_is_the_srgb_curve() -> None:
    linear = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    exact = linear_to_srgb(linear)
    np.testing.assert_array_equal(display_from_linear(linear), np.round(exact * 255).astype(np.uint8))
    wide = display_from_linear(linear, bits=16)
    assert wide.dtype == np.uint16
    assert (wide[0, 0], wide[-1, -1]) == (0, 65535)
    assert np.all(np.diff(wide.astype(int).ravel()) >= 0)


# --- encoding --------------------------------------------------------------------------------------------


def test_jpeg_is_baseline_444_without_metadata() -> None:
    data = encode_jpeg(picture())
    with Image.open(io.BytesIO(data)) as opened:
        assert [component[1:3] for component in opened.layer] == [(1, 1)] * 3
        assert "progressive" not in opened.info
        assert not opened.getexif()
        assert "icc_profile" not in opened.info
    assert np.abs(decode_image(data, name="x").astype(int) - picture()).mean() < 4


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
def test_a_real_dng_opens_and_loses_nothing_to_automatics() -> None:
    path = BRACKETS / "photoprism_photoprism_canon_eos_6d" / "photoprism_canon_eos_6d.dng"
    if not path.exists():
        pytest.skip(f"no real brackets at {BRACKETS}")
    data = path.read_bytes()
    balance = raw_white_balance(data, name=path.name)
    linear = develop_raw(data, white_balance=balance, name=path.name, limits=LIMITS)
    assert linear.shape == (816, 1224, 3)
    doubled = tuple(2 * value for value in balance)
    np.testing.assert_array_equal(
        develop_raw(data, white_balance=doubled, name=path.name, limits=LIMITS), linear
    )


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
