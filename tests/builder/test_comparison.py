"""Near-duplicates, points of disagreement and gates, on pictures whose truth was planted."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from builder.images import UnreadableImage, encode_png, read_strips
from builder.stages.comparison import (
    COMPARISON_REVISION,
    compare,
    compare_candidates,
    comparison_recipe,
    near_duplicates,
)
from builder.stages.disagreement import disagreement_points
from builder.store import Product, Recipe, Store

HEIGHT, WIDTH = 300, 420


def texture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (height, width, 3), dtype=np.uint8)


def strips(pictures, rows):
    return zip(
        *([picture[top : top + rows] for top in range(0, len(picture), rows)] for picture in pictures),
        strict=True,
    )


def compared(*pictures, frames=None, rows=64):
    keys = [f"k{number}" for number in range(len(pictures))]
    return compare(keys, frames or [pictures[0]], strips(pictures, rows), rows)


def psnr(one, other):
    """By the definition, in float64."""
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


@pytest.mark.parametrize("rows", [1, 64, 1000])
def test_psnr_is_that_of_the_definition(rows):
    pictures = [texture(seed) for seed in range(3)]
    found = compared(*pictures, rows=rows)
    expected = [psnr(one, other) for one, other in combinations(pictures, 2)]
    assert [pair[:2] for pair in found.pairwise_psnr] == [("k0", "k1"), ("k0", "k2"), ("k1", "k2")]
    assert [pair[2] for pair in found.pairwise_psnr] == pytest.approx(expected, abs=0.001)


def test_identical_pictures_have_a_finite_psnr_and_are_one_group():
    found = compared(texture(), texture(), texture(1))
    assert found.pairwise_psnr[0][2] == 100.0
    assert found.near_duplicates == (("k0", "k1"),)


def test_a_chain_is_not_one_group():
    """Neighbours one level apart look alike, the ends of the chain, two levels apart, do not."""
    base = texture()
    one, two = base + np.uint8(1), base + np.uint8(2)
    found = compared(base, one, two)
    assert [round(pair[2], 1) for pair in found.pairwise_psnr] == [48.1, 42.1, 48.1]
    assert [len(group) for group in found.near_duplicates] == [2]  # not all three


def test_groups_keep_the_order_in_which_candidates_are_shown():
    errors = {(0, 2): 0.5, (0, 4): 0.5, (2, 4): 0.5, (1, 3): 0.1}
    flat = np.array([errors.get(pair, 900.0) for pair in combinations(range(5), 2)])
    assert near_duplicates("abcde", flat) == (("a", "c", "e"), ("b", "d"))


def test_one_candidate_alone_has_nothing_to_compare():
    found = compared(texture())
    assert (found.pairwise_psnr, found.near_duplicates, found.disagreement_points) == ((), (), ())


PLANTED = ((0.2, 0.25), (0.8, 0.25), (0.5, 0.75))


def with_squares(picture, shift, places=PLANTED, side=64):
    changed = picture.copy()
    height, width = picture.shape[:2]
    for x, y in places:
        top, left = round(y * height) - side // 2, round(x * width) - side // 2
        changed[top : top + side, left : left + side] += np.uint8(shift)
    return changed


def test_planted_points_are_found():
    plain = texture(0, 640, 1000)
    points = disagreement_points([plain, with_squares(plain, 40), plain])
    for x, y in PLANTED:  # the strongest three; others follow from nothing but the median's rounding
        assert min(np.hypot((x - a) * 1000, (y - b) * 640) for a, b in points[:3]) < 48  # a cell and a half


def test_points_are_of_the_whole_picture_whatever_its_size():
    """2100 x 1500 is shrunk in two steps, and its rows do not divide by anything."""
    plain = texture(0, 1501, 2103)
    found = compared(plain, with_squares(plain, 40, side=150), rows=128)
    for x, y in PLANTED:
        assert min(np.hypot(x - a, y - b) for a, b in found.disagreement_points[:3]) < 0.04


def test_a_brighter_picture_alone_is_no_disagreement():
    plain = np.full((640, 1000, 3), 100, np.uint8)
    assert disagreement_points([plain, plain + np.uint8(50)]) == []


def test_different_texture_of_equal_mean_is_disagreement():
    plain = np.full((640, 1000, 3), 120, np.uint8)
    noisy = plain.copy()
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 60
    noisy[256:320, 512:576] = (90 + checks)[..., np.newaxis]
    ((x, y), *_) = disagreement_points([plain, noisy])
    assert abs(x - 0.544) < 0.04
    assert abs(y - 0.45) < 0.06


def test_points_are_at_most_five_apart_and_off_the_border():
    rng = np.random.default_rng(5)
    pictures = [texture(seed, 640, 1024) // 2 + rng.integers(0, 90, dtype=np.uint8) for seed in range(4)]
    pictures[0][:12] = 255  # a border that differs most
    for number in range(4):  # blotches everywhere
        blotches = rng.integers(0, 60, (20, 32), dtype=np.uint8)
        pictures[number] += np.kron(blotches, np.ones((32, 32), np.uint8))[..., np.newaxis]
    points = disagreement_points(pictures)
    assert len(points) == 5
    for one, other in combinations(points, 2):
        apart = np.hypot((one[0] - other[0]) * 1024, (one[1] - other[1]) * 640)
        assert apart >= 0.12 * np.hypot(1024, 640)
    assert all(0.02 <= share <= 0.98 for point in points for share in point)


@pytest.mark.parametrize(("white_rows", "fails"), [(5, False), (7, True)])
def test_more_than_two_percent_clipped_where_an_exposure_is_not(white_rows, fails):
    candidate = texture()
    candidate[:white_rows] = 255  # 5 of 300 rows are 1.7 %, 7 are 2.3 %
    found = compared(candidate, frames=[np.full_like(candidate, 255), texture(1)])
    assert bool(found.gate_failures) is fails
    if fails:
        assert found.gate_failures["k0"] == (
            "2.3% of the picture is clipped where an exposure is not (2 % at most)",
        )


def test_what_no_exposure_holds_may_be_clipped():
    candidate, bright, dark = texture(), texture(1), texture(2)
    candidate[:100], bright[:100], dark[:100] = 255, 254, 251  # the sun
    candidate[200:], bright[200:], dark[200:] = 0, 3, 0  # a cellar
    assert not compared(candidate, frames=[dark, bright]).gate_failures
    dark[:100] = 200
    assert compared(candidate, frames=[dark, bright]).gate_failures


def test_a_saturated_colour_is_not_clipped():
    candidate = texture()
    candidate[..., 0] = 255
    assert not compared(candidate, frames=[texture(1)]).gate_failures


def stored(store, name, picture):
    recipe = Recipe("fused", "church", name, (), {"algorithm": name})
    draft = store.draft(recipe)
    draft.add_file(encode_png(picture), ".png")
    return draft.finish({"width": picture.shape[1], "height": picture.shape[0]}, {})


def test_stored_candidates_are_compared_and_one_of_another_size_is_left_out(tmp_path):
    store = Store(tmp_path)
    products = [stored(store, name, texture(seed)) for seed, name in enumerate("ab")]
    products.append(stored(store, "c", texture(3, 50, 100)))
    candidates: dict[str, Product] = {product.key: product for product in products}
    recipe = comparison_recipe("church", "alignment", list(candidates))
    found = compare_candidates(store, recipe, [texture(9)], candidates)
    assert found.settings["revision"] == COMPARISON_REVISION
    ((one, other, decibels),) = found.result["pairwise_psnr"]
    assert [one, other] == list(candidates)[:2]
    assert decibels == pytest.approx(psnr(texture(0), texture(1)), abs=0.001)
    assert found.result["gate_failures"] == {
        products[2].key: [f"its size is 100x50, the scene's is {WIDTH}x{HEIGHT}"]
    }
    assert store.find(recipe) is not None


def test_strips_are_the_picture(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encode_png(texture()))
    parts = list(read_strips(path, 64))
    assert [len(part) for part in parts] == [64, 64, 64, 64, 44]
    assert np.array_equal(np.concatenate(parts), texture())


@pytest.mark.parametrize("damage", ["cut short", "overwritten"])
def test_a_damaged_candidate_is_named(tmp_path, damage):
    path, content = tmp_path / "picture.png", bytearray(encode_png(texture()))
    path.write_bytes(content[: len(content) // 2] if damage == "cut short" else b"nothing" + content)
    with pytest.raises(UnreadableImage, match=r"picture\.png.*pixels are damaged"):
        list(read_strips(path, 64))
