"""RAW development: scale, white balance, saturation, orientation, broken files."""

import struct
from pathlib import Path

import numpy as np
import pytest

from builder.images import (
    UnreadableImage,
    decode_image,
    develop_raw,
    display_from_linear,
    raw_white_balance,
    read_header,
    upright,
)
from builder.settings import ScanSettings
from fusion_algos.color import linear_to_srgb
from tests.builder.bad_files import dng
from tests.builder.image_files import (
    dng_bytes,
    monochrome_dng_bytes,
)

LIMITS = ScanSettings()
UNIT_BALANCE = (1.0, 1.0, 1.0, 1.0)
BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"


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
