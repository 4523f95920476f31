"""The predicted end of a study."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from study_app.lab.forecast import forecast

NOW = datetime(2026, 5, 4, 12)
DAY = timedelta(hours=24)


def test_without_pace_or_open_scenes_there_is_no_forecast() -> None:
    assert forecast([3], [], minimum=8, cap=30, recent=0, over=DAY, at=NOW) is None
    assert forecast([], [9], minimum=8, cap=30, recent=5, over=DAY, at=NOW) is None


def test_settled_scenes_say_what_the_open_ones_need() -> None:
    found = forecast([4, 0], [10] * 5, minimum=8, cap=30, recent=48, over=DAY, at=NOW)
    assert found is not None
    assert (found.answers_left, found.most_left, found.per_hour) == (16, 56, 2)
    assert found.expected == NOW + timedelta(hours=8)
    assert found.latest == NOW + timedelta(hours=28)


def test_before_enough_are_settled_the_middle_of_the_rule_is_expected() -> None:
    found = forecast([0], [8] * 4, minimum=8, cap=30, recent=24, over=DAY, at=NOW)
    assert found is not None
    assert found.answers_left == pytest.approx(19)


def test_an_open_scene_needs_at_least_one_answer_more() -> None:
    found = forecast([29, 31], [10] * 5, minimum=8, cap=30, recent=24, over=DAY, at=NOW)
    assert found is not None
    assert (found.answers_left, found.most_left) == (2, 2)


def test_a_pace_of_minutes_is_taken_as_one_of_an_hour() -> None:
    found = forecast([0], [], minimum=8, cap=30, recent=6, over=timedelta(minutes=2), at=NOW)
    assert found is not None
    assert found.per_hour == 6
