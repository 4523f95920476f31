"""Prepared frames: right, made once, made again where damaged, and nothing lost when the disk is full."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pickle
import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import trainer.dataset.frame_cache
import trainer.preprocessing.base_detail
from builder.atomic_files import CannotWrite, sha256_hex
from builder.images import encode_png
from tests.builder.exporting import contents
from tests.trainer.exported_dataset import (
    HEIGHT,
    WIDTH,
    TinyScene,
    light_of,
    noise,
    replace_picture,
    write_dataset,
)
from trainer.dataset.frame_cache import Preparation, prepare
from trainer.dataset.frame_preparation import linear_light
from trainer.dataset.frame_shards import only_builder
from trainer.dataset.manifest import Dataset, DatasetError, open_dataset
from trainer.preprocessing.base_detail import BaseDetail
from trainer.preprocessing.grey_levels import grey_levels
from trainer.preprocessing.resize import area_resized, short_side_resized, third_resized

HALF = Preparation(short_side=HEIGHT // 2)
SCENES = (TinyScene("alley"), TinyScene("bridge", evs=(-1.0, 1.0)))
FILES = 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return open_dataset(write_dataset(tmp_path_factory.mktemp("written"), SCENES), splits=("train",))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Paths that were decoded since the test began."""
    paths: list[str] = []

    def noting(dataset, source, preparation):
        paths.append(source.path)
        return original(dataset, source, preparation)

    original = trainer.dataset.frame_cache.prepared
    monkeypatch.setattr(trainer.dataset.frame_cache, "prepared", noting)
    return paths


def indices(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


RESIZED = {
    "short_side": lambda picture: short_side_resized(picture, HEIGHT // 2),
    "third": third_resized,
    "none": lambda picture: picture,
}


@pytest.mark.parametrize("resize", RESIZED)
def test_frames_are_the_resized_files(dataset, folder, resize):
    cache = prepare(dataset, dataset.pairs, Preparation(resize, HEIGHT // 2), folder, jobs=1)
    pair = dataset.pairs[1]
    for frame, seed in ((cache.input(pair), 2), (cache.reference(pair), 0)):
        expected = RESIZED[resize](noise(seed))
        assert np.array_equal(frame.pixels, expected)
        assert np.array_equal(frame.thumbnail, area_resized(expected, 256, 256))
        assert frame.luminance_peak == grey_levels(expected).max()
        assert (frame.base, frame.hdr) == (None, None)
    assert cache.size(pair) == RESIZED[resize](noise(2)).shape[:2]
    assert cache.row(pair) == 1


def test_grey_is_matlabs_with_halves_up():
    assert grey_levels(
        np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    ).tolist() == [[255, 0, 76, 150, 29]]
    picture = noise(7, 300, 200)
    exact = (picture.astype(np.int64) @ [298936, 587043, 114021] + 500_000) // 1_000_000
    assert np.array_equal(grey_levels(picture), exact)


def test_the_base_is_stored_in_16_bits(dataset, folder, monkeypatch):
    def half_of_red(picture):
        plane = picture[..., 0].astype(np.float32) / 255
        return BaseDetail(plane / 2, plane / 2)

    monkeypatch.setattr(trainer.preprocessing.base_detail, "base_detail", half_of_red)
    cache = prepare(dataset, dataset.pairs, Preparation("none", base=True), folder, jobs=1)
    base = cache.input(dataset.pairs[0]).base
    assert base.dtype == np.uint16
    assert np.abs(base / 65535 - noise(1)[..., 0] / 510).max() <= 0.5 / 65535 + 1e-7
    assert cache.reference(dataset.pairs[0]).base is not None


def test_light_is_stored_as_logarithm(tmp_path, folder):
    scenes = (TinyScene("alley", hdr=True), TinyScene("bridge"))
    dataset = open_dataset(write_dataset(tmp_path / "dataset", scenes), splits=("train",))
    cache = prepare(dataset, dataset.pairs, Preparation("none", hdr=True), folder, jobs=1)
    alley, bridge = dataset.pairs[0], dataset.pairs[-1]
    light = light_of(scenes[0]).astype(np.float16).astype(np.float32)
    stored = cache.input(alley).hdr
    assert stored.dtype == np.float16
    assert np.abs(stored - np.log(light + 1 / 255)).max() < 0.003
    assert np.abs(linear_light(stored) - light).max() < 0.01
    assert cache.has_hdr(alley)
    assert not cache.has_hdr(bridge)
    assert cache.input(bridge).hdr is None
    third = prepare(dataset, dataset.pairs, Preparation("third", hdr=True), folder, jobs=1).input(alley)
    assert third.hdr.shape == third.pixels.shape == (HEIGHT // 3, WIDTH // 3, 3)


def test_no_light_at_all_names_the_option_of_the_export(dataset, folder):
    with pytest.raises(
        DatasetError, match=r"none of the 2 scenes has a merged linear picture.*export again with --hdr"
    ):
        prepare(dataset, dataset.pairs, Preparation(hdr=True), folder, jobs=1)
    assert not folder.exists()


def test_altered_light_is_refused(tmp_path, folder):
    dataset = open_dataset(
        write_dataset(tmp_path / "dataset", (TinyScene("alley", hdr=True),)), splits=("train",)
    )
    path = dataset.hdr_file("alley")
    path.write_bytes(path.read_bytes() + b"?")
    with pytest.raises(DatasetError, match=r"scene 'alley', train/hdr/alley\.exr: its SHA-256 is not"):
        prepare(dataset, dataset.pairs, Preparation(hdr=True), folder, jobs=1)


def test_everything_is_made_once(dataset, folder, read):
    progress = []
    prepare(dataset, dataset.pairs[:4], HALF, folder, jobs=1, on_progress=lambda *one: progress.append(one))
    assert len(read) == len(set(read)) == 5  # four exposures and a reference
    assert progress == [(n, 5) for n in range(1, 6)]
    cache = prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert sorted(read[5:]) == [
        "train/inputs/bridge/1.png",
        "train/inputs/bridge/2.png",
        "train/references/bridge.png",
    ]
    assert np.array_equal(cache.reference(dataset.pairs[0]).pixels, RESIZED["short_side"](noise(0)))
    before = contents(folder)
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert len(read) == FILES
    assert contents(folder) == before


def test_another_preparation_makes_other_frames(dataset, folder, read):
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    prepare(dataset, dataset.pairs, Preparation(short_side=10), folder, jobs=1)
    assert len(read) == 2 * FILES


def test_jobs_change_nothing(dataset, tmp_path):
    caches = [prepare(dataset, dataset.pairs, HALF, tmp_path / str(jobs), jobs=jobs) for jobs in (1, 3)]
    for pair in dataset.pairs:
        one, other = (cache.input(pair) for cache in caches)
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.thumbnail, other.thumbnail)


def test_no_shard_is_larger_than_the_limit(dataset, folder, monkeypatch):
    monkeypatch.setattr(trainer.dataset.frame_cache, "SHARDS_PER_JOB", 1)
    prepare(dataset, dataset.pairs, HALF, folder / "one", jobs=1)
    monkeypatch.setattr(trainer.dataset.frame_cache, "SHARD_BYTES", 500_000)
    prepare(dataset, dataset.pairs, HALF, folder / "many", jobs=1)
    assert [path.stat().st_size > 500_000 for path in (folder / "one").glob("*.frames")] == [True]
    sizes = [path.stat().st_size for path in (folder / "many").glob("*.frames")]
    assert len(sizes) == 4
    assert max(sizes) <= 500_000


def test_memory_holds_one_frame_per_job_however_many_there_are(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(trainer.dataset.frame_cache, "SHARDS_PER_JOB", 1)
    scene = TinyScene("long", evs=(0.0,) * 24, size=(400, 300))
    dataset = open_dataset(write_dataset(tmp_path / "dataset", (scene,)), splits=("train",))
    tracemalloc.start()
    try:
        prepare(dataset, dataset.pairs, Preparation("none"), folder, jobs=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(path.stat().st_size for path in folder.glob("*.frames")) > 13_000_000
    assert peak < 6_000_000


def _flip(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)


DAMAGES = {
    "a bit": lambda index: _flip(index.with_suffix(".frames")),
    "cut": lambda index: os.truncate(index.with_suffix(".frames"), 1000),
    "gone": lambda index: index.with_suffix(".frames").unlink(),
    "index cut": lambda index: os.truncate(index, 20),
    "index gone": lambda index: index.unlink(),
    "index of others": lambda index: index.write_text(json.dumps({"bytes": 3, "stored": [{"key": 1}]})),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_a_damaged_shard_is_made_again(dataset, folder, read, damage):
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    before, victim = contents(folder), indices(folder)[1]
    count = len(json.loads(victim.read_bytes())["stored"])
    assert 0 < count < FILES
    del read[:]
    DAMAGES[damage](victim)
    cache = prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert len(read) == count
    for pair in dataset.pairs:
        seed = (0 if pair.scene == "alley" else 100) + pair.position
        assert np.array_equal(cache.input(pair).pixels, RESIZED["short_side"](noise(seed)))
    # its frames may now lie in other shards; those that were whole are untouched
    whole = {name: data for name, data in before.items() if not name.startswith(victim.stem)}
    after = contents(folder)
    assert {name: after[name] for name in whole} == whole


def test_what_a_killed_builder_left_is_cleared(dataset, folder):
    folder.mkdir()
    (folder / "unfinished-shard-0123-77").write_bytes(b"half")
    (folder / "shard-0123.frames").write_bytes(b"no index")
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert not [*folder.glob("unfinished-*"), *folder.glob("shard-0123*")]


def test_a_second_builder_has_to_wait(folder):
    with only_builder(folder), (folder / "lock").open("ab") as stream, pytest.raises(BlockingIOError):
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (folder / "lock").open("ab") as stream:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_is_noticed_first(dataset, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 1000))
    one = 20 * 30 * 3 + 56 + 256 * 256 * 3  # rows, columns and channels, filled up to 64 bytes; thumbnail
    with pytest.raises(
        CannotWrite, match=rf"cache: the frame cache cannot be written .*needs {FILES * one} bytes"
    ):
        prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_a_disk_that_fills_up_loses_nothing(dataset, folder, read, monkeypatch):
    synced = []

    def full_after_four(descriptor):
        synced.append(descriptor)
        if len(synced) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    original = os.fsync
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_after_four)
        with pytest.raises(CannotWrite, match=r"No space left on device.*What is finished is kept"):
            prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert len(indices(folder)) == len(list(folder.glob("*.frames"))) > 0
    assert len(list(folder.iterdir())) == 2 * len(indices(folder)) + 1  # and the lock
    kept = sum(len(json.loads(index.read_bytes())["stored"]) for index in indices(folder))
    del read[:]
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    assert len(read) == FILES - kept


def test_all_unusable_frames_are_named_and_leave_no_shard(tmp_path, folder):
    broken = bytearray(encode_png(noise(0)))
    broken[len(broken) // 2] ^= 255
    written = write_dataset(tmp_path / "dataset", SCENES)
    for line in (3, 6):
        replace_picture(written, line, bytes(broken))
    dataset = open_dataset(written, splits=("train",))
    # the two files have the same bytes: they are prepared once and named once
    with pytest.raises(
        DatasetError, match=r"frames that cannot be used:\n  scene 'bridge', train/inputs/bridge/1\.png"
    ):
        prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    good = prepare(dataset, dataset.pairs[:1], HALF, folder, jobs=1)
    assert np.array_equal(good.input(dataset.pairs[0]).pixels, RESIZED["short_side"](noise(1)))


def test_a_base_without_solution_names_its_frames(dataset, folder, monkeypatch):
    def hopeless(picture):
        raise ArithmeticError("no solution in 300 steps")

    monkeypatch.setattr(trainer.preprocessing.base_detail, "base_detail", hopeless)
    with pytest.raises(DatasetError) as caught:
        prepare(dataset, dataset.pairs, Preparation(base=True), folder, jobs=2)
    assert str(caught.value).count("no solution in 300 steps") == FILES
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_mixed_depth_names_the_scene(tmp_path, folder):
    written = write_dataset(tmp_path / "dataset", SCENES)
    replace_picture(written, 3, encode_png(noise(5).astype(np.uint16) * 257))
    dataset = open_dataset(written, splits=("train",))
    words = "scene 'alley', train/inputs/alley/2.png: 16 bits per channel, its reference has 8"
    with pytest.raises(DatasetError, match=words):
        prepare(dataset, dataset.pairs, HALF, folder, jobs=1)


def test_a_dataset_is_never_written_to(tmp_path, folder):
    dataset = open_dataset(write_dataset(tmp_path / "dataset", SCENES), splits=("train",))
    before = contents(dataset.folder)
    prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    with pytest.raises(ValueError, match="a dataset is never written to; choose a folder outside"):
        prepare(dataset, dataset.pairs, HALF, dataset.folder / "cache", jobs=1)
    assert contents(dataset.folder) == before


def test_other_processes_get_no_pixels_but_the_way_to_them(dataset, folder):
    cache = prepare(dataset, dataset.pairs, HALF, folder, jobs=1)
    pixels = cache.input(dataset.pairs[0]).pixels
    sent = pickle.dumps(cache)
    assert len(sent) < 20_000
    assert np.array_equal(pickle.loads(sent).input(dataset.pairs[0]).pixels, pixels)


def test_frames_cannot_be_changed(dataset, folder):
    frame = prepare(dataset, dataset.pairs, HALF, folder, jobs=1).input(dataset.pairs[0])
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 0
    assert sha256_hex(frame.pixels.tobytes()) == sha256_hex(RESIZED["short_side"](noise(1)).tobytes())
