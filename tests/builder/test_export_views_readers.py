"""Other people's own programs read a dataset, with its views inside, and the views, unchanged."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from builder.images import read_image
from tests.builder.exported_views import make_views, tiny_dataset
from tests.builder.exporting import rows

EXTRA = "not installed; pip install 'contrast-foundry[export-check]'"
others_warn = pytest.mark.filterwarnings("ignore")  # what other people's programs deprecate is their business


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A finished dataset; nobody changes it."""
    return tiny_dataset(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def views(dataset) -> Path:
    """All its views; nobody changes them."""
    return make_views(dataset, dataset / "views")  # where the command puts them


def of_split(dataset: Path, split: str) -> list[dict[str, str]]:
    return [row for row in rows(dataset / "manifest.csv") if row["split"] == split]


@others_warn
def test_hugging_face_reads_pairs_of_images(dataset, views, tmp_path):
    datasets = pytest.importorskip("datasets", reason=f"datasets: {EXTRA}")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(dataset / "train"), split="train", cache_dir=str(tmp_path)
    )
    expected = of_split(dataset, "train")
    assert len(loaded) == len(expected)
    assert {"input", "target", "scene", "relative_ev", "stamp"} <= set(loaded.column_names)
    for found, row in zip(loaded, expected, strict=True):
        assert found["scene"] == row["scene"]
        assert np.array_equal(np.asarray(found["target"]), read_image(dataset / row["reference"]))
        assert found["input"].size == found["target"].size


@others_warn
def test_hugging_face_finds_the_official_splits(dataset, views, tmp_path):
    datasets = pytest.importorskip("datasets", reason=f"datasets: {EXTRA}")
    loaded = datasets.load_dataset(str(dataset), cache_dir=str(tmp_path))
    names = {"train": "train", "val": "validation", "test": "test"}
    assert {name: len(part) for name, part in loaded.items()} == {
        names[split]: len(of_split(dataset, split)) for split in names
    }
    assert {"input", "target"} <= set(loaded["train"].column_names)


@others_warn
def test_webdataset_reads_the_shards(dataset, views):
    webdataset = pytest.importorskip("webdataset", reason=f"webdataset: {EXTRA}")
    for split in ("train", "val", "test"):
        shards = sorted(str(path) for path in (views / "webdataset").glob(f"{split}-*.tar"))
        reader = (
            webdataset.WebDataset(shards, shardshuffle=False)
            .decode("rgb8")
            .to_tuple("__key__", "input.jpg;input.png", "target.png", "json")
        )
        expected = of_split(dataset, split)
        for (key, exposure, target, facts), row in zip(reader, expected, strict=True):
            assert key == f"{row['scene']}-{facts['position']}"
            assert np.array_equal(target, read_image(dataset / row["reference"]))
            assert exposure.shape == target.shape
            assert facts["relative_ev"] == float(row["relative_ev"])


def test_shards_follow_the_documented_rules_of_the_format(views):
    """For where the library is missing: consecutive members up to the first dot are one sample."""
    for shard in (views / "webdataset").glob("*.tar"):
        with tarfile.open(shard) as packed:
            names = packed.getnames()
        keys = [name.split(".", 1)[0] for name in names]
        assert keys == [key for key in dict.fromkeys(keys) for _ in range(3)]
        ends = {name.split(".", 1)[1] for name in names}
        assert ends <= {"input.jpg", "input.png", "target.png", "json"}


@others_warn
def test_croissant_validates_and_its_records_load(dataset, views):
    croissant = pytest.importorskip("mlcroissant", reason=f"mlcroissant: {EXTRA}")
    described = croissant.Dataset(jsonld=str(dataset / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    records = list(described.records("pairs"))
    expected = rows(dataset / "manifest.csv")
    assert len(records) == len(expected)
    for record, row in zip(records, expected, strict=True):
        assert record["pairs/input"] == row["input"].encode()
        assert record["pairs/relative_ev"] == float(row["relative_ev"])


@others_warn
def test_the_bag_is_valid_and_damage_shows(views, tmp_path):
    bagit = pytest.importorskip("bagit", reason=f"bagit: {EXTRA}")
    bag = bagit.Bag(str(views / "bagit"))
    bag.validate()
    assert bag.info["External-Identifier"].endswith(" 1.0.0")
    own = shutil.copytree(views / "bagit", tmp_path / "bag")
    with (own / "data" / "README.md").open("a") as stream:
        stream.write("!")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(own)).validate()


@pytest.mark.parametrize("folder", ["bagit", "bagit/data"])
def test_sha256sum_agrees(views, folder):
    listing = "manifest-sha256.txt"
    answer = subprocess.run(
        ["sha256sum", "--check", "--strict", listing], cwd=views / folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count(": OK\n") == len((views / folder / listing).read_text().splitlines())


@pytest.mark.parametrize("program", [["tar", "-xf"], ["unzip", "-q"]])
def test_unpacking_gives_the_dataset_back(views, tmp_path, program):
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    packed = views / ("packed.tar" if program[0] == "tar" else "packed.zip")
    subprocess.run([*program, packed], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["1.0.0"]
    check = ["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"]
    assert subprocess.run(check, cwd=tmp_path / "1.0.0", check=False).returncode == 0


def paired_paths(lq_folder: Path, gt_folder: Path, names: list[str]) -> Iterator[tuple[Path, Path]]:
    """As BasicSR documents PairedImageDataset with filename_tmpl '{}': both files have one name."""
    in_lq = {path.name for path in lq_folder.iterdir()}
    assert len(in_lq) == len(list(gt_folder.iterdir())), "the folders hold different numbers of images"
    for name in names:
        assert name in in_lq, f"{name} is not in {lq_folder}"
        yield lq_folder / name, gt_folder / name


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_loader_written_after_basicsr_reads_the_pairs(dataset, views, split):
    folder = views / "paired" / split
    listed = [line.split(" ")[0] for line in (folder / "meta_info.txt").read_text().splitlines()]
    in_folder = sorted(path.name for path in (folder / "high").iterdir())
    assert sorted(listed) == in_folder
    pairs = list(paired_paths(folder / "low", folder / "high", listed))
    assert len(pairs) == len(of_split(dataset, split))
    for low, high in pairs:
        exposure, target = (
            cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) for path in (low, high)
        )
        assert exposure.shape == target.shape
        assert exposure.dtype == target.dtype == np.uint8


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_loader_written_after_real_esrgan_reads_the_dataset_itself(dataset, split):
    """Its meta_info names both files, comma and space between them, below dataroot_gt and dataroot_lq."""
    folder = dataset / split
    pairs = [line.strip().split(", ") for line in (folder / "meta_info.txt").read_text().splitlines()]
    assert len(pairs) == len(of_split(dataset, split))
    for target, exposure in pairs:
        shapes = {cv2.imread(str(folder / path)).shape for path in (target, exposure)}
        assert len(shapes) == 1


def test_a_loader_written_after_sice_users_reads_the_view(dataset, views):
    """They list Dataset_Part1/<n>/ by name and take Label/<n>.JPG: the extension in capitals, no zeros in front."""
    part = views / "sice" / "Dataset_Part1"
    scenes = {row["sice_number"] for row in rows(dataset / "manifest.csv")}
    for number in range(1, len(scenes) + 1):
        label = cv2.imread(str(part / "Label" / f"{number}.JPG"))
        exposures = sorted((part / str(number)).glob("*.JPG"), key=lambda path: int(path.stem))
        brightness = [cv2.imread(str(path)).mean() for path in exposures]
        assert len(brightness) == 3
        assert brightness == sorted(brightness)
        assert all(cv2.imread(str(path)).shape == label.shape for path in exposures)
