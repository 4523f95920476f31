"""The command `enhance`: which files, which names, what is never touched, what happens to bad ones."""

from __future__ import annotations

import os

import numpy as np
import pytest
from click.testing import CliRunner

import trainer.commands.enhance
from builder.images import decode_exr, decode_image, encode_jpeg, encode_png, read_image
from tests.trainer.sample_networks import Brighter, Convolved, Decoding, trained
from trainer.__main__ import main
from trainer.checkpoint import save_weights
from trainer.enhancement.enhancer import Enhancer
from trainer.exit_codes import STORAGE

GREY = np.full((40, 56, 3), 100, np.uint8)
BRIGHTER = 100 + round(0.1 * 255)


def every_run_is(network, monkeypatch):
    monkeypatch.setattr(
        trainer.commands.enhance,
        "load_enhancer",
        lambda run, **keywords: Enhancer(trained(network), **keywords),
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder whose network is Brighter."""
    every_run_is(Brighter(), monkeypatch)
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def enhance(run, *arguments: object):
    return CliRunner().invoke(main, ["enhance", str(run), *map(str, arguments)])


def files(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    (folder / "one.png").write_bytes(encode_png(GREY))
    (folder / "two.JPG").write_bytes(encode_jpeg(GREY))
    (folder / "trip" / "one.png").write_bytes(encode_png(GREY))
    (folder / "notes.txt").write_text("no photograph")
    return folder


def test_folders_and_files_are_enhanced_in_their_places(run, photos, tmp_path):
    result = enhance(run, photos, "--output", tmp_path / "out", "--tile", 16)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == ["one.png", "trip/one.png", "two.jpg"]
    assert "3 of 3 photographs enhanced" in result.output
    for name in files(tmp_path / "out"):
        assert np.abs(read_image(tmp_path / "out" / name).astype(int) - BRIGHTER).max() <= 1


def test_the_same_name_from_two_folders_does_not_collide(run, photos, tmp_path):
    arguments = (photos / "one.png", photos / "trip" / "one.png", "--output", tmp_path / "out")
    assert enhance(run, *arguments).exit_code == 0
    assert files(tmp_path / "out") == ["one-2.png", "one.png"]


def test_a_photograph_named_twice_is_made_once(run, photos, tmp_path):
    assert enhance(run, photos, photos / "one.png", "--output", tmp_path / "out").exit_code == 0
    assert files(tmp_path / "out") == ["one.png", "trip/one.png", "two.jpg"]


def test_results_in_the_folder_itself_are_not_taken_for_photographs(run, photos):
    for _ in range(2):
        assert enhance(run, photos, "--output", photos / "out", "--overwrite").exit_code == 0
    assert files(photos / "out") == ["one.png", "trip/one.png", "two.jpg"]


@pytest.fixture
def lit(run, monkeypatch):
    """The run's network estimates light: what sRGB says."""
    every_run_is(Decoding(), monkeypatch)


@pytest.mark.usefixtures("lit")
def test_the_light_lies_beside_each_result(run, photos, tmp_path):
    out = tmp_path / "out"
    assert enhance(run, photos, "--output", out, "--tile", 16, "--hdr").exit_code == 0
    assert files(out) == ["one.exr", "one.png", "trip/one.exr", "trip/one.png", "two.exr", "two.jpg"]
    light = decode_exr((out / "trip/one.exr").read_bytes(), name="one").pixels
    assert light.shape == GREY.shape
    assert light == pytest.approx(((100 / 255 + 0.055) / 1.055) ** 2.4, rel=1e-3)
    assert "exists already" in enhance(run, photos, "--output", out, "--hdr").output
    (out / "one.png").unlink()
    enhance(run, photos / "one.png", "--output", out, "--hdr")
    assert not (out / "one.png").exists(), "half of a pair was written beside an older half"


def test_a_network_without_light_says_which_have_it(run, photos, tmp_path):
    result = enhance(run, photos, "--output", tmp_path / "out", "--hdr")
    assert result.exit_code == 2
    assert "drht_paper" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("file_format", "suffix"), [("jpeg", "jpg"), ("png", "png"), ("tiff", "tif")])
def test_another_format_can_be_asked_for(run, photos, tmp_path, file_format, suffix):
    result = enhance(run, photos / "one.png", "--output", tmp_path / "out", "--format", file_format)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == [f"one.{suffix}"]
    pixels = decode_image((tmp_path / "out" / f"one.{suffix}").read_bytes(), name="result")
    assert np.abs(pixels.astype(int) - BRIGHTER).max() <= 1


def test_quality_is_of_the_jpeg(run, tmp_path):
    noise = np.random.default_rng(0).integers(0, 200, (64, 64, 3), np.uint8)
    (tmp_path / "noise.jpg").write_bytes(encode_jpeg(noise))
    sizes = []
    for quality in (30, 95):
        enhance(run, tmp_path / "noise.jpg", "--output", tmp_path / f"q{quality}", "--quality", quality)
        sizes.append((tmp_path / f"q{quality}" / "noise.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2


def test_strength_0_gives_the_file_as_it_was(run, photos, tmp_path):
    assert enhance(run, photos, "--output", tmp_path / "out", "--strength", 0).exit_code == 0
    for name, result in (("two.JPG", "two.jpg"), ("one.png", "one.png")):
        assert (tmp_path / "out" / result).read_bytes() == (photos / name).read_bytes()
    enhance(run, photos / "two.JPG", "--output", tmp_path / "out", "--strength", 0, "--format", "png")
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "two.png"), read_image(photos / "two.JPG"))


# --- what is never touched -------------------------------------------------------------------------------


def test_existing_results_stay_unless_told_otherwise(run, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one.png").write_bytes(b"mine")
    result = enhance(run, photos, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "one.png: exists already; --overwrite replaces it" in result.output
    assert (tmp_path / "out" / "one.png").read_bytes() == b"mine"
    assert files(tmp_path / "out") == ["one.png", "trip/one.png", "two.jpg"]
    assert enhance(run, photos, "--output", tmp_path / "out", "--overwrite").exit_code == 0
    assert read_image(tmp_path / "out" / "one.png")[0, 0, 0] == BRIGHTER


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_an_input_is_never_replaced(run, photos, tmp_path, link):
    output = photos
    if link is not None:
        output = tmp_path / "out"
        output.mkdir()
        link(photos / "one.png", output / "one.png")
    before = (photos / "one.png").read_bytes()
    result = enhance(run, photos / "one.png", "--output", output, "--overwrite")
    assert result.exit_code == 1
    assert "is one of the photographs given" in result.output
    assert (photos / "one.png").read_bytes() == before


# --- what goes wrong -------------------------------------------------------------------------------------


def test_unreadable_files_are_named_and_the_others_go_on(run, photos, tmp_path):
    (photos / "broken.jpg").write_bytes((photos / "two.JPG").read_bytes()[:300])
    (photos / "empty.png").write_bytes(b"")
    result = enhance(run, photos / "missing.jpg", photos, "--output", tmp_path / "out")
    assert result.exit_code == 1
    for name in ("missing.jpg", "broken.jpg", "empty.png"):
        assert f"{name}'" in result.stderr
    assert "3 of 6 photographs enhanced" in result.stdout
    assert files(tmp_path / "out") == ["one.png", "trip/one.png", "two.jpg"]


def test_a_full_disk_ends_the_work_and_leaves_nothing_half_written(run, photos, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builder.atomic_files.os.link", refuse)
    result = enhance(run, photos, "--output", tmp_path / "out")
    assert result.exit_code == 5
    assert "No space left" in result.output
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tile", "big"), "say 'auto', a number of pixels, or 0"),
        (("--tile", "-1"), "say 'auto', a number of pixels, or 0"),
        (("--strength", "2"), "not in the range"),
        (("--format", "gif"), "gif"),
        (("--quality", "0"), "not in the range"),
    ],
)
def test_wrong_options_are_said(run, photos, tmp_path, arguments, said):
    result = enhance(run, photos, "--output", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_network_that_is_not_there_says_how_to_make_it(photos, tmp_path):
    result = enhance(tmp_path / "nowhere", photos, "--output", tmp_path / "out")
    assert result.exit_code == STORAGE
    assert "`train --output" in result.output


def test_a_folder_without_photographs_is_said(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = enhance(run, tmp_path / "empty", "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "no photographs in" in result.output


def test_a_run_folder_and_a_network_of_somebody_else(tmp_path):
    """From stored weights of `package.module:Class` to a photograph, tiled."""
    picture = np.random.default_rng(0).integers(0, 255, (61, 83, 3), np.uint8)
    (tmp_path / "photo.png").write_bytes(encode_png(picture))
    network = Convolved()
    save_weights(
        tmp_path / "run", "tests.trainer.sample_networks:Convolved", {}, network.state_dict(), "a test"
    )
    result = enhance(tmp_path / "run", tmp_path / "photo.png", "--output", tmp_path / "out", "--tile", 16)
    assert result.exit_code == 0, result.output
    expected = Enhancer(trained(network), tile=0).enhance(picture)
    written = read_image(tmp_path / "out" / "photo.png")
    assert np.abs(written - 255 * expected).max() <= 0.501  # rounding alone
