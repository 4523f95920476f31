"""The data pipeline on a folder that the export itself made; the other tests use a quicker writer of that layout."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from builder.dataset.finished import MANIFEST
from builder.images import read_image
from tests.builder.exporting import contents, export
from tests.builder.faked_dataset import fake_dataset, many_scenes
from tests.trainer.exported_dataset import TinyScene, write_dataset
from trainer.dataset.batches import training_batches, whole_pictures
from trainer.dataset.frame_cache import Preparation, prepare
from trainer.dataset.manifest import open_dataset
from trainer.settings import DataSettings

SPLITS = ("train", "test")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    return export(fake_dataset(folder / "data", many_scenes(10)), folder / "exports").dataset


def test_from_export_to_batches(exported, tmp_path):
    before = contents(exported)
    dataset = open_dataset(exported, splits=SPLITS)
    assert len(dataset.pairs) == 10 * 3
    cache = prepare(dataset, dataset.pairs, Preparation("none"), tmp_path / "cache", jobs=2)
    for pair in dataset.pairs:
        assert np.array_equal(cache.input(pair).pixels, read_image(exported / pair.input))
        assert np.array_equal(cache.reference(pair).pixels, read_image(exported / pair.reference))
    batches = training_batches(
        cache,
        dataset.split("train"),
        DataSettings(crop=16),
        needs=frozenset(),
        seed=1,
        first_step=0,
        steps=3,
        batch=4,
    )
    assert {dataset.pairs[row].split for batch in batches for row in batch.rows} == {"train"}
    (first, *_) = whole_pictures(cache, dataset.split("test"), DataSettings(), needs=frozenset(), multiple=32)
    assert dataset.pairs[first.rows[0]].split == "test"
    assert contents(exported) == before


def test_the_quick_writer_keeps_to_the_layout(exported, tmp_path):
    quick = write_dataset(tmp_path, (TinyScene("scene"),))
    headers, patterns = [], []
    for folder in (exported, quick):
        with (folder / MANIFEST).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        headers.append(list(rows[0]))
        names = {row["scene"] for row in rows}
        paths = {row[column] for row in rows for column in ("input", "reference") if row["split"] == "train"}
        for name in names:
            paths = {path.replace(name, "SCENE") for path in paths}
        patterns.append({path.rpartition(".")[0] for path in paths})
    assert headers[0] == headers[1]
    assert {f"train/inputs/SCENE/{k}" for k in (1, 2, 3)} | {"train/references/SCENE"} == patterns[0]
    assert patterns[0] <= patterns[1]
