"""Damaged copies: always the same, far enough from the sound picture, and damaged where they say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from builder.catalog import FAULTS, Candidate, DamagedCopy, Scene
from builder.images import read_image
from builder.stages.damage import (
    DAMAGES,
    Damage,
    damaged,
    practice_scenes,
    sound_candidate,
    where_it_shows,
)
from tests.builder.test_build import SCENES, rows


def view(height: int = 400, width: int = 600) -> np.ndarray:
    """A bright sky over a dark wall with windows and a textured ground."""
    rng = np.random.default_rng(3)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = np.linspace(235, 190, height)[:, np.newaxis, np.newaxis] * np.array([0.85, 0.93, 1.0])
    wall, ground = slice(height // 4, 3 * height // 4), slice(3 * height // 4, height)
    picture[wall, width // 5 : width // 2] = (70, 62, 55)
    for left in range(width // 5 + 12, width // 2 - 24, 36):
        picture[height // 3 : height // 2, left : left + 18] = (200, 190, 150)
    picture[ground] = (110, 120, 85) + rng.normal(0, 18, (height - 3 * height // 4, width, 1))
    return np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2)))


def copy(fault: str, severity: str = "clear") -> np.ndarray:
    return damaged(view(), Damage(fault, severity), 1)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.fault}-{damage.severity}")
def test_a_copy_is_the_same_each_time_and_clearly_another_picture(damage):
    sound = view()
    before = sound.copy()
    one, other = (damaged(sound, damage, 7) for _ in range(2))
    assert np.array_equal(one, other)
    assert np.array_equal(sound, before)
    assert (one.shape, one.dtype) == (sound.shape, np.uint8)
    assert 17 < psnr(sound, one) < 36  # dB: below 17 nobody would take it for a photograph


@pytest.mark.parametrize("fault", FAULTS)
def test_strong_is_stronger(fault):
    assert psnr(view(), copy(fault, "strong")) < psnr(view(), copy(fault)) - 0.5


def test_the_threads_of_opencv_do_not_matter():
    threads = cv2.getNumThreads()
    many = [damaged(view(), damage, 7) for damage in DAMAGES]
    try:
        cv2.setNumThreads(1)
        one = [damaged(view(), damage, 7) for damage in DAMAGES]
    finally:
        cv2.setNumThreads(threads)
    assert all(np.array_equal(*pair) for pair in zip(many, one, strict=True))


def test_a_halo_is_a_bright_edge_of_the_sky_along_the_dark_wall():
    sky = slice(110, 180)
    change = copy("halo", "strong").astype(int) - view()
    beside, far = change[sky, 303:308].mean(), change[sky, 500:560].mean()
    assert beside > far + 15


def test_a_ghost_is_one_place_and_the_rest_is_untouched():
    changed = np.abs(copy("ghost").astype(int) - view()).max(axis=2) > 0
    assert 0.002 < changed.mean() < 0.04
    assert changed[tuple(_pixel(where_it_shows(view(), copy("ghost")), changed))]


def _pixel(at, plane):
    return int(at[1] * plane.shape[0]), int(at[0] * plane.shape[1])


def test_noise_is_stronger_in_the_shadows_and_differs_between_scenes():
    change = copy("noise").astype(int) - view()
    assert change[200:280, 160:164].std() > 1.4 * change[:80].std()
    assert not np.array_equal(damaged(view(), Damage("noise", "clear"), 2), copy("noise"))


def test_a_cast_turns_away_from_the_picture_s_own_colour():
    def green(picture: np.ndarray) -> float:
        lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
        return -float(np.median(lab[..., 1]))

    warm = view().astype(int) + [10, -10, 10]
    warm = np.clip(warm, 0, 255).astype(np.uint8)
    assert green(damaged(warm, Damage("cast", "clear"), 1)) > green(warm) + 3
    cold = np.clip(view().astype(int) + [-10, 10, -10], 0, 255).astype(np.uint8)
    assert green(damaged(cold, Damage("cast", "clear"), 1)) < green(cold) - 3


def test_clipping_takes_the_brightest_part_to_white_and_leaves_the_dark():
    clipped = copy("clipping", "strong")
    assert (clipped.min(axis=2) == 255).mean() > 0.045
    assert np.array_equal(clipped[200:280, 160:164], view()[200:280, 160:164])


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.fault}-{damage.severity}")
@pytest.mark.parametrize("size", [(1, 1), (12, 20), (40, 700)])
def test_odd_sizes(size, damage):
    picture = cv2.resize(view(), size[::-1], interpolation=cv2.INTER_AREA)
    changed = damaged(picture, damage, 1)
    assert changed.shape == picture.shape
    assert all(0 <= share <= 1 for share in where_it_shows(picture, changed))


def test_where_it_shows_is_where_it_was_put():
    changed = view()
    changed[60:100, 450:500] -= np.uint8(40)
    x, y = where_it_shows(view(), changed)
    assert abs(x - 475 / 600) < 0.05
    assert abs(y - 80 / 400) < 0.07


def test_practice_scenes_are_few_and_stay_the_same_when_others_come():
    names = [f"scene-{number}" for number in range(50)]
    few, more = practice_scenes(names, 6), practice_scenes(names, 12)
    assert len(few) == 6
    assert few < more
    assert practice_scenes(names[::-1], 6) == few
    assert practice_scenes(names, 0) == frozenset()
    kept = practice_scenes([*names, "another"], 6) & few
    assert len(kept) >= 5


def test_the_sound_candidate_has_the_best_score_and_no_gate_against_it():
    scores = {"a": 0.95, "b": 0.97, "c": 0.99, "d": None}
    algorithms = {"a": "ma2017", "b": "mertens2009", "c": "raman2009", "d": "li2013"}
    assert sound_candidate(scores, {}, algorithms, moving=False) == "c"
    assert sound_candidate(scores, {"c": ["clipped"]}, algorithms, moving=False) == "b"
    assert sound_candidate(scores, {}, algorithms, moving=True) == "a"
    assert sound_candidate(scores, {"a": ["clipped"]}, algorithms, moving=True) == "c"
    assert sound_candidate({"d": None}, {}, algorithms, moving=False) is None


def test_every_practice_scene_of_a_build_has_ten_copies_of_one_candidate(built):
    query = (
        select(Scene.name, func.count(), func.count(DamagedCopy.candidate_id.distinct()))
        .join(DamagedCopy, DamagedCopy.scene_id == Scene.id)
        .group_by(Scene.name)
        .order_by(Scene.name)
    )
    assert [tuple(row) for row in rows(built, query)] == [(name, 10, 1) for name in SCENES]
    gates = select(Candidate.gate_failures).join(DamagedCopy, DamagedCopy.candidate_id == Candidate.id)
    assert all(row == ([],) for row in rows(built, gates))


def test_nothing_but_the_picture_tells_a_copy_from_its_original(built):
    query = select(DamagedCopy.preview_path, DamagedCopy.at, Candidate.preview_path).join(
        Candidate, DamagedCopy.candidate_id == Candidate.id
    )
    for path, at, original in rows(built, query):
        mine, theirs = (
            {file.relative_to(built / folder).as_posix() for file in (built / folder).rglob("*")}
            for folder in (path, original)
        )
        assert mine == theirs
        assert all(0 < share < 1 for share in at)
        for name in ("w480.jpg", "w2048.jpg"):
            with Image.open(built / path / name) as one, Image.open(built / original / name) as other:
                assert one.size == other.size
                assert one.info == other.info
                assert set(one.info) == {"icc_profile"}
        assert not np.array_equal(
            read_image(built / path / "w480.jpg"), read_image(built / original / "w480.jpg")
        )
