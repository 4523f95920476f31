"""Which samples are drawn: a function of seed, step and slot alone, in the shares that were asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from builder.dataset.finished import Pair
from tests.trainer.exported_dataset import noise
from trainer.dataset.manifest import DatasetError
from trainer.dataset.sampling import Sample, Sampler, Turn
from trainer.exposure_kinds import kind_of
from trainer.settings import DataSettings

SETTINGS = DataSettings()
EVS = (-4.0, -2.0, -1.0, 0.0, 2.0)
STEPS, BATCH = 300, 8


def pairs_of(scene: str, evs: tuple[float | None, ...] = EVS) -> list[Pair]:
    return [
        Pair(
            "train", scene, scene, 1, f"train/inputs/{scene}/{number}.png", f"train/references/{scene}.png", ev, None,
            None, None, 9, 9, "", "", "", None, None, "accept", "",
        )
        for number, ev in enumerate(evs, 1)
    ]  # fmt: skip


PAIRS = tuple(pair for scene in "abcdefg" for pair in pairs_of(scene))


@cache
def drawn(
    pairs: tuple[Pair, ...], settings: DataSettings = SETTINGS, seed: int = 3, steps: int = STEPS
) -> tuple[Sample, ...]:
    sampler = Sampler(pairs, settings, seed=seed, batch=BATCH)
    return tuple(sampler.sample(step, slot) for step in range(steps) for slot in range(BATCH))


def kinds(samples: list[Sample]) -> dict[str, float]:
    counts = Counter("itself" if one.is_itself else kind_of(one.pair.relative_ev, 0.5) for one in samples)
    return {kind: count / len(samples) for kind, count in counts.items()}


def test_samples_do_not_depend_on_what_was_drawn_before():
    all_of_them = drawn(PAIRS, steps=20)
    alone = Sampler(PAIRS, SETTINGS, seed=3, batch=BATCH).sample(17, 5)
    assert alone == all_of_them[17 * BATCH + 5]
    assert len({(one.down, one.right) for one in all_of_them}) == len(all_of_them)


def test_another_seed_draws_others():
    assert drawn(PAIRS, steps=5) != drawn(PAIRS, seed=4, steps=5)


def test_numbers_are_those_of_philox():
    """Pinned: another generator or order of draws would end the exact resume of older runs."""
    sampler = Sampler(PAIRS, SETTINGS, seed=3, batch=BATCH)
    samples = [sampler.sample(17, slot) for slot in range(4)]
    for slot, one in enumerate(samples):
        random = np.random.Generator(np.random.Philox(key=[3, 0], counter=[0, 0, slot, 17])).random(4)
        assert (one.down, one.right) == tuple(random[2:])
    assert [(one.pair.key, one.turn.quarters, one.turn.mirrored) for one in samples] == PINNED


PINNED = [("d-1", 2, True), ("e-5", 2, False), ("g-1", 0, False), ("b-5", 1, True)]


def test_kinds_come_in_their_shares():
    found = kinds(drawn(PAIRS))
    assert found == pytest.approx({"under": 0.45, "over": 0.35, "well": 0.15, "itself": 0.05}, abs=0.025)


def test_a_missing_kind_leaves_its_share_to_the_others():
    found = kinds(drawn(tuple(pair for pair in PAIRS if pair.relative_ev <= 0)))
    assert found == pytest.approx(
        {"under": 0.45 / 0.65, "well": 0.15 / 0.65, "itself": 0.05 / 0.65}, abs=0.025
    )


def test_no_kind_with_a_share_is_an_error():
    only_over = replace(SETTINGS, under=0.0, well=0.0, itself=0.0)
    with pytest.raises(DatasetError, match="shares ask for inputs of these kinds: over; the split has under"):
        Sampler([pair for pair in PAIRS if pair.relative_ev < -0.5], only_over, seed=1, batch=1)


def test_scenes_are_used_evenly_in_a_new_order_each_epoch():
    scenes = [one.pair.scene for one in drawn(PAIRS)]
    epochs = ["".join(scenes[start : start + 7]) for start in range(0, 700, 7)]
    assert {"".join(sorted(epoch)) for epoch in epochs} == {"abcdefg"}
    assert len(set(epochs)) > 90


def test_a_scene_without_the_kind_gives_way_to_the_next():
    pairs = (*pairs_of("dark", (-2.0, -1.0)), *pairs_of("bright", (1.0, 2.0)))
    samples = drawn(pairs, replace(SETTINGS, itself=0.0), steps=50)
    assert {(one.pair.scene, kind_of(one.pair.relative_ev, 0.5)) for one in samples} == {
        ("dark", "under"),
        ("bright", "over"),
    }


def test_exposures_of_a_kind_are_drawn_uniformly():
    under = [one.pair.relative_ev for one in drawn(PAIRS, replace(SETTINGS, over=0.0, well=0.0, itself=0.0))]
    shares = {ev: under.count(ev) / len(under) for ev in (-4.0, -2.0, -1.0)}
    assert shares == pytest.approx(dict.fromkeys(shares, 1 / 3), abs=0.03)


def test_unknown_exposures_count_as_well_exposed():
    assert set(kinds(drawn(tuple(pairs_of("a", (None, None))), steps=50))) == {"well", "itself"}


def test_all_turns_are_drawn_and_none_without_augmentation():
    turns = Counter(one.turn for one in drawn(PAIRS))
    assert len(turns) == 8
    assert min(turns.values()) > STEPS * BATCH / 8 * 0.8
    assert {one.turn for one in drawn(PAIRS, replace(SETTINGS, augment=False), steps=20)} == {Turn()}


@pytest.mark.parametrize("stride", [0, 3])
def test_crops_reach_every_place(stride):
    corners = {one.corner(20, 14, 8, stride) for one in drawn(PAIRS)}
    step = stride or 1
    assert corners == {(top, left) for top in range(0, 13, step) for left in range(0, 7, step)}


@pytest.mark.parametrize(
    "turn", [Turn(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]
)
def test_a_crop_is_found_again_in_the_turned_picture(turn):
    picture = noise(1, 20, 13)
    top, left, height, width = turn.place(3, 6, 5, *picture.shape[:2])
    turned = turn.of(picture)
    assert turned.shape[:2] == (height, width)
    assert np.array_equal(turned[top : top + 5, left : left + 5], turn.of(picture[3:8, 6:11]))


def test_this_module_needs_no_torch():
    assert "torch" not in Path(Sampler.__init__.__code__.co_filename).read_text()
