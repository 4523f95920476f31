"""The simulated camera, its DNG and its EXIF, against independent readers."""

from __future__ import annotations

import io
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import exifread
import numpy as np
import pytest
import rawpy

from builder.simulate.camera import RESPONSES, SENSOR, bayer, expose, picture
from builder.simulate.dng import encode_dng
from builder.simulate.exif import Shot, nominal_seconds
from builder.simulate.files import write_sequence
from builder.simulate.sequences import KINDS

SHOT = Shot(
    seconds=Fraction(1, 30), f_number=Fraction(56, 10), iso=200, bias=Fraction(-2),
    captured_at=datetime(2018, 9, 8, 16, 31, 12, 910000), offset="+02:00", orientation=1, maker="Foundry",
    model="S-5", serial="7310042", lens="SR 20-50mm F4", focal_length=Fraction(35), manual=False,
)  # fmt: skip


def developed(data: bytes) -> np.ndarray:
    """Linear RGB in [0, 1] by the call that the builder uses."""
    with rawpy.imread(io.BytesIO(data)) as raw:
        image = raw.postprocess(
            gamma=(1, 1),
            output_bps=16,
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            user_wb=[1, 1, 1, 1],
            user_flip=0,
            output_color=rawpy.ColorSpace.sRGB,
            highlight_mode=rawpy.HighlightMode.Clip,
        )
    return image / 65535.0


def test_dng_gives_back_the_written_patches() -> None:
    patches = np.array(
        [[(0.5, 0.25, 0.125), (0.01, 0.02, 0.03)], [(0.9, 0.9, 0.9), (0.2, 0.7, 0.05)]], np.float32
    )
    linear = patches.repeat(64, axis=0).repeat(64, axis=1)
    numbers = np.rint(linear * (SENSOR.white - SENSOR.black) + SENSOR.black).astype(np.uint16)
    image = developed(encode_dng(bayer(numbers), SHOT))
    assert image.shape == (128, 128, 3)
    for row in range(2):
        for column in range(2):
            middle = image[64 * row + 24 : 64 * row + 40, 64 * column + 24 : 64 * column + 40]
            # Half a step of 15359 raw levels is 3e-5; the matrix, rounded in LibRaw, adds as much.
            assert middle.mean(axis=(0, 1)) == pytest.approx(patches[row, column], abs=1.5e-4)


@pytest.mark.parametrize("peak", [0.74, 0.8, 0.98])
def test_developing_does_not_stretch_the_peak(peak: float) -> None:
    numbers = np.full((64, 64, 3), round(peak * (SENSOR.white - SENSOR.black)) + SENSOR.black, np.uint16)
    assert developed(encode_dng(bayer(numbers), SHOT)).mean() == pytest.approx(peak, rel=1e-3)


def test_dng_facts_are_read_by_rawpy_and_exifread() -> None:
    data = encode_dng(np.full((64, 96), 5000, np.uint16), SHOT)
    with rawpy.imread(io.BytesIO(data)) as raw:
        assert raw.other.shutter_speed == pytest.approx(1 / 30, rel=1e-5)
        assert raw.other.aperture == pytest.approx(5.6)
        assert raw.other.iso_speed == 200
        assert (raw.sizes.flip, raw.sizes.width, raw.sizes.height) == (0, 96, 64)
        assert (raw.black_level_per_channel, raw.white_level) == ([512] * 4, 15871)
        assert raw.raw_image.min() == raw.raw_image.max() == 5000
    tags = exifread.process_file(io.BytesIO(data), details=False)
    assert str(tags["EXIF ExposureTime"]) == "1/30"
    assert str(tags["EXIF DateTimeOriginal"]) == "2018:09:08 16:31:12"
    assert str(tags["EXIF SubSecTimeOriginal"]) == "91"
    assert str(tags["EXIF OffsetTimeOriginal"]) == "+02:00"
    assert str(tags["EXIF ExposureBiasValue"]) == "-2"
    assert str(tags["EXIF BodySerialNumber"]) == "7310042"
    assert str(tags["Image Model"]) == "S-5"


@pytest.mark.parametrize(("flip", "orientation"), [(0, 1), (3, 3), (6, 6), (5, 8)])
def test_dng_orientation_is_the_flip_of_libraw(flip: int, orientation: int) -> None:
    shot = Shot(**{**vars(SHOT), "orientation": orientation})
    with rawpy.imread(io.BytesIO(encode_dng(np.full((64, 96), 5000, np.uint16), shot))) as raw:
        assert raw.sizes.flip == flip


def test_workshop_merges_to_its_truth(tmp_path: Path) -> None:
    photos, truth = tmp_path / "photos", tmp_path / "truth"
    photos.mkdir()
    truth.mkdir()
    write_sequence(tmp_path, KINDS["workshop"], (480, 320), 3)
    radiance = np.load(truth / "radiance.npy")
    total, weight = np.zeros_like(radiance), np.zeros_like(radiance)
    paths = sorted(photos.glob("*.DNG"))
    assert [path.with_suffix(".JPG").exists() for path in paths] == [True] * 5
    for path in paths:
        data = path.read_bytes()
        printed = exifread.process_file(io.BytesIO(data))["EXIF ExposureTime"].values[0]
        seconds = 2.0 ** round(np.log2(float(printed)))
        linear = developed(data)
        usable = np.where((linear < 0.95) & (linear > 0.002), seconds, 0.0)
        total += usable * linear / seconds
        weight += usable
    seen = weight > 0
    assert seen.mean() > 0.9
    error = np.abs(np.log2(total[seen] / weight[seen] / radiance[seen]))
    assert np.median(error) < 0.05  # of which most is demosaicing


def test_noise_of_an_exposure_is_that_of_the_sensor() -> None:
    radiance = np.full((200, 300, 3), 0.1, np.float32)
    first, second = (expose(radiance, 2.0, seed=5, frame=k).astype(float) for k in (0, 1))
    gain = (SENSOR.white - SENSOR.black) / SENSOR.full_well
    electrons = 0.2 * SENSOR.full_well + SENSOR.dark_current * 2.0
    assert first.mean() == pytest.approx(SENSOR.black + gain * electrons, rel=1e-3)
    # The fixed pattern cancels in the difference: shot and read noise remain, twice.
    temporal = np.std(first - second) / np.sqrt(2) / gain
    assert temporal == pytest.approx(np.sqrt(electrons + SENSOR.read_noise**2), rel=0.01)
    fixed = np.sqrt(np.var((first + second) / 2 / gain) - temporal**2 / 2)
    assert fixed == pytest.approx(SENSOR.photo_response * electrons, rel=0.05)


def test_dark_and_light_clip_at_the_ends() -> None:
    dark = expose(np.zeros((64, 64, 3), np.float32), 1.0, seed=1, frame=0)
    assert 500 < dark.min() < SENSOR.black < dark.max() < 530
    light = expose(np.full((64, 64, 3), 1e6, np.float32), 1.0, seed=1, frame=0)
    assert np.all(light == SENSOR.white)
    assert picture(dark, "srgb").max() < 8
    assert np.all(picture(light, "film") == 255)


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_response_rises_from_black_to_white(name: str) -> None:
    curve = RESPONSES[name](np.linspace(0, 1, 1001))
    assert (curve[0], curve[-1]) == (0, pytest.approx(1))
    assert np.all(np.diff(curve) > 0)


def test_film_has_more_toe_and_shoulder_than_srgb() -> None:
    dark, light = 0.01, 0.7
    film, srgb = RESPONSES["film"], RESPONSES["srgb"]
    assert film(np.array(dark)) < 0.8 * srgb(np.array(dark))
    assert 1 - film(np.array(light)) < 0.8 * (1 - srgb(np.array(light)))


@pytest.mark.parametrize(
    ("true", "printed"),
    [("1/32", "1/30"), ("1/64", "1/60"), ("1/16", "1/15"), ("1/1024", "1/1000"), ("1/4", "1/4"),
     ("1/512", "1/500"), ("2", "2"), ("16", "15"), ("32", "30")],
)  # fmt: skip
def test_printed_seconds(true: str, printed: str) -> None:
    assert nominal_seconds(Fraction(true)) == Fraction(printed)
