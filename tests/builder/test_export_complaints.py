"""What users of SICE complained about: each complaint, and that it does not hold here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from builder.dataset.examination import SMALLEST_AGREEMENT, agreement
from builder.images import read_image
from builder.settings import ExportSettings
from tests.builder.exporting import export, rows, splits_of
from tests.builder.faked_dataset import FakeScene, fake_dataset, many_scenes, view_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Eleven scenes, one of them left out; nobody changes it."""
    folder = tmp_path_factory.mktemp("complaints")
    scenes = [*many_scenes(10), FakeScene("moving", 20, flags=("dynamic",))]
    return export(fake_dataset(folder / "data", scenes), folder / "out").dataset


def test_wrong_files_csjcai_sice_1(dataset):
    """Some references of SICE belong to other scenes. Here each shows what its exposures show, in their size."""
    table = [row for row in rows(dataset / "manifest.csv") if row["relative_ev"] == "0"]
    pictures = {
        row["scene"]: (read_image(dataset / row["input"]), read_image(dataset / row["reference"]))
        for row in table
    }
    for scene, (exposure, reference) in pictures.items():
        assert exposure.shape == reference.shape
        assert agreement(exposure, reference) >= SMALLEST_AGREEMENT
        others = [agreement(exposure, other) for name, (_, other) in pictures.items() if name != scene]
        assert max(others) < agreement(exposure, reference)


def test_a_reference_of_another_scene_is_recognized():
    """On pictures of the size that is looked at."""

    def picture(seed: int, power: float) -> np.ndarray:
        light = view_of(seed, width=480, height=320)
        texture = np.random.default_rng(seed).random(light.shape).astype(np.float32) * 0.3
        return np.round(255 * np.clip(light * (0.7 + texture), 0, 1) ** power).astype(np.uint8)

    assert agreement(picture(1, 0.45), picture(1, 0.9)) > 0.7
    assert agreement(picture(1, 0.45), picture(2, 0.45)) < 0.1
    assert agreement(picture(1, 0.45), np.full((320, 480, 3), 128, np.uint8)) == 0


def test_no_official_lists_sice_11_zero_dce_21_62(dataset):
    splits = splits_of(dataset)
    assert sorted(splits) == sorted({row["scene"] for row in rows(dataset / "manifest.csv")})
    assert {row["scene"]: row["split"] for row in rows(dataset / "manifest.csv")} == splits
    for scene, split in splits.items():
        assert (dataset / split / "references" / f"{scene}.png").is_file()


def test_which_shot_which_label_which_ev_sice_5_8(dataset):
    """Every input has its EV and its label in one row; the order of the files is the order of light."""
    by_scene: dict[str, list[dict[str, str]]] = {}
    for row in rows(dataset / "manifest.csv"):
        by_scene.setdefault(row["scene"], []).append(row)
    for table in by_scene.values():
        evs = [float(row["relative_ev"]) for row in table]
        light = [read_image(dataset / row["input"]).mean() for row in table]
        assert evs == sorted(evs)
        assert light == sorted(light)
        assert [Path(row["input"]).stem for row in table] == ["1", "2", "3"]
        assert len({row["reference"] for row in table}) == 1
        seconds = [float(row["seconds"]) for row in table]
        assert np.log2(seconds[2] / seconds[0]) == pytest.approx(evs[2] - evs[0], abs=1e-3)


def test_what_to_drop(dataset):
    """SICE's users found out for themselves which scenes are no good. Here they are named, with the reason."""
    assert [(row["scene"], row["reason"]) for row in rows(dataset / "excluded.csv")] == [
        ("moving", "dynamic")
    ]
    assert not list(dataset.rglob("*moving*"))


def test_guessed_folders_exposurenorm_compensation_2(dataset):
    """The tree in the README is the tree on the disk."""
    text = (dataset / "README.md").read_text()
    tree = text[text.index("```\n") : text.index("```\n\nWhich")]
    for path in (
        "manifest.csv",
        "scenes.jsonl",
        "candidates.csv",
        "excluded.csv",
        "croissant.json",
        "CITATION.cff",
    ):
        assert path in tree
        assert (dataset / path).is_file()
    for split in ("train", "val", "test"):
        assert (dataset / "splits" / f"{split}.txt").is_file()
        for name in ("metadata.jsonl", "meta_info.txt"):
            assert name in tree
            assert (dataset / split / name).is_file()
    found = {path.relative_to(dataset).parts[0] for path in dataset.rglob("*")}
    assert found - {"figures"} == {
        "train", "val", "test", "splits", "manifest.csv", "scenes.jsonl", "candidates.csv", "excluded.csv",
        "manifest-sha256.txt", "croissant.json", "CITATION.cff", "README.md",
    }  # fmt: skip


def test_the_loader_of_the_readme_runs_as_printed(dataset, monkeypatch):
    text = (dataset / "README.md").read_text()
    snippet = text[text.index("```python\n") + 10 :].partition("```")[0]
    monkeypatch.chdir(dataset)
    names: dict[str, object] = {}
    exec(snippet, names)
    assert names["exposure"].size == names["reference"].size  # type: ignore[attr-defined]
    assert len(names["pairs"]) == 3 * list(splits_of(dataset).values()).count("train")  # type: ignore[arg-type]


def test_label_names_hvi_cidnet_48(dataset):
    """Whoever goes by file names alone finds the label: the scene's folder and its reference share their name."""
    for split in ("train", "val", "test"):
        inputs = {path.name for path in (dataset / split / "inputs").glob("*")}
        assert inputs == {path.stem for path in (dataset / split / "references").glob("*.png")}


def test_paired_lists_of_basicsr_and_hugging_face_name_existing_files(dataset):
    pairs = 0
    for split in ("train", "val", "test"):
        table = [row for row in rows(dataset / "manifest.csv") if row["split"] == split]
        listed = [line.split(", ") for line in (dataset / split / "meta_info.txt").read_text().splitlines()]
        assert listed == [
            [row[column].removeprefix(f"{split}/") for column in ("reference", "input")] for row in table
        ]
        for line, row in zip(
            (dataset / split / "metadata.jsonl").read_text().splitlines(), table, strict=True
        ):
            facts = json.loads(line)
            assert (dataset / split / facts["input_file_name"]).is_file()
            assert f"{split}/{facts['target_file_name']}" == row["reference"]
            pairs += 1
    assert pairs == 30


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries below mlcroissant
def test_croissant_validates_and_its_records_load(dataset):
    croissant = pytest.importorskip("mlcroissant", reason="the extra export-check brings mlcroissant")
    described = croissant.Dataset(jsonld=str(dataset / "croissant.json"))
    assert not described.metadata.issues.errors
    assert not described.metadata.issues.warnings
    records = list(described.records("pairs"))
    table = rows(dataset / "manifest.csv")
    assert [record["pairs/input"].decode() for record in records] == [row["input"] for row in table]
    assert [record["pairs/relative_ev"] for record in records] == [float(row["relative_ev"]) for row in table]
    assert {record["splits/name"] for record in described.records("splits")} == {"train", "val", "test"}


def test_croissant_names_every_column_and_the_true_checksums(dataset):
    document = json.loads((dataset / "croissant.json").read_text())
    with (dataset / "manifest.csv").open(newline="") as stream:
        columns = next(csv.reader(stream))
    pairs = next(one for one in document["recordSet"] if one["@id"] == "pairs")
    assert [field["source"]["extract"]["column"] for field in pairs["field"]] == columns
    sums = dict(
        reversed(line.split("  ")) for line in (dataset / "manifest-sha256.txt").read_text().splitlines()
    )
    objects = [one for one in document["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["@id"]: one["sha256"] for one in objects} == {one["@id"]: sums[one["@id"]] for one in objects}
    assert document["license"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert ExportSettings().license == ""


def test_pictures_open_in_pillow_and_opencv_alike(dataset):
    for row in rows(dataset / "manifest.csv"):
        for column in ("input", "reference"):
            with Image.open(dataset / row[column]) as opened:
                assert opened.mode == "RGB"
                other = cv2.cvtColor(cv2.imread(str(dataset / row[column])), cv2.COLOR_BGR2RGB)
                assert np.abs(np.asarray(opened).astype(int) - other).max() <= 3  # decoders round differently
