"""The league table: known tables, scene weights, shared credit, intervals."""

from __future__ import annotations

import numpy as np
import pytest

from study_app.statistics.league import SceneVotes, Standing, league_table, references_won
from study_app.statistics.ranking import Ballot, posterior

NAMES = tuple("abcd")
SINGLE = tuple((name,) for name in NAMES)


def by_name(table: tuple[Standing, ...]) -> dict[str, Standing]:
    return {standing.algorithm: standing for standing in table}


def random_scenes(count: int, seed: int = 0, ballots: int = 9) -> list[SceneVotes]:
    rng = np.random.default_rng(seed)
    strengths = np.array([1.0, 0.4, 0.0, -1.0])
    scenes = []
    for _ in range(count):
        noise = rng.gumbel(size=(ballots, 4))
        order = np.argsort(-(strengths + noise), axis=1)
        lengths = rng.integers(1, 4, size=ballots)
        picks = tuple(tuple(row[:length].tolist()) for row, length in zip(order, lengths, strict=True))
        scenes.append(SceneVotes(SINGLE, picks))
    return scenes


def test_no_votes_no_table() -> None:
    assert league_table([]) == ()
    assert league_table([SceneVotes(SINGLE, ())]) == ()


def test_every_scene_weighs_the_same_in_the_shares() -> None:
    many = SceneVotes(SINGLE, ((0,),) * 90)
    few = SceneVotes(SINGLE, ((1,),) * 10)
    table = by_name(league_table([many, few]))
    assert table["a"].share == pytest.approx(0.5)
    assert table["b"].share == pytest.approx(0.5)


def test_shares_sum_to_one_and_strengths_to_zero() -> None:
    table = league_table(random_scenes(12))
    assert sum(standing.share for standing in table) == pytest.approx(1)
    assert sum(standing.strength for standing in table) == pytest.approx(0, abs=1e-9)
    assert [standing.algorithm for standing in table] == ["a", "b", "c", "d"]


def test_strengths_are_the_mode_of_one_model_over_all_scenes() -> None:
    scenes = random_scenes(5)
    pooled = posterior(4, [Ballot(picks) for scene in scenes for picks in scene.ballots]).mean
    table = by_name(league_table(scenes))
    found = np.array([table[name].strength for name in NAMES])
    np.testing.assert_allclose(found, pooled - pooled.mean(), atol=1e-8)


def test_scenes_with_other_candidates_are_compared_over_those_they_share() -> None:
    first = SceneVotes((("a",), ("b",)), ((0,),) * 9 + ((1,),) * 3)
    second = SceneVotes((("c",), ("b",)), ((0,),) * 3 + ((1,),) * 9)
    table = league_table([first, second])
    assert [standing.algorithm for standing in table] == ["a", "b", "c"]
    assert [standing.scenes for standing in table] == [1, 2, 1]


def test_near_duplicates_share_picks_strength_and_references() -> None:
    scene = SceneVotes((("a", "b"), ("c",)), ((0,),) * 6 + ((1,),) * 2, won=0)
    table = by_name(league_table([scene]))
    assert table["a"].share == table["b"].share == pytest.approx(0.375)
    assert table["a"].strength == pytest.approx(table["b"].strength)
    assert table["a"].references == table["b"].references == 0.5
    assert table["c"].references == 0


def test_a_reference_counts_also_where_no_vote_counts_any_more() -> None:
    assert references_won([SceneVotes(SINGLE, (), won=2)], "c") == 1


def test_intervals_hold_the_estimate_and_shrink_with_scenes() -> None:
    widths = []
    for count in (6, 96):
        table = by_name(league_table(random_scenes(count), resamples=200))
        low, high = table["a"].strength_interval
        assert low <= table["a"].strength <= high
        low_share, high_share = table["a"].share_interval
        assert low_share <= table["a"].share <= high_share
        widths.append(high - low)
    assert widths[1] < widths[0] / 2.5, "sixteen times the scenes: about a quarter of the width"


def test_scenes_are_drawn_as_wholes() -> None:
    """Ballots of one scene agree by cause: repeating each ten times must not make the interval narrower."""
    scenes = random_scenes(10, ballots=4)
    repeated = [SceneVotes(scene.items, scene.ballots * 10) for scene in scenes]
    once, often = (
        by_name(league_table(one, resamples=300))["a"].share_interval for one in (scenes, repeated)
    )
    assert once == pytest.approx(often)


def test_the_same_votes_give_the_same_table() -> None:
    assert league_table(random_scenes(7)) == league_table(random_scenes(7))
