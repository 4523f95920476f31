"""Stripped JPEGs keep their pixels and nothing else; names of camera files are not published."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from builder.camera_metadata import camera_position
from builder.codecs.image_headers import read_header
from builder.dataset.public_names import public_group, public_names
from builder.images import UnreadableImage, without_metadata
from builder.settings import ScanSettings
from tests.builder.faked_dataset import ARTIST, COMMENT, NOON, OWNER, PLACE, SERIAL, XMP_SECRET, camera_jpeg

KEPT_MARKERS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE}


def pixels() -> np.ndarray:
    random = np.random.default_rng(7)
    return cv2.resize(
        random.integers(0, 256, (20, 30, 3), np.uint8), (150, 101), interpolation=cv2.INTER_CUBIC
    )


def encoded(**options) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(pixels()).save(memory, "JPEG", quality=90, **options)
    return memory.getvalue()


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    return data[:2] + bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]


def markers(data: bytes) -> list[int]:
    """Markers up to the first scan."""
    found, position = [], 2
    while not found or found[-1] != 0xDA:
        found.append(data[position + 1])
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return found


JPEGS = {
    "baseline": encoded(),
    "progressive": encoded(progressive=True),
    "4:4:4": encoded(subsampling=0),
    "restarts": encoded(restart_marker_rows=1),
    "camera": camera_jpeg(pixels(), 4711, NOON),
    "fill bytes": with_segment(encoded(), 0xFE, b"x").replace(b"\xff\xfe", b"\xff\xff\xff\xfe", 1),
    "Adobe RGB coding": simplejpeg.encode_jpeg(np.ascontiguousarray(pixels()), 92, "RGB", "444"),
    "thumbnail in JFIF": with_segment(
        encoded()[:2] + encoded()[20:], 0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + b"T" * 12
    ),
}


@pytest.mark.parametrize("kind", JPEGS)
def test_pixels_are_the_same_in_three_decoders(kind):
    data = JPEGS[kind]
    stripped = without_metadata(data, name=kind)
    assert np.array_equal(simplejpeg.decode_jpeg(stripped), simplejpeg.decode_jpeg(data))
    before, after = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in (data, stripped))
    assert np.array_equal(before, after)
    before, after = (np.asarray(Image.open(io.BytesIO(one))) for one in (data, stripped))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", JPEGS)
def test_only_what_a_decoder_needs_is_left(kind):
    stripped = without_metadata(JPEGS[kind], name=kind)
    assert set(markers(stripped)) <= KEPT_MARKERS
    assert stripped.endswith(b"\xff\xd9")
    assert without_metadata(stripped, name=kind) == stripped
    opened = Image.open(io.BytesIO(stripped))
    assert not opened.getexif()
    assert not {"exif", "comment", "icc_profile", "photoshop", "xmp"} & set(opened.info)


@pytest.mark.parametrize(
    "secret", [SERIAL, OWNER, ARTIST, COMMENT, XMP_SECRET, "IMG_4711", "2018:07:20", PLACE.decode()]
)
def test_the_camera_file_held_the_secret_and_the_stripped_one_does_not(secret):
    assert secret.encode() in JPEGS["camera"]
    assert secret.encode() not in without_metadata(JPEGS["camera"], name="camera")


def test_the_position_is_read_for_comparing_scenes_only():
    data = JPEGS["camera"]
    header = read_header(data, name="x", limits=ScanSettings())
    assert camera_position(data, header) == pytest.approx((52.52, 13.405))
    plain = encoded()
    assert camera_position(plain, read_header(plain, name="x", limits=ScanSettings())) is None


def test_markers_hidden_in_a_scan_do_not_end_it():
    """Stuffed zeros and restarts are data; a smaller picture behind the end is not."""
    data = JPEGS["restarts"]
    assert any(bytes([0xFF, 0xD0 + k]) in data for k in range(8))
    assert b"\xff\x00" in data
    assert without_metadata(data + encoded(), name="x") == without_metadata(data, name="x")


@pytest.mark.parametrize("share", [0.999, 0.5, 0.1, 0.02])
def test_a_cut_file_is_refused(share):
    data = encoded()
    with pytest.raises(UnreadableImage, match=r"'cut\.jpg'.*this JPEG"):
        without_metadata(data[: int(len(data) * share)], name="cut.jpg")


def test_an_impossible_segment_is_refused():
    data = encoded()
    with pytest.raises(UnreadableImage, match="impossible length 1"):
        without_metadata(data[:2] + b"\xff\xe1\x00\x01" + data[2:], name="x")
    with pytest.raises(UnreadableImage, match="should start a segment"):
        without_metadata(data[:2] + b"ab" + data[2:], name="x")


@pytest.mark.parametrize(
    ("scene", "published"),
    [
        ("church", "church"),
        ("img_4711", "scene-88d4266fd4"),
        ("img_4711-2", "scene-88d4266fd4"),
        ("church-2", "church-2"),
    ],
)
def test_a_scene_named_after_a_camera_file_gets_another_name(scene, published):
    originals = [(f"originals/{scene}/00-IMG_4710.jpg", "ab"), (f"originals/{scene}/01-IMG_4711.jpg", "cd")]
    assert public_names([(scene, originals)]) == {scene: published}


def test_equal_files_still_give_two_names():
    originals = [("originals/x/00-IMG_1.jpg", "ab")]
    names = public_names([("img_1", originals), ("img_1-2", originals)])
    assert len(set(names.values())) == 2


def test_a_group_follows_its_scene():
    assert public_group("img_4711", {"img_4711": "scene-01"}) == "scene-01"
    assert public_group("market", {"img_4711": "scene-01"}) == "market"


def test_a_thumbnail_in_the_jfif_marker_goes_too():
    data = JPEGS["thumbnail in JFIF"]
    assert b"T" * 12 in data
    stripped = without_metadata(data, name="x")
    assert b"T" * 12 not in stripped
    assert stripped[2:4] == b"\xff\xe0"
    assert stripped[6:20] == b"JFIF\0\1\1\0\0\1\0\1\0\0"
