"""Embedded colour profiles: what they say is applied, and what cannot be applied is refused."""

import struct

import numpy as np
import pytest
from PIL import ImageCms

from builder.images import (
    UnreadableImage,
    decode_image,
    read_header,
)
from builder.settings import ScanSettings
from fusion_algos.color import linear_to_srgb, srgb_to_linear
from tests.builder.bad_files import jpeg, picture
from tests.builder.image_files import (
    ADOBE_RGB_D50,
    gamma_curve,
    grey_profile,
    jpeg_with,
    matrix_profile,
    picture_tags,
    pillow_bytes,
    tiff_bytes,
)

LIMITS = ScanSettings()
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998), 4.3.4.2
# One column per channel, linear sRGB of linear Adobe RGB (Lindbloom's matrices, D65 throughout)
ADOBE_TO_SRGB = np.array([[1.3983557, -0.3983557, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429290, 1.0429290]])


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
