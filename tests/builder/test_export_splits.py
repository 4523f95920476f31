"""Splits: exact, by hash, frozen, never divided; scenes that look alike stay together."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import cv2
import numpy as np
import pytest

from builder.dataset.duplicates import (
    Circumstances,
    hash_distance,
    is_same_occasion,
    metres_between,
    near_pairs,
    perceptual_hash,
    same_views,
)
from builder.dataset.frozen_splits import read_groups, read_lock, write_lock
from builder.dataset.splits import (
    SPLITS,
    Member,
    Place,
    Shares,
    exact_counts,
    place_scenes,
    split_of,
    unit_interval,
)
from tests.builder.faked_dataset import view_of

SALT = "salt"


def members(count: int, first: int = 0) -> list[Member]:
    return [
        Member(name, name, name) for name in (f"scene{number:04d}" for number in range(first, first + count))
    ]


def placed(people, links=(), frozen=(), exact=False, shares=Shares()):  # noqa: B008 - frozen
    return place_scenes(people, links, frozen, salt=SALT, shares=shares, exact=exact)


def split_by_scene(placement):
    return {place.scene: place.split for place in placement.places}


@pytest.mark.parametrize(
    ("groups", "counts"),
    [(589, (412, 59, 118)), (10, (7, 1, 2)), (1, (1, 0, 0)), (0, (0, 0, 0)), (3, (2, 0, 1))],
)
def test_exact_counts_by_largest_remainder(groups, counts):
    assert exact_counts(groups, Shares()) == counts
    assert sum(counts) == groups


def test_exact_splits_of_589_groups():
    found = split_by_scene(placed(members(589), exact=True))
    assert [list(found.values()).count(split) for split in SPLITS] == [412, 59, 118]


@pytest.mark.parametrize("exact", [False, True])
def test_other_shares(exact):
    found = list(split_by_scene(placed(members(1000), shares=Shares(0.05, 0.5), exact=exact)).values())
    counts = [found.count(split) for split in SPLITS]
    assert counts == [450, 50, 500] if exact else np.allclose(counts, [450, 50, 500], atol=50)


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.0, 1.0), (-0.1, 0.2)])
def test_shares_that_leave_nothing_to_train_on_are_refused(val, test):
    with pytest.raises(ValueError, match="left to train on"):
        Shares(val, test)


def test_exact_splits_stay_frozen_when_scenes_are_added():
    first = placed(members(589), exact=True)
    second = placed(members(700), frozen=first.places, exact=True)
    before, after = split_by_scene(first), split_by_scene(second)
    assert {scene: after[scene] for scene in before} == before
    assert [list(after.values()).count(split) for split in SPLITS] == [490, 70, 140]
    numbers = {place.scene: place.number for place in second.places}
    assert all(numbers[place.scene] == place.number for place in first.places)
    assert sorted(numbers.values()) == list(range(1, 701))


def test_by_hash_additions_move_nothing_even_without_a_lock():
    before, after = split_by_scene(placed(members(200))), split_by_scene(placed(members(400)))
    assert {scene: after[scene] for scene in before} == before


def test_shares_of_the_hash_are_about_right():
    counts = [
        sum(split_of(unit_interval(SALT, f"group{k}"), Shares()) == split for k in range(5000))
        for split in SPLITS
    ]
    assert [round(count / 5000, 1) for count in counts] == [0.7, 0.1, 0.2]


def test_the_order_of_scenes_does_not_matter():
    people = members(60)
    links = [("scene0001", "scene0040"), ("scene0040", "scene0033")]
    shuffled = people.copy()
    random.Random(5).shuffle(shuffled)
    assert placed(people, links) == placed(shuffled, links[::-1])


@pytest.mark.parametrize("exact", [False, True])
def test_a_group_and_its_near_duplicates_share_a_split(exact):
    people = [*members(80), Member("again", "again", "scene0007"), Member("near", "near", "near")]
    found = split_by_scene(placed(people, [("near", "again"), ("scene0050", "scene0051")], exact=exact))
    assert found["again"] == found["near"] == found["scene0007"]
    assert found["scene0050"] == found["scene0051"]


def test_a_new_scene_that_bridges_two_frozen_splits_is_left_out():
    first = placed(members(100))
    split = split_by_scene(first)
    train = next(scene for scene in split if split[scene] == "train")
    test = next(scene for scene in split if split[scene] == "test")
    people = [*members(100), Member("bridge", "bridge", "bridge"), Member("beside", "beside", "bridge")]
    second = placed(people, [("bridge", train), ("bridge", test), ("beside", train)], frozen=first.places)
    assert "bridge" not in split_by_scene(second)
    assert train in second.bridges["bridge"]
    assert test in second.bridges["bridge"]
    assert split_by_scene(second)["beside"] == "train"
    assert {scene: split_by_scene(second)[scene] for scene in split} == split


def test_a_chain_of_new_scenes_does_not_bridge_frozen_splits_either():
    first = placed(members(100))
    split = split_by_scene(first)
    train = next(scene for scene in split if split[scene] == "train")
    test = next(scene for scene in split if split[scene] == "test")
    people = [*members(100), Member("x1", "x1", "x1"), Member("x2", "x2", "x2")]
    second = placed(people, [("x1", train), ("x1", "x2"), ("x2", test)], frozen=first.places)
    assert split_by_scene(second)["x1"] == "train"
    assert list(second.bridges) == ["x2"]


def test_frozen_scenes_that_are_gone_still_hold_their_groups():
    first = placed([Member("a", "a", "square"), *members(30)])
    kept = placed([Member("b", "b", "square")], frozen=first.places)
    assert split_by_scene(kept)["b"] == split_by_scene(first)["a"]
    assert kept.places[0].number == 32


def test_groups_joined_by_hand_after_freezing_leave_the_later_scene_out():
    first = placed(members(100))
    split = split_by_scene(first)
    train = next(scene for scene in split if split[scene] == "train")
    test = next(scene for scene in split if split[scene] == "test")
    people = [
        Member(one.scene, one.name, "joined") if one.scene in (train, test) else one for one in members(100)
    ]
    second = placed(people, frozen=first.places)
    assert len(second.bridges) == 1
    joined = {place.split for place in second.places if place.scene in (train, test)}
    assert len(joined) == 1


def test_the_lock_reads_back_and_grows(tmp_path):
    places = placed(members(5)).places
    write_lock(tmp_path, (), places)
    assert read_lock(tmp_path) == places
    more = placed(members(8), frozen=places).places
    write_lock(tmp_path, read_lock(tmp_path), more)
    assert read_lock(tmp_path)[:5] == places
    assert len(read_lock(tmp_path)) == 8
    content = (tmp_path / "splits.lock").read_bytes()
    write_lock(tmp_path, read_lock(tmp_path), places)  # fewer scenes free nothing
    assert (tmp_path / "splits.lock").read_bytes() == content


@pytest.mark.parametrize(
    "text",
    [
        "nonsense\n",
        "scene,name,group,joined,split,number\na,a,a,a,nowhere,1\n",
        "scene,name,group,joined,split,number\na,a,a,a,test,one\n",
        "scene,name,group,joined,split,number\na,a,a\n",
        "scene,name,group,joined,split,number\na,a,a,a,test,1\nb,b,b,b,test,1\n",
    ],
)
def test_a_damaged_lock_is_refused_by_name(tmp_path, text):
    (tmp_path / "splits.lock").write_text(text)
    with pytest.raises(ValueError, match=r"splits\.lock"):
        read_lock(tmp_path)


def test_groups_by_hand(tmp_path):
    assert read_groups(tmp_path) == {}
    (tmp_path / "groups.csv").write_text("scene,group\na,square\nb,square\n")
    assert read_groups(tmp_path) == {"a": "square", "b": "square"}
    (tmp_path / "groups.csv").write_text("scene,group\na,square\na,river\n")
    with pytest.raises(ValueError, match=r"groups\.csv line 3: scene 'a' needs exactly one group"):
        read_groups(tmp_path)


def picture(seed: int, *, gain: float = 1.0, width: int = 480, height: int = 320):
    return np.round(255 * np.clip(view_of(seed, width=width, height=height) * gain, 0, 1) ** 0.45).astype(
        np.uint8
    )


def test_the_hash_knows_a_view_again_in_another_size_light_and_quality():
    first = perceptual_hash(picture(1))
    _, coded = cv2.imencode(".jpg", picture(1, gain=0.8), [cv2.IMWRITE_JPEG_QUALITY, 40])
    assert hash_distance(first, perceptual_hash(cv2.imdecode(coded, cv2.IMREAD_COLOR))) <= 6
    assert hash_distance(first, perceptual_hash(picture(1, width=240, height=160))) <= 6
    assert hash_distance(first, perceptual_hash(picture(2))) > 12


def test_near_pairs_are_those_that_counting_bits_finds():
    random_bits = random.Random(3)
    hashes = [random_bits.getrandbits(64) for _ in range(60)]
    hashes += [hashes[4] ^ 0b1011, hashes[9] ^ (2**13 - 1)]
    found = list(near_pairs(hashes, 12))
    assert found == [
        (i, j, (hashes[i] ^ hashes[j]).bit_count())
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if (hashes[i] ^ hashes[j]).bit_count() <= 12
    ]
    assert [(i, j) for i, j, _ in found] == [(4, 60)]


NOON = datetime(2018, 7, 20, 12)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Circumstances("K1", NOON, None), Circumstances("K1", NOON + timedelta(minutes=9), None), True),
        (Circumstances("K1", NOON, None), Circumstances("K1", NOON + timedelta(minutes=11), None), False),
        (Circumstances("K1", NOON, None), Circumstances("K2", NOON, None), False),
        (Circumstances("K1", None, None), Circumstances("K1", None, None), False),
        (Circumstances("K1", NOON, (52.52, 13.405)), Circumstances("K2", None, (52.5205, 13.4055)), True),
        (Circumstances("K1", NOON, (52.52, 13.405)), Circumstances("K2", NOON, (52.53, 13.405)), False),
    ],
)
def test_the_same_occasion(one, other, same):
    assert is_same_occasion(one, other) is same


def test_metres_between():
    assert metres_between((0, 0), (0, 1)) == pytest.approx(111_195, abs=1)
    assert metres_between((52.5, 13.4), (52.5, 13.4)) == 0


def test_similar_hashes_need_one_more_reason():
    apart = {0: Circumstances("K1", NOON, None), 1: Circumstances("K2", NOON, None)}
    together = {0: Circumstances("K1", NOON, None), 1: Circumstances("K1", NOON, None)}
    assert same_views([0, 2**6 - 1], apart.__getitem__) == [(0, 1)]
    assert same_views([0, 2**12 - 1], apart.__getitem__) == []
    assert same_views([0, 2**12 - 1], together.__getitem__) == [(0, 1)]
    assert same_views([0, 2**13 - 1], together.__getitem__) == []


def test_places_are_what_the_lock_holds():
    place = placed([Member("img_1", "scene-abc", "img_1")]).places[0]
    assert place == Place("img_1", "scene-abc", "img_1", "img_1", place.split, 1)
