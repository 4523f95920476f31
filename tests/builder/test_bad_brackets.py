"""A source full of bad input beside one good scene: each kind gets its sentence, the good scene is built."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from builder.catalog import Scene
from tests.builder.bad_files import BAD_FILES as ALL_BAD_FILES
from tests.builder.bad_files import MAKER_TAGS, MAX_FILE_MB, camera_tags, jpeg, picture, with_garbage
from tests.builder.foundry import build_command
from tests.builder.image_files import exif_block, jpeg_with, jpeg_with_exif
from tests.builder.test_build import rows

# A folder called x.jpg is walked like any other; what only decoding finds stands among the brackets.
BAD_FILES = [bad for bad in ALL_BAD_FILES if bad.name != "folder.jpg" and bad.found_by != "pixels"]

Seconds = tuple[int, int]
THREE: tuple[Seconds, ...] = ((1, 250), (1, 60), (1, 15))


def frame(seconds: Seconds, day: int, second: int, pixels: np.ndarray | None = None) -> bytes:
    """One shot of a made-up bracket; its brightness follows its exposure."""
    if pixels is None:
        gain = np.clip(60 * seconds[0] / seconds[1], 0.2, 4.0) ** (1 / 2.2)
        pixels = np.clip(picture() * gain, 0, 255).astype(np.uint8)
    date = f"2024:05:{day:02d} 07:08:{second:02d}"
    return jpeg_with_exif(jpeg(pixels), exif_block(camera_tags(seconds, date), MAKER_TAGS))


def bracket(folder: Path, exposures: tuple[Seconds, ...] = THREE, *pixels: np.ndarray) -> None:
    day = 1 + list(BAD_BRACKETS).index(folder.name)  # brackets of one camera and one minute would be one
    for number, seconds in enumerate(exposures):
        shot = frame(seconds, day, number, pixels[number] if pixels else None)
        (folder / f"IMG_{number + 1:04d}.JPG").write_bytes(shot)


def damaged_frame(damage: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A bracket of three of which one frame's damage shows only when its pixels are decoded."""

    def write(folder: Path) -> None:
        bracket(folder)
        (folder / "IMG_0002.JPG").write_bytes(damage((folder / "IMG_0002.JPG").read_bytes()))

    return write


def with_broken_profile(data: bytes) -> bytes:
    return jpeg_with(data, (0xE2, b"ICC_PROFILE\0\1\1" + bytes(range(200))))


def duplicate(folder: Path) -> None:
    bracket(folder)
    shutil.copy(folder / "IMG_0001.JPG", folder / "Copy of IMG_0001.JPG")


def solid(level: int) -> np.ndarray:
    return np.full((64, 96, 3), level, np.uint8)


def sizes(folder: Path) -> None:
    bracket(folder, THREE, picture(), picture(80, 96), picture())


# kind -> how to write its folder, what the build must say of it, how the scene must end (None: there is none)
BAD_BRACKETS: dict[str, tuple[Callable[[Path], None], str, str | None]] = {
    "one-frame": (lambda folder: bracket(folder, THREE[:1]), "a single frame is no bracket", None),
    "two-frames": (lambda folder: bracket(folder, THREE[:2]), "two frames are too few for a bracket", None),
    "equal": (lambda folder: bracket(folder, (THREE[1],) * 3), "all frames have the same exposure", None),
    "narrow": (
        lambda folder: bracket(folder, ((1, 60), (1, 80), (1, 100))), "the exposures differ too little", None,
    ),
    "mixed-sizes": (sizes, r"differ in width|single frame|two frames", None),
    "no-exif": (
        lambda folder: [(folder / f"{k}.jpg").write_bytes(jpeg(solid(k))) for k in (40, 90, 200)],
        "the files state no exposure; use `scan --by folder`", None,
    ),
    "copy": (duplicate, "", "ready"),
    "all-black": (lambda folder: bracket(folder, THREE, *[solid(0)] * 3), "", "ready"),
    "all-white": (lambda folder: bracket(folder, THREE, *[solid(255)] * 3), "", "ready"),
    "tiny": (lambda folder: bracket(folder, THREE, *[picture(16, 16)] * 3), "", "ready"),
    "damaged-pixels": (damaged_frame(with_garbage), "its pixels are damaged", "failed"),
    "broken-profile": (
        damaged_frame(with_broken_profile), "its colour profile of 200 bytes is broken .*; export it again", "failed",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def answer(simulated, tmp_path_factory):
    """The build of a folder that holds everything bad, and one good scene."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(simulated / "photos" / "sunset", source / "sunset")
    for number, bad in enumerate(BAD_FILES):
        (source / f"file-{number:02d}").mkdir()
        bad.write(source / f"file-{number:02d}")
    for kind, (write, _says, _ends) in BAD_BRACKETS.items():
        (source / kind).mkdir()
        write(source / kind)
    data = tmp_path_factory.mktemp("bad") / "data"
    return data, build_command(data, source, FOUNDRY_SCAN_MAX_FILE_MB=str(MAX_FILE_MB))


def said(answer) -> str:
    """All that was printed and all full reasons in the table of sequences and in the ledger."""
    data, process = answer
    files = [
        data / "sequences.csv",
        *(data / "ledger" / "failures").glob("*.json"),
        *data.glob("runs/*/run.json"),
    ]
    return "\n".join([process.stdout, process.stderr, *(path.read_text() for path in files)])


def test_the_good_scene_is_built_and_nothing_breaks(answer):
    data, process = answer
    assert process.returncode == 1  # two brackets fail when they are decoded
    assert "Traceback" not in process.stderr
    assert dict(rows(data, select(Scene.name, Scene.status)))["sunset"] == "ready"


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: os.fsencode(bad.name).decode("ascii", "replace"))
def test_every_bad_file_has_its_sentence(answer, bad):
    if bad.name == "forbidden.jpg" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    name = ascii(bad.name)[1:-1]
    lines = [line for line in said(answer).splitlines() if name in line or bad.name in line]
    assert any(bad.says in line for line in lines), lines[:3]


@pytest.mark.parametrize("kind", BAD_BRACKETS)
def test_every_bad_bracket_ends_as_it_should(answer, kind):
    _write, says, ends = BAD_BRACKETS[kind]
    states = dict(rows(answer[0], select(Scene.name, Scene.status)))
    assert states.get(kind) == ends, states
    assert any(re.search(says, line) for line in said(answer).splitlines() if kind in line)


def test_there_are_thirty_kinds():
    assert len(BAD_FILES) + len(BAD_BRACKETS) >= 30
