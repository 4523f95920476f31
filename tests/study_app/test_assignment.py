"""Who sees what next: uniform, reproducible, and the scene that needs a vote most."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from study_app.statistics.assignment import (
    GOLD_PLACES,
    POOL,
    REPEAT_DISTANCE,
    REPEAT_SHARE,
    OpenScene,
    next_scene,
    permutation,
    special_trial,
)


def test_positions_are_uniform_over_2600_assignments() -> None:
    orders = np.array([permutation(13, seed) for seed in range(2600)])
    assert (np.sort(orders, axis=1) == np.arange(13)).all()
    counts = np.array([np.bincount(orders[:, position], minlength=13) for position in range(13)])
    # A row or column of the 13x13 table has 200 expected in each cell; 12 degrees of freedom each, 12x12 in all.
    statistic = ((counts - 200.0) ** 2 / 200.0).sum()
    assert 100 < statistic < 195  # central 99.5 % of chi-square with 144 degrees of freedom
    assert min(chisquare(row).pvalue for row in counts) > 0.001
    assert min(chisquare(column).pvalue for column in counts.T) > 0.001


def test_all_orders_of_three_are_as_likely() -> None:
    orders = Counter(permutation(3, seed) for seed in range(6000))
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 0.001


def test_a_seed_reproduces_its_permutation_for_ever() -> None:
    """The value is stored here: it must not change with Python, numpy or the machine."""
    assert permutation(13, 20260101) == (6, 3, 4, 1, 12, 0, 9, 10, 7, 2, 8, 11, 5)
    assert permutation(13, 2**62 + 1) != permutation(13, 2**62)


def test_another_process_draws_the_same_permutation() -> None:
    code = "from study_app.statistics.assignment import permutation; print([permutation(13, s) for s in range(50)])"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == str([permutation(13, seed) for seed in range(50)])


def _scene(key: int, answers: int = 0, leases: int = 0, certainty: float = 0.13) -> OpenScene:
    return OpenScene(key=key, answers=answers, leases=leases, certainty=certainty)


def test_the_least_certain_scene_comes_first() -> None:
    scenes = [_scene(1, 9, 0, 0.8), _scene(2, 9, 0, 0.4), _scene(3, 2, 0, 0.6)]
    assert next_scene(scenes, (), cap=30, seed=1) == 2


def test_then_the_one_with_the_fewest_answers_then_with_the_fewest_leases() -> None:
    scenes = [_scene(1, 9, 0, 0.4), _scene(2, 7, 3, 0.4), _scene(3, 7, 2, 0.4)]
    assert next_scene(scenes, (), cap=30, seed=1) == 3
    assert next_scene(scenes[:2], (), cap=30, seed=1) == 2


def test_equal_scenes_are_drawn_by_the_seed_whatever_their_order() -> None:
    scenes = [_scene(key) for key in range(30)]
    chosen = [next_scene(scenes, (), cap=30, seed=seed) for seed in range(200)]
    assert chosen == [next_scene(scenes[::-1], (), cap=30, seed=seed) for seed in range(200)]
    assert len(set(chosen)) > 25


def test_a_scene_is_never_shown_twice_nor_beyond_the_cap() -> None:
    scenes = [_scene(1, 5), _scene(2, 20, 10), _scene(3, 6)]
    assert next_scene(scenes, {1}, cap=30, seed=1) == 3
    assert next_scene(scenes, {1, 3}, cap=30, seed=1) is None
    assert next_scene(scenes, {1, 3}, cap=31, seed=1) == 2
    assert next_scene([], (), cap=30, seed=1) is None


def test_a_pool_of_forty_is_worked_off_before_a_new_scene_begins() -> None:
    started = [_scene(key, answers=1, certainty=0.9) for key in range(POOL)]
    fresh = [_scene(key) for key in range(100, 160)]
    assert next_scene(fresh + started, (), cap=30, seed=3) in range(POOL)
    # through with the pool: on to the others
    assert next_scene(fresh + started, range(POOL), cap=30, seed=3) in range(100, 160)


def test_a_lease_starts_a_scene() -> None:
    scenes = [_scene(key) for key in range(100, 160)] + [_scene(key, leases=1) for key in range(POOL)]
    assert next_scene(scenes, (), cap=30, seed=3) in range(POOL)


def test_all_raters_work_on_the_same_pool() -> None:
    """60 untouched scenes, 12 raters of 40 trials each: no scene outside the pool of 40 is touched."""
    answers = dict.fromkeys(range(60), 0)
    seen_by: list[set[int]] = [set() for _ in range(12)]
    for _ in range(40):
        for seen in seen_by:
            scenes = [_scene(key, count, 0, 0.13 + 0.05 * count) for key, count in answers.items()]
            key = next_scene(scenes, seen, cap=30, seed=5)
            assert key is not None
            seen.add(key)
            answers[key] += 1
    assert sorted(answers.values()) == [0] * 20 + [12] * 40


def test_one_gold_trial_per_sitting_between_places_3_and_15() -> None:
    places = []
    for sitting in range(1300):
        kinds = [special_trial(place, sitting, trials_before=100) for place in range(1, 21)]
        assert kinds.count("gold") == 1
        places.append(kinds.index("gold") + 1)
    assert set(places) == set(GOLD_PLACES)
    assert chisquare(list(Counter(places).values())).pvalue > 0.001


def test_five_percent_of_the_trials_are_repeats_when_something_lies_far_enough_back() -> None:
    kinds = [special_trial(place, sitting, 100) for sitting in range(1000) for place in range(1, 21)]
    assert kinds.count("repeat") / len(kinds) == pytest.approx(REPEAT_SHARE, abs=0.006)
    early = [
        special_trial(place, sitting, REPEAT_DISTANCE - 1) for sitting in range(200) for place in range(1, 21)
    ]
    assert "repeat" not in early
    assert special_trial(2, 7, 100) == special_trial(2, 7, 100)
