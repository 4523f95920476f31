"""Batches: equal for any number of workers and ranks, crops that fit together, whole pictures with their padding."""

from __future__ import annotations

import multiprocessing
import pickle
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch

import trainer.dataset.batches
import trainer.preprocessing.base_detail
from tests.trainer.exported_dataset import HEIGHT, WIDTH, TinyScene, light_of, noise, write_dataset
from trainer.dataset.batches import training_batches, whole_pictures
from trainer.dataset.frame_cache import Preparation, prepare
from trainer.dataset.manifest import DatasetError, open_dataset
from trainer.dataset.sampling import Turn
from trainer.inputs import Batch
from trainer.preprocessing.base_detail import BaseDetail
from trainer.preprocessing.grey_levels import grey_levels
from trainer.settings import DataSettings

SCENES = (
    TinyScene("alley", hdr=True), TinyScene("bridge", hdr=True, size=(HEIGHT, WIDTH)), TinyScene("church"),
    TinyScene("crooked", residual=9.0),
)  # fmt: skip
ALL = frozenset({"base", "detail", "thumbnail", "place", "strength"})
SETTINGS = DataSettings(crop=16)
TURNS = [Turn(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


def half(picture):
    plane = grey_levels(picture).astype(np.float32) / max(int(grey_levels(picture).max()), 1)
    return BaseDetail(plane / 2, plane / 2)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """(dataset, cache) of four scenes with base and light."""
    folder = tmp_path_factory.mktemp("opened")
    dataset = open_dataset(write_dataset(folder / "dataset", SCENES), splits=("train",))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trainer.preprocessing.base_detail, "base_detail", half)
        cache = prepare(
            dataset, dataset.pairs, Preparation("none", base=True, hdr=True), folder / "cache", jobs=1
        )
    return dataset, cache


def batches(opened, settings=SETTINGS, **options) -> list[Batch]:
    dataset, cache = opened
    chosen = {"needs": ALL, "seed": 7, "first_step": 0, "steps": 6, "batch": 5} | options
    return list(training_batches(cache, dataset.pairs, settings, **chosen))


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    every = {one.name: getattr(batch.inputs, one.name) for one in fields(batch.inputs)}
    every |= {
        one.name: getattr(batch, one.name) for one in fields(batch) if one.name not in ("inputs", "rows")
    }
    return {name: value for name, value in every.items() if value is not None}


def assert_same(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.rows == other.rows
        assert tensors(one).keys() == tensors(other).keys()
        assert all(torch.equal(value, tensors(other)[name]) for name, value in tensors(one).items())


def test_types_shapes_and_ranges(opened):
    batch = batches(opened, needs=ALL | {"hdr"})[0]
    shapes = {name: tuple(value.shape) for name, value in tensors(batch).items()}
    assert shapes == {
        "data": (5, 3, 16, 16), "base": (5, 1, 16, 16), "detail": (5, 1, 16, 16), "thumbnail": (5, 3, 256, 256),
        "place": (5, 4), "strength": (5,), "reference": (5, 3, 16, 16), "relative_ev": (5,), "hdr": (5, 3, 16, 16),
    }  # fmt: skip
    assert {value.dtype for value in tensors(batch).values()} == {torch.float32}
    assert all(value.is_contiguous() for value in tensors(batch).values())
    assert 0 <= batch.inputs.data.min() < 0.01 < 0.99 < batch.inputs.data.max() <= 1


@pytest.mark.parametrize(
    "needs", [frozenset(), frozenset({"thumbnail"}), frozenset({"base"}), frozenset({"place", "hdr"})]
)
def test_only_what_is_needed_is_there(opened, needs):
    found = tensors(batches(opened, needs=needs, steps=1)[0]).keys() - {"data", "reference", "relative_ev"}
    assert found == (needs | {"detail"} if "base" in needs else needs)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(opened, workers):
    assert_same(batches(opened, needs=ALL | {"hdr"}, workers=workers), batches(opened, needs=ALL | {"hdr"}))


def test_loading_draws_nothing_from_the_generator_of_torch(opened):
    before = torch.get_rng_state()
    batches(opened, steps=1, workers=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_goes_to_a_spawned_process_is_small_and_makes_the_same_batch(opened, monkeypatch):
    made = []
    monkeypatch.setattr(trainer.dataset.batches, "_loaded", lambda steps, *_: made.append(steps) or iter(()))
    batches(opened)
    before, sent = made[0][4], pickle.dumps(made[0])
    after = pickle.loads(sent)[4]
    assert len(sent) < 30_000
    assert before.pop("rows") == after.pop("rows")
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_later_start_goes_on_as_if_never_stopped(opened):
    assert_same(batches(opened, first_step=4), batches(opened)[4:])


def test_ranks_own_slots_of_the_same_batch(opened):
    whole = batches(opened)
    parts = [batches(opened, rank=rank, ranks=2) for rank in (0, 1)]
    assert [len(part[0].rows) for part in parts] == [3, 2]
    for step, batch in enumerate(whole):
        for rank in (0, 1):
            assert torch.equal(parts[rank][step].inputs.data, batch.inputs.data[rank::2])
            assert parts[rank][step].rows == batch.rows[rank::2]


def test_stopping_early_ends_the_workers(opened):
    dataset, cache = opened
    iterator = training_batches(
        cache, dataset.pairs, SETTINGS, needs=ALL, seed=1, first_step=0, steps=1000, batch=2, workers=1
    )
    next(iterator)
    assert len(multiprocessing.active_children()) == 1
    iterator.close()
    assert not multiprocessing.active_children()


def _picture(opened, row: int, *, is_reference: bool) -> np.ndarray:
    """What the exporter wrote, by the seed of the test's writer."""
    dataset, _ = opened
    pair = dataset.pairs[row]
    number = [scene.name for scene in SCENES].index(pair.scene)
    seed = 100 * number + (0 if is_reference else pair.position)
    return noise(seed, *SCENES[number].size)


def _crop(turned: np.ndarray, place: torch.Tensor) -> np.ndarray:
    top, left = int(place[0]), int(place[1])
    return turned[top : top + 16, left : left + 16]


def test_crops_thumbnails_and_places_are_turned_together(opened):
    """Of the eight turns of input and reference exactly one shows the crop at its place, and it fits the thumbnail."""
    _, cache = opened
    turns = set()
    for batch in batches(opened, replace(SETTINGS, itself=0.0), steps=12):
        for n, row in enumerate(batch.rows):
            source, reference = (_picture(opened, row, is_reference=which) for which in (False, True))
            data, place = batch.inputs.data[n].permute(1, 2, 0).numpy(), batch.inputs.place[n]
            fitting = [
                turn
                for turn in TURNS
                if np.array_equal(_crop(turn.of(source), place) / np.float32(255), data)
            ]
            assert len(fitting) == 1
            turn = fitting[0]
            assert turn.of(source).shape[:2] == tuple(place[2:].int().tolist())
            target = batch.reference[n].permute(1, 2, 0).numpy()
            assert np.array_equal(_crop(turn.of(reference), place) / np.float32(255), target)
            thumbnail = cache.input(opened[0].pairs[row]).thumbnail / np.float32(255)
            assert np.array_equal(turn.of(thumbnail), batch.inputs.thumbnail[n].permute(1, 2, 0).numpy())
            turns.add(turn)
    assert len(turns) == 8


def test_base_and_detail_are_the_luminance_of_the_whole_picture(opened):
    for batch in batches(opened, replace(SETTINGS, augment=False, itself=0.0)):
        for n, row in enumerate(batch.rows):
            grey = grey_levels(_picture(opened, row, is_reference=False))
            luminance = _crop(grey / np.float32(grey.max()), batch.inputs.place[n])
            base, detail = batch.inputs.base[n, 0].numpy(), batch.inputs.detail[n, 0].numpy()
            assert np.abs(base + detail - luminance).max() < 1e-6
            assert np.abs(base - luminance / 2).max() < 1e-5


def test_a_black_picture_has_no_base_and_no_detail(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.preprocessing.base_detail, "base_detail", half)
    monkeypatch.setattr(
        "tests.trainer.exported_dataset.noise", lambda *_: np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    )
    dataset = open_dataset(write_dataset(tmp_path / "dataset", SCENES[:1]), splits=("train",))
    cache = prepare(dataset, dataset.pairs, Preparation(base=True), tmp_path / "cache", jobs=1)
    inputs = batches((dataset, cache))[0].inputs
    assert not inputs.base.any()
    assert not inputs.detail.any()


def test_light_is_linear_and_scenes_without_it_are_left_out(opened):
    dataset, _ = opened
    seen = set()
    for batch in batches(opened, replace(SETTINGS, augment=False), needs=frozenset({"hdr", "place"})):
        for n, row in enumerate(batch.rows):
            scene = next(one for one in SCENES if one.name == dataset.pairs[row].scene)
            expected = _crop(light_of(scene), batch.inputs.place[n])
            assert np.abs(batch.hdr[n].permute(1, 2, 0).numpy() - expected).max() < 0.02
            seen.add(scene.name)
    assert seen == {"alley", "bridge"}


def test_misplaced_pairs_are_left_out(opened):
    dataset, _ = opened
    rows = {row for batch in batches(opened, steps=20) for row in batch.rows}
    assert {dataset.pairs[row].scene for row in rows} == {"alley", "bridge", "church"}
    with pytest.raises(
        DatasetError, match=r"all 16 pairs are misplaced by more than data\.max_residual = 0\.01"
    ):
        batches(opened, replace(SETTINGS, max_residual=0.01))


def test_the_reference_may_be_its_own_input(opened):
    only_itself = replace(SETTINGS, under=0.0, well=0.0, over=0.0, itself=1.0)
    for batch in batches(opened, only_itself):
        assert torch.equal(batch.inputs.data, batch.reference)
        assert not batch.relative_ev.any()


def test_relative_ev_and_rows_name_the_pair(opened):
    dataset, _ = opened
    batch = batches(opened, replace(SETTINGS, itself=0.0))[0]
    assert batch.relative_ev.tolist() == [dataset.pairs[row].relative_ev for row in batch.rows]


def test_patches_on_a_grid(opened):
    places = torch.cat(
        [batch.inputs.place for batch in batches(opened, replace(SETTINGS, patch_stride=12, augment=False))]
    )
    assert not (places[:, :2] % 12).any()
    assert places[:, :2].any()


def test_frames_smaller_than_the_crop_are_named_at_once(opened):
    dataset, cache = opened
    make = partial(training_batches, cache, dataset.pairs, needs=ALL, seed=1, first_step=0, steps=1, batch=1)
    words = r"smaller than the crop of 41 pixels: scenes 'alley' \(60x40\), 'bridge' \(40x60\), 'church' \(60x40\)"
    with pytest.raises(DatasetError, match=words):  # before any batch is asked for
        make(replace(SETTINGS, crop=41))
    make(replace(SETTINGS, crop=40))


def test_whole_pictures_in_order_with_padding(opened):
    dataset, cache = opened
    made = list(whole_pictures(cache, dataset.pairs, SETTINGS, needs=ALL | {"hdr"}, multiple=32))
    assert [batch.rows for batch in made] == [(row,) for row in range(16)]
    for row, batch in enumerate(made):
        height, width = cache.size(dataset.pairs[row])
        assert batch.inputs.data.shape == (1, 3, 64, 64)
        assert batch.inputs.place.tolist() == [[0, 0, height, width]]
        assert batch.inputs.thumbnail.shape == (1, 3, 256, 256)
        assert batch.mask.sum() == height * width
        assert batch.mask[0, 0, :height, :width].all()
        for tensor, is_reference in ((batch.inputs.data, False), (batch.reference, True)):
            whole = _picture(opened, row, is_reference=is_reference) / np.float32(255)
            expected = np.pad(whole, ((0, 64 - height), (0, 64 - width), (0, 0)), mode="reflect")
            assert np.array_equal(tensor[0].permute(1, 2, 0).numpy(), expected)
        assert batch.inputs.base.shape == batch.inputs.detail.shape == batch.mask.shape
    assert (made[0].hdr is not None, made[-1].hdr) == (True, None)


def test_whole_pictures_that_fit_have_no_mask(opened):
    dataset, cache = opened
    batch = next(whole_pictures(cache, dataset.pairs, SETTINGS, needs=frozenset(), multiple=4))
    assert batch.mask is None
    assert batch.inputs.data.shape == (1, 3, HEIGHT, WIDTH)
    assert batch.inputs.base is None
