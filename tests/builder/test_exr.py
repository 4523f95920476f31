"""OpenEXR: written for everyone, read back exactly as half floats."""

from __future__ import annotations

import numpy as np
import pytest

from builder.images import LinearPicture, decode_exr, encode_exr


def light(height: int, width: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.exp(random.normal(0, 2, (height, width, 3))).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (15, 7), (16, 32), (17, 33), (100, 61)])
def test_reads_back_as_half_floats(shape):
    pixels = light(*shape)
    picture = decode_exr(encode_exr(LinearPicture(pixels, {"scale": "1.0 = white"})), name="x")
    assert np.array_equal(picture.pixels, pixels.astype(np.float16).astype(np.float32))
    assert picture.texts == {"scale": "1.0 = white"}


def test_smooth_pictures_get_smaller_and_the_bytes_are_always_the_same():
    rows, columns = np.mgrid[:64, :96].astype(np.float32)
    pixels = np.stack([rows / 64, columns / 96, rows * 0 + 0.25], axis=-1)
    data = encode_exr(LinearPicture(pixels))
    assert len(data) < pixels.size * 2 * 0.6
    assert data == encode_exr(LinearPicture(pixels.copy()))


def test_light_beyond_half_floats_is_clipped_and_faint_light_kept():
    pixels = np.array([[[1e9, 65504, 6e-8]]], np.float32)
    assert decode_exr(encode_exr(LinearPicture(pixels)), name="x").pixels.ravel() == pytest.approx(
        [65504, 65504, 5.96e-8], rel=0.01
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-3])
def test_what_is_no_light_is_refused(bad):
    pixels = light(4, 4)
    pixels[1, 2, 0] = bad
    with pytest.raises(ValueError, match="finite light"):
        encode_exr(LinearPicture(pixels))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="HxWx3"):
        encode_exr(LinearPicture(np.zeros(shape, np.float32)))


def test_damaged_files_are_refused_by_name():
    data = encode_exr(LinearPicture(light(40, 20)))
    for broken in (
        b"",
        b"text",
        data[:50],
        data[: len(data) // 2],
        data[:-3],
        data[:400] + b"\0" * (len(data) - 400),
    ):
        with pytest.raises(ValueError, match=r"scene\.exr"):
            decode_exr(broken, name="scene.exr")


def test_openexr_reads_it(tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="the extra export-check brings OpenEXR")
    pixels = light(37, 53)
    path = tmp_path / "a.exr"
    path.write_bytes(encode_exr(LinearPicture(pixels, {"scale": "1.0 = white of exposure 2"})))
    with openexr.File(str(path)) as file:
        assert np.array_equal(file.channels()["RGB"].pixels, pixels.astype(np.float16))
        header = dict(file.header())
    assert header["scale"] == "1.0 = white of exposure 2"
    assert header["compression"] == openexr.ZIP_COMPRESSION
    assert header["chromaticities"] == pytest.approx((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290))


def test_we_read_what_openexr_writes(tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="the extra export-check brings OpenEXR")
    pixels = light(37, 53).astype(np.float16)
    path = str(tmp_path / "b.exr")
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    with openexr.File(header, {"RGB": pixels}) as file:
        file.write(path)
    with open(path, "rb") as stream:
        assert np.array_equal(decode_exr(stream.read(), name=path).pixels, pixels.astype(np.float32))
