"""The order of pages, sittings and breaks."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from study_app.rater_pages import flow
from study_app.rater_pages.flow import Progress
from study_app.rating import sittings
from study_app.rating.sittings import SittingTimes
from study_app.storage.models import Consent, Rater, Sitting, Study
from tests.study_app.scenery import START, add_sitting, add_vote, rater_id, scenes_of

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
AT_WORK = Progress(
    takes_part=True,
    has_consented=True,
    has_trials_left=True,
    is_resting=False,
    is_sitting=True,
    colour_vision_done=True,
    instructions_read=True,
    training_done=True,
)


@pytest.mark.parametrize(
    ("changes", "page"),
    [
        ({}, "/trial"),
        ({"training_done": False}, "/training"),
        ({"instructions_read": False}, "/instructions"),
        ({"colour_vision_done": False}, "/colour-vision"),
        ({"is_sitting": False}, "/display-check"),
        ({"is_resting": True, "is_sitting": False}, "/break"),
        ({"has_trials_left": False}, "/finish"),
        ({"has_trials_left": False, "is_resting": True}, "/finish"),
        ({"has_consented": False}, "/consent"),
        ({"has_consented": False, "has_trials_left": False}, "/consent"),
        ({"takes_part": False, "has_consented": False}, "/finish"),
    ],
)
def test_each_missing_step_leads_to_its_page(changes, page):
    assert flow.step(replace(AT_WORK, **changes)) == page


def test_the_earliest_missing_step_comes_first():
    nothing = Progress(**{field.name: False for field in fields(Progress)})
    order = []
    state = replace(nothing, takes_part=True, has_trials_left=True)
    for name in ("has_consented", "is_sitting", "colour_vision_done", "instructions_read", "training_done"):
        order.append(flow.step(state))
        state = replace(state, **{name: True})
    order.append(flow.step(state))
    assert order == ["/consent", "/display-check", "/colour-vision", "/instructions", "/training", "/trial"]


def sat(answered=1, last=MINUTE, seen=None, **rest):
    """A sitting whose last answer came `last` after its start."""
    last_at = None if last is None else START + last
    return SittingTimes(START, answered, last_at, START + (seen or last or timedelta()), **rest)


@pytest.mark.parametrize(
    ("times", "until"),
    [
        (sat(answered=0, last=None), None),
        (sat(answered=19, last=24 * MINUTE + 59 * SECOND), None),
        (sat(answered=20, last=10 * MINUTE), START + 13 * MINUTE),
        (sat(answered=3, last=25 * MINUTE), START + 28 * MINUTE),
    ],
)
def test_a_break_is_due_after_20_trials_or_25_minutes(times, until):
    assert sittings.forced_break_until(times) == until


def test_a_forced_break_lasts_three_minutes_and_ends_the_sitting():
    times = sat(answered=20, last=10 * MINUTE)
    assert sittings.rests_until(times, START + 10 * MINUTE) == START + 13 * MINUTE
    assert sittings.rests_until(times, START + 13 * MINUTE - SECOND) == START + 13 * MINUTE
    assert sittings.rests_until(times, START + 13 * MINUTE) is None
    assert sittings.is_over(times, START + 11 * MINUTE)


def test_nobody_is_torn_away_from_a_scene():
    """Time alone ends nothing: the break is due at the answer."""
    times = sat(answered=5, last=24 * MINUTE, seen=24 * MINUTE)
    assert not sittings.is_over(times, START + 27 * MINUTE)


def test_who_was_away_for_long_begins_a_new_sitting_without_a_forced_break():
    times = sat(answered=5, last=4 * MINUTE)
    later = START + 4 * MINUTE + sittings.IDLE_LIMIT
    assert not sittings.is_over(times, later)
    assert sittings.is_over(times, later + SECOND)
    assert sittings.rests_until(times, later + SECOND) is None


def test_sittings_are_counted_and_one_at_a_time(catalog, new_rater):
    rater = new_rater(step="consented")
    with catalog.writing() as session:
        first = sittings.start(session, rater, {"dpr": 1}, True, START)
        second = sittings.start(session, rater, {"dpr": 2}, False, START + MINUTE)
        assert (first.number, second.number) == (1, 2)
        assert first.ended_at == START + MINUTE
        assert sittings.current(session, rater).id == second.id
        assert (second.display, second.display_passed) == ({"dpr": 2}, False)
        sittings.finish(session, second, START + 2 * MINUTE)
        assert sittings.current(session, rater) is None
        assert sittings.latest(session, rater).id == second.id


def test_training_does_not_count_as_a_trial(catalog, study, new_rater):
    rater = new_rater()  # trained, by three answers of training
    with catalog.writing() as session:
        sitting = sittings.current(session, rater)
        assert sittings.answered(session, sitting) == 0
        real = scenes_of(session, study)
        add_vote(session, rater, real[0], [0], at=START + MINUTE)
        add_vote(session, rater, real[0], [1], at=START + 2 * MINUTE)  # changed: the same trial
        add_vote(session, rater, real[1], [0], at=START + 3 * MINUTE)
        times = sittings.times(session, sitting)
    assert (times.answered, times.last_answer_at) == (2, START + 3 * MINUTE)


def step_of(catalog, rater, at=START + MINUTE):
    with catalog.reading() as session:
        return flow.next_step(session, session.get_one(Rater, rater_id(rater)), at)


@pytest.mark.parametrize(
    ("done", "page"),
    [
        ("joined", "/consent"),
        ("consented", "/display-check"),
        ("display-checked", "/colour-vision"),
        ("colour-checked", "/instructions"),
        ("instructed", "/training"),
        ("trained", "/trial"),
    ],
)
def test_a_rater_is_sent_to_the_first_thing_not_done(catalog, new_rater, done, page):
    assert step_of(catalog, new_rater(step=done)) == page


@pytest.mark.parametrize("failed", ["display_passed", "colour_passed", "training_passed"])
def test_who_fails_a_check_takes_part_all_the_same(catalog, new_rater, failed):
    assert step_of(catalog, new_rater(**{failed: False})) == "/trial"


def test_instructions_come_back_a_day_later_at_the_next_sitting(catalog, new_rater):
    rater = new_rater()
    assert step_of(catalog, rater, START + 25 * timedelta(hours=1)) == "/display-check"
    for hours, page in ((23, "/trial"), (25, "/instructions")):
        at = START + hours * timedelta(hours=1)
        with catalog.writing() as session:
            add_sitting(session, rater, at)
        assert step_of(catalog, rater, at + MINUTE) == page


def test_a_new_text_asks_for_consent_again(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        session.get_one(Study, study.id).consent_version = "next"
    assert step_of(catalog, rater) == "/consent"
    with catalog.reading() as session:
        assert len(session.scalars(select(Consent)).all()) == 1


def test_a_closed_study_and_a_withdrawn_rater_lead_to_the_last_page(catalog, study, new_rater):
    gone = new_rater(state="withdrawn")
    assert step_of(catalog, gone) == "/finish"
    rater = new_rater()
    with catalog.writing() as session:
        session.get_one(Study, study.id).state = "closed"
    assert step_of(catalog, rater) == "/finish"


def test_after_all_scenes_the_last_page_even_when_a_break_is_due(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        for scene in scenes_of(session, study):
            add_vote(session, rater, scene, [0], at=START + 26 * MINUTE)
        for scene in scenes_of(session, study, "gold"):
            add_vote(session, rater, scene, [0], at=START + 26 * MINUTE)
    assert step_of(catalog, rater, START + 27 * MINUTE) == "/finish"


def test_a_break_then_the_display_again(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0], at=START + 26 * MINUTE)
    assert step_of(catalog, rater, START + 27 * MINUTE) == "/break"
    assert step_of(catalog, rater, START + 29 * MINUTE) == "/display-check"


def test_asking_for_the_next_step_changes_nothing(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0], at=START + 26 * MINUTE)
    step_of(catalog, rater, START + 27 * MINUTE)
    with catalog.reading() as session:
        assert session.scalars(select(Sitting.ended_at).where(Sitting.rater_id == rater_id(rater))).all() == [
            None
        ]
