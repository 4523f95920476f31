"""What the trainer asks of a dataset before it computes anything, and the words when it does not get it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import trainer.dataset.manifest
from builder.atomic_files import digest_path
from builder.images import encode_png
from tests.trainer.exported_dataset import (
    HEIGHT,
    WIDTH,
    TinyScene,
    change_row,
    noise,
    replace_picture,
    write_dataset,
)
from trainer.dataset.manifest import DatasetError, open_dataset, well_placed
from trainer.exposure_kinds import kind_of

SPLITS = ("train", "val")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("written") / "dataset")


@pytest.fixture
def folder(written, tmp_path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "dataset"))


def complaint(folder: Path, **options) -> str:
    with pytest.raises(DatasetError) as caught:
        open_dataset(folder, splits=SPLITS, **options)
    return str(caught.value)


def test_a_good_dataset_opens_with_the_splits_asked_for(written):
    dataset = open_dataset(written, splits=SPLITS)
    assert [pair.scene for pair in dataset.split("train")[::4]] == ["alley", "bridge", "church"]
    assert {pair.scene for pair in dataset.split("val")} == {"dune"}
    assert dataset.sha256 == digest_path(written / "manifest.csv")
    assert dataset.skipped == ()
    with pytest.raises(DatasetError, match="the split 'test' has no usable pair"):
        dataset.split("test")


def test_the_linear_picture_is_where_export_puts_it(tmp_path):
    scenes = (TinyScene("alley", hdr=True), TinyScene("dune", "val"))
    dataset = open_dataset(write_dataset(tmp_path, scenes), splits=SPLITS)
    assert dataset.hdr_file("alley") == tmp_path / "train/hdr/alley.exr"
    assert dataset.hdr_file("dune") is None
    assert dataset.hdr_file("nowhere") is None


@pytest.mark.parametrize(
    ("relative_ev", "kind"),
    [
        (None, "well"),
        (0.0, "well"),
        (0.5, "well"),
        (-0.5, "well"),
        (-0.51, "under"),
        (0.51, "over"),
        (6.0, "over"),
    ],
)
def test_kinds_by_exposure(relative_ev, kind):
    assert kind_of(relative_ev, 0.5) == kind


def test_misplaced_pairs_can_be_left_out(tmp_path):
    scenes = (
        TinyScene("a", residual=2.5),
        TinyScene("b", residual=None),
        TinyScene("c", "val", residual=2.0),
    )
    dataset = open_dataset(write_dataset(tmp_path, scenes), splits=SPLITS)
    assert {pair.scene for pair in well_placed(dataset.pairs, 2.0)} == {"b", "c"}


def _delete(folder: Path) -> None:
    (folder / "train/inputs/alley/2.png").unlink()


def _alter(folder: Path) -> None:
    path = folder / "train/inputs/alley/2.png"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def _other_size(folder: Path) -> None:
    replace_picture(folder, 3, encode_png(noise(1, 30, 20)))


BAD_ROWS = {
    "missing": (_delete, "line 3: scene 'alley', train/inputs/alley/2.png: is missing"),
    "altered": (_alter, "line 3: scene 'alley', train/inputs/alley/2.png: was altered (SHA-256 "),
    "other size": (
        _other_size,
        "line 3: scene 'alley', train/inputs/alley/2.png: is 30x20, but its reference "
        f"train/references/alley.png is {WIDTH}x{HEIGHT}",
    ),
    "listed size": (
        lambda folder: change_row(folder, 3, width=61),
        f"line 3: scene 'alley', train/inputs/alley/2.png: is {WIDTH}x{HEIGHT}, listed as 61x{HEIGHT}",
    ),
    "no picture": (
        lambda folder: replace_picture(folder, 3, b"not at all a picture"),
        "line 3: scene 'alley', train/inputs/alley/2.png: is no picture (",
    ),
    "empty": (
        lambda folder: replace_picture(folder, 3, b""),
        "line 3: scene 'alley', train/inputs/alley/2.png: cannot be read (",
    ),
    "outside": (
        lambda folder: change_row(folder, 3, input="../elsewhere/2.png"),
        "line 3: scene 'alley', '../elsewhere/2.png': leads out of the dataset",
    ),
    "twice": (
        lambda folder: change_row(folder, 3, input="train/inputs/alley/1.png"),
        "line 3: scene 'alley', train/inputs/alley/1.png: is listed twice",
    ),
    "no EV": (
        lambda folder: change_row(folder, 3, relative_ev="nan"),
        "line 3: scene 'alley', train/inputs/alley/2.png: its relative_ev is nan",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_pair_is_named_by_its_line_or_left_out(folder, case):
    spoil, words = BAD_ROWS[case]
    spoil(folder)
    assert words in complaint(folder)
    dataset = open_dataset(folder, splits=SPLITS, skip_bad=True)
    assert any(words in sentence for sentence in dataset.skipped)
    assert [pair.position for pair in dataset.pairs if pair.scene == "alley"] == [1, 3, 4]


def test_a_file_that_is_not_named_after_its_position_is_refused(folder):
    shutil.move(folder / "train/inputs/alley/2.png", folder / "train/inputs/alley/second.png")
    change_row(folder, 3, input="train/inputs/alley/second.png")
    assert (
        "line 3: scene 'alley', train/inputs/alley/second.png: is not named after its position"
        in complaint(folder)
    )


def test_all_faults_are_listed_at_once_in_the_order_of_lines(folder):
    _delete(folder)
    (folder / "train/references/church.png").write_bytes(b"x")
    (folder / "val/inputs/dune/4.png").unlink()
    words = complaint(folder)
    lines = [line for line in words.splitlines() if line.startswith("  line ")]
    assert [line.split(":")[0] for line in lines] == [f"  line {n}" for n in (3, 10, 11, 12, 13, 17)]
    assert "6 faults" in words
    assert "--skip-bad" in words


def test_files_of_splits_that_nobody_asked_for_are_left_alone(folder):
    (folder / "test/inputs/elm/1.png").unlink()
    assert len(open_dataset(folder, splits=SPLITS).pairs) == 16


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scene", "alley", "scene 'alley' is in train (line 2) and test (line 18)"),
        ("group", "bridge", "group 'bridge' is in train (line 6) and test (line 18)"),
    ],
)
def test_nothing_may_be_in_two_splits_even_when_bad_pairs_are_skipped(folder, name, value, words):
    change_row(folder, 18, **{name: value})  # of the split that is not opened
    assert words in complaint(folder)
    assert words in complaint(folder, skip_bad=True)


def test_an_empty_split_is_an_error(tmp_path):
    write_dataset(tmp_path, (TinyScene("alley"),))
    assert "the split 'val' has no usable pair" in complaint(tmp_path)


def test_a_split_that_is_empty_after_skipping_says_why(folder):
    (folder / "val/references/dune.png").unlink()
    words = complaint(folder, skip_bad=True)
    assert "the split 'val' has no usable pair" in words
    assert words.count("left out: line") == 4


def test_a_folder_without_manifest_is_refused(tmp_path):
    assert "no finished dataset" in complaint(tmp_path)


@pytest.mark.parametrize("row", ["train,alley", "train,a,a,one,x,y,0,,,,1,1,,,m,,,accept,"])
def test_a_damaged_manifest_is_refused(folder, row):
    with (folder / "manifest.csv").open("a") as stream:
        stream.write(row + "\n")
    assert "manifest.csv" in complaint(folder)


def test_each_file_is_read_and_hashed_once(folder, monkeypatch):
    read = []

    def counting(path):
        read.append(path.name)
        return original(path)

    original = trainer.dataset.manifest.read_bytes
    monkeypatch.setattr(trainer.dataset.manifest, "read_bytes", counting)
    open_dataset(folder, splits=SPLITS)
    assert len(read) == 4 * 5
