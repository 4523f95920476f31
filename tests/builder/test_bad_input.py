"""Every bad file is refused with its reason and a sentence: what, which file, what was found, what to do."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from builder.camera_metadata import read_facts
from builder.images import UnreadableImage, decode_image, develop_raw, read_bytes, read_header
from builder.settings import ScanSettings
from tests.builder.bad_files import (
    BAD_FILES,
    FLAGGED_FILES,
    MAX_FILE_MB,
    MAX_MEGAPIXELS,
    ODD_FILES,
    BadFile,
    OddFile,
    camera_jpeg,
)

LIMITS = ScanSettings(max_megapixels=MAX_MEGAPIXELS, max_file_mb=MAX_FILE_MB)
STAGES = ("bytes", "header", "pixels")


def read_until(stage: str, path: Path) -> None:
    """Read a file as the scan ("bytes", "header") and the build ("pixels") do."""
    data = read_bytes(path, LIMITS)
    if stage == "bytes":
        return
    header = read_header(data, name=str(path), limits=LIMITS)
    if stage == "header":
        return
    if header.kind == "raw":
        develop_raw(data, white_balance=(1.0, 1.0, 1.0, 1.0), name=str(path), limits=LIMITS)
    else:
        decode_image(data, name=str(path), limits=LIMITS)


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: ascii(bad.name))
def test_refusal_names_reason_file_and_remedy(bad: BadFile, tmp_path: Path) -> None:
    if bad.name == "forbidden.jpg" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    bad.write(tmp_path)
    with pytest.raises(UnreadableImage) as caught:
        read_until(bad.found_by, tmp_path / bad.name)
    sentence = str(caught.value)
    assert caught.value.reason == bad.reason
    assert bad.says in sentence
    assert repr(str(tmp_path / bad.name)) in sentence
    assert "; " in sentence, "no remedy"
    assert sentence.isprintable()
    earlier = STAGES.index(bad.found_by)
    if earlier:
        read_until(STAGES[earlier - 1], tmp_path / bad.name)


@pytest.mark.parametrize("odd", FLAGGED_FILES + ODD_FILES, ids=lambda odd: ascii(odd.name))
def test_damaged_tags_and_odd_names_cost_no_picture(odd: OddFile, tmp_path: Path) -> None:
    path = tmp_path / odd.name
    path.write_bytes(odd.content())
    data = read_bytes(path, LIMITS)
    header = read_header(data, name=str(path), limits=LIMITS)
    facts = read_facts(data, path=str(path), kind=header.kind, width=header.width, height=header.height)
    assert odd.flag in facts.flags if odd.flag else facts.flags == ()
    pixels = decode_image(data, name=str(path), limits=LIMITS)
    assert pixels.shape == (facts.height, facts.width, 3)
    assert pixels.dtype == np.uint8


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UnreadableImage, match="there is no such file; check its name"):
        read_bytes("nowhere/frame.jpg", LIMITS)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), "its permissions forbid reading it; allow reading it"),
        (OSError(5, "Input/output error"), "the system says: Input/output error; check the disk"),
    ],
)
def test_errors_of_the_file_system_become_sentences(
    error: OSError, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "frame.jpg"
    path.write_bytes(camera_jpeg())

    def fail(self: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(UnreadableImage, match=says) as caught:
        read_bytes(path, LIMITS)
    assert caught.value.reason == "unreadable"
    assert repr(str(path)) in str(caught.value)


def test_a_refusal_survives_the_way_from_a_worker_process() -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode_image(camera_jpeg()[:-500], name="church/1.jpg")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.reason, str(copied)) == ("truncated", str(caught.value))


def test_no_damage_to_a_header_escapes_as_another_error() -> None:
    """Random bytes in headers: a picture, or a refusal; never another exception."""
    rng = np.random.default_rng(5)
    from tests.builder.bad_files import dng, png, tiff

    for content in (camera_jpeg(), png(), tiff(), dng()):
        for _ in range(60):
            damaged = bytearray(content)
            for position in rng.integers(0, len(damaged), 6):
                damaged[position] = rng.integers(0, 256)
            start = len(damaged) - 400 if damaged[:2] == b"II" else 0  # where the tags are
            for position in rng.integers(start, start + 400, 3):
                damaged[position] = rng.integers(0, 256)
            try:
                header = read_header(bytes(damaged), name="damaged", limits=LIMITS)
            except UnreadableImage:
                continue
            read_facts(
                bytes(damaged), path="damaged", kind=header.kind, width=header.width, height=header.height
            )
