"""Which trial is next: leases, caps, hidden trials, experts; with the database, without pages."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from study_app.preparation.studies import close_study
from study_app.rating import sittings, trials
from study_app.rating.trial_document import trial_document
from study_app.statistics.assignment import GOLD_PLACES, REPEAT_DISTANCE, permutation
from study_app.statistics.rule import Rule
from study_app.storage.database import retrying
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    REPEAT_ROUND,
    Assignment,
    Rater,
    Sitting,
    Study,
    StudyScene,
    Vote,
)
from study_app.storage.tokens import new_public_id
from tests.study_app.crowd import add_many_scenes, open_crowd_study
from tests.study_app.scenery import (
    START,
    RaterFactory,
    add_assignment,
    add_sitting,
    add_vote,
    detached,
    rater_id,
    right_item,
    scene_named,
    scenes_of,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def many_scenes(catalog, dataset):
    """A study of 60 more scenes than the dataset has, with one gold scene."""
    with catalog.writing() as session:
        add_many_scenes(session, 60, candidates=3)
        study = open_crowd_study(session, dataset, Rule(), START)
        session.flush()
        return detached(session, study)


def current(catalog, rater, at=START):
    return retrying(catalog, lambda session: _detached(session, _current(session, rater, at)))


def _current(session, rater, at):
    own = session.get_one(Rater, rater_id(rater))
    sitting = sittings.current(session, own)
    assert sitting is not None
    return trials.current_trial(session, own, sitting, at)


def prefetch(catalog, rater, at=START):
    def work(session):
        own = session.get_one(Rater, rater_id(rater))
        return _detached(session, trials.prefetch(session, own, sittings.current(session, own), at))

    return retrying(catalog, work)


def _detached(session, found):
    return None if found is None else detached(session, found)


def answer(catalog, rater, trial, at=START):
    with catalog.writing() as session:
        scene = session.get_one(StudyScene, trial.study_scene_id)
        own = session.get_one(Rater, rater_id(rater))
        add_vote(session, own, scene, [0], round_=trial.round, at=at)


def is_left(catalog, rater, at=START):
    with catalog.reading() as session:
        return trials.is_anything_left(session, session.get_one(Rater, rater_id(rater)), at)


def test_a_returning_rater_gets_the_same_trial(catalog, new_rater):
    rater = new_rater()
    first = current(catalog, rater)
    again = current(catalog, rater, START + 12 * MINUTE)
    assert (again.id, again.order_json) == (first.id, first.order_json)
    assert again.lease_until == START + 12 * MINUTE + trials.LEASE


def test_the_stored_seed_reproduces_the_order(catalog, new_rater):
    trial = current(catalog, new_rater())
    with catalog.reading() as session:
        items = [item.id for item in session.get_one(StudyScene, trial.study_scene_id).items]
    assert trial.order_json == [items[place] for place in permutation(len(items), trial.seed)]


def test_reading_finds_the_open_trial_without_a_write(catalog, new_rater):
    rater = new_rater()
    trial = current(catalog, rater)

    def held(at):
        with catalog.reading() as session:
            own = session.get_one(Rater, rater_id(rater))
            sitting = sittings.current(session, own)
            assert sitting is not None
            found = trials.held_trial(session, own, sitting, at)
            return found.id if found else None

    assert held(START + 4 * MINUTE) == trial.id
    assert held(START + 6 * MINUTE) is None  # its lease is to be renewed, and that is a write


def test_an_expired_trial_comes_back_where_its_scene_has_room(catalog, new_rater):
    rater = new_rater()
    first = current(catalog, rater)
    assert current(catalog, rater, START + 20 * MINUTE).id == first.id


class TestCap:
    @pytest.fixture
    def rule(self):
        return Rule(minimum=2, cap=2)

    def test_answers_and_leases_fill_a_scene(self, catalog, study, new_rater):
        raters = [new_rater() for _ in range(11)]
        trials_of = [current(catalog, rater) for rater in raters]
        places = Counter(trial.study_scene_id for trial in trials_of if trial)
        assert sorted(places.values()) == [2, 2, 2, 2, 2]
        assert trials_of[10] is None
        assert not is_left(catalog, raters[10])
        assert is_left(catalog, raters[10], START + 16 * MINUTE)  # all leases have run out

    def test_an_expired_trial_is_gone_when_others_took_its_place(self, catalog, study, new_rater):
        slow = new_rater()
        first = current(catalog, slow)
        later = START + 16 * MINUTE
        for quick in (new_rater(), new_rater()):
            with catalog.writing() as session:
                scene = session.get_one(StudyScene, first.study_scene_id)
                add_assignment(session, session.get_one(Rater, rater_id(quick)), scene, at=later)
        assert current(catalog, slow, later).study_scene_id != first.study_scene_id

    def test_an_answer_without_statistics_still_holds_its_place(self, catalog, study, new_rater):
        """Between the commit of a vote and its statistics neither answers nor leases may forget it."""
        raters = [new_rater() for _ in range(10)]
        for rater in raters:
            answer(catalog, rater, current(catalog, rater))
        assert current(catalog, new_rater()) is None

    def test_requests_at_once_do_not_share_a_free_place(self, catalog, study, new_rater):
        raters = [new_rater() for _ in range(14)]
        with ThreadPoolExecutor(14) as threads:
            found = list(threads.map(lambda rater: current(catalog, rater), raters))
        places = Counter(trial.study_scene_id for trial in found if trial)
        assert sorted(places.values()) == [2, 2, 2, 2, 2]


def test_one_rater_in_many_tabs_gets_one_trial(catalog, new_rater):
    rater = new_rater()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: current(catalog, rater).id, range(8)))
    assert len(set(found)) == 1


def test_prefetch_assigns_one_ahead_and_that_comes_next(catalog, new_rater):
    rater = new_rater()
    first = current(catalog, rater)
    ahead = prefetch(catalog, rater)
    assert prefetch(catalog, rater).id == ahead.id != first.id
    answer(catalog, rater, first)
    assert current(catalog, rater).id == ahead.id


def test_nothing_is_assigned_ahead_of_a_break(catalog, many_scenes):
    rater = RaterFactory(catalog, many_scenes.id)()
    for _ in range(sittings.TRIALS_PER_SITTING - 1):
        answer(catalog, rater, current(catalog, rater))
    assert current(catalog, rater) is not None
    assert prefetch(catalog, rater) is None


def test_a_prefetched_trial_of_a_decided_scene_is_dropped(catalog, new_rater):
    rater = new_rater()
    first = current(catalog, rater)
    ahead = prefetch(catalog, rater)
    answer(catalog, rater, first)
    with catalog.writing() as session:
        session.get_one(StudyScene, ahead.study_scene_id).state = "accept"
    assert current(catalog, rater).study_scene_id not in (ahead.study_scene_id, first.study_scene_id)


@pytest.mark.parametrize("columns", [{"void_reason": "a crooked frame"}, {"sent_to_experts": True}])
def test_void_scenes_and_those_with_the_experts_take_no_votes(catalog, study, new_rater, columns):
    with catalog.writing() as session:
        session.execute(update(StudyScene).where(StudyScene.role == "real").values(**columns))
    rater = new_rater()
    assert current(catalog, rater) is None
    assert not is_left(catalog, rater)


def test_a_closed_study_gives_no_trials(catalog, study, new_rater):
    rater = new_rater()
    current(catalog, rater)
    with catalog.writing() as session:
        close_study(session, session.get_one(Study, study.id), START)
    assert current(catalog, rater) is None
    assert prefetch(catalog, rater) is None
    assert not is_left(catalog, rater)


def rate(catalog, rater, sittings_count):
    """Answer all trials of some full sittings; (sitting, place, role, round, scene, order) of each."""
    seen = []
    at = START
    for number in range(sittings_count):
        if number:
            with catalog.writing() as session:
                own = session.get_one(Rater, rater_id(rater))
                sittings.finish(session, sittings.current(session, own), at)
                add_sitting(session, own, at)
        for place in range(1, sittings.TRIALS_PER_SITTING + 1):
            at += MINUTE / 2
            trial = current(catalog, rater, at)
            if trial is None:
                return seen
            if place % 2:  # every other trial is assigned ahead, as the page does
                prefetch(catalog, rater, at)
            answer(catalog, rater, trial, at)
            with catalog.reading() as session:
                role = session.get_one(StudyScene, trial.study_scene_id).role
            seen.append((number, place, role, trial.round, trial.study_scene_id, tuple(trial.order_json)))
    return seen


def test_gold_comes_once_per_sitting_and_repeats_come_late(catalog, many_scenes):
    new_rater = RaterFactory(catalog, many_scenes.id)
    repeats = total = 0
    for _ in range(6):
        seen = rate(catalog, new_rater(), 2)
        total += len(seen)
        golds = [(sitting, place) for sitting, place, role, *_ in seen if role == "gold"]
        assert len(golds) == 1, "the dataset has one gold scene, and nobody sees it twice"
        assert golds[0][1] in GOLD_PLACES
        for index, (_, _, role, round_, scene, order) in enumerate(seen):
            if round_ == REPEAT_ROUND:
                repeats += 1
                first = next(place for place, one in enumerate(seen) if one[4] == scene)
                assert role == "real"
                assert index - first >= REPEAT_DISTANCE
                assert sorted(order) == sorted(seen[first][5])
        assert (
            Counter(scene for *_, round_, scene, _ in seen if round_ == FIRST_ROUND).most_common(1)[0][1] == 1
        )
    assert 0 < repeats / total < 0.12


def test_an_expert_judges_undecided_scenes_first_and_only_what_may_be_best(catalog, study, new_rater):
    with catalog.writing() as session:
        bay = scene_named(session, study, "bay")
        for pick in (0, 0, 0, 0, 1, 1, 1, 2):
            add_vote(session, voter_in(session, study), bay, [pick])
        bay.state = "adjudicate"
        bay_id, items = bay.id, [item.id for item in bay.items]
    experts = [new_rater(is_expert=True) for _ in range(3)]
    found = [current(catalog, expert) for expert in experts]
    assert [trial.round for trial in found] == [ADJUDICATION_ROUND, ADJUDICATION_ROUND, FIRST_ROUND]
    assert found[0].study_scene_id == found[1].study_scene_id == bay_id
    assert set(found[0].order_json) == set(found[1].order_json)
    assert {items[0], items[1]} <= set(found[0].order_json)
    assert 2 <= len(found[0].order_json) <= 4
    assert current(catalog, new_rater()).round == FIRST_ROUND


def voter_in(session, study):
    """A rater within a transaction that is under way."""
    rater = Rater(public_id=new_public_id(), study_id=study.id, joined_at=START)
    session.add(rater)
    session.flush()
    return rater


def test_an_expert_who_reports_a_fault_leaves_the_place_to_another(catalog, study, new_rater):
    with catalog.writing() as session:
        scene_named(session, study, "bay").sent_to_experts = True
    experts = [new_rater(is_expert=True) for _ in range(3)]
    first = current(catalog, experts[0])
    with catalog.writing() as session:
        scene = session.get_one(StudyScene, first.study_scene_id)
        own = session.get_one(Rater, rater_id(experts[0]))
        add_vote(session, own, scene, kind="technical", round_=ADJUDICATION_ROUND)
    assert [current(catalog, expert).round for expert in experts[1:]] == [ADJUDICATION_ROUND] * 2


class TestTraining:
    def trial(self, catalog, rater):
        def work(session):
            own = session.get_one(Rater, rater_id(rater))
            sitting = session.scalars(select(Sitting).where(Sitting.rater_id == own.id)).one()
            return _detached(session, trials.training_trial(session, own, sitting, START))

        return retrying(catalog, work)

    def answer(self, catalog, rater, trial, is_right):
        with catalog.writing() as session:
            scene = session.get_one(StudyScene, trial.study_scene_id)
            right = right_item(scene)
            pick = right if is_right else next(item for item in scene.items if item is not right)
            own = session.get_one(Rater, rater_id(rater))
            add_vote(session, own, scene, [pick], round_=trial.round)

    def test_each_scene_once_and_passed(self, catalog, study, new_rater):
        rater = new_rater(step="instructed")
        seen = []
        while trial := self.trial(catalog, rater):
            assert self.trial(catalog, rater).id == trial.id, "a reload shows the same"
            seen.append((trial.round, trial.study_scene_id))
            self.answer(catalog, rater, trial, is_right=True)
        with catalog.reading() as session:
            assert seen == [
                (1, scene) for scene in sorted(s.id for s in scenes_of(session, study, "training"))
            ]

    def test_a_failed_round_comes_once_more_in_another_order(self, catalog, study, new_rater):
        rater = new_rater(step="instructed")
        rounds, orders = [], {}
        while trial := self.trial(catalog, rater):
            rounds.append(trial.round)
            orders.setdefault(trial.study_scene_id, []).append(trial.order_json)
            self.answer(catalog, rater, trial, is_right=False)
        assert rounds == [1, 1, 1, 2, 2, 2]
        assert any(first != second for first, second in orders.values())

    def test_training_is_no_trial(self, catalog, study, new_rater):
        rater = new_rater(step="instructed")
        training = self.trial(catalog, rater)
        assert current(catalog, rater).study_scene_id != training.study_scene_id


class TestDocument:
    KEYS = (
        "assignment", "can_reopen", "exposures", "height", "images", "kind", "number", "overlap", "points",
        "previous", "reasons", "tile_size", "total", "unlock_seconds", "version", "width",
    )  # fmt: skip

    def document(self, catalog, rater, trial, at=START):
        with catalog.reading() as session:
            own = session.get_one(Rater, rater_id(rater))
            found = session.get_one(Assignment, trial.id)
            return trial_document(session, own, sittings.current(session, own), found, at)

    def test_it_has_what_the_page_needs(self, catalog, study, new_rater):
        rater = new_rater()
        trial = current(catalog, rater)
        document = self.document(catalog, rater, trial)
        with catalog.reading() as session:
            scene = session.get_one(StudyScene, trial.study_scene_id)
            names = {item.id: item.public_id for item in scene.items}
            assert tuple(sorted(document)) == self.KEYS
            assert (document["width"], document["height"]) == (scene.width, scene.height)
            assert [image["id"] for image in document["images"]] == [names[item] for item in trial.order_json]
            assert [image["letter"] for image in document["images"]] == list("ABCDEFGHIJKLM")[: len(names)]
            assert [one["id"] for one in document["exposures"]] == [one.public_id for one in scene.exposures]
        assert (document["number"], document["total"], document["version"]) == (1, 5, 1)
        assert (document["kind"], document["previous"], document["can_reopen"]) == ("trial", None, False)

    def test_gold_and_repeats_look_like_any_trial(self, catalog, study, new_rater):
        rater = new_rater()
        first = current(catalog, rater)
        answer(catalog, rater, first)
        with catalog.writing() as session:
            own = session.get_one(Rater, rater_id(rater))
            gold = add_assignment(session, own, scenes_of(session, study, "gold")[0])
            repeat = add_assignment(
                session, own, session.get_one(StudyScene, first.study_scene_id), round_=REPEAT_ROUND
            )
            hidden = [gold.id, repeat.id]
        for key in hidden:
            with catalog.reading() as session:
                trial = detached(session, session.get_one(Assignment, key))
            document = self.document(catalog, rater, trial)
            assert tuple(sorted(document)) == self.KEYS
            assert (document["kind"], document["version"], document["previous"]) == ("trial", 1, None)
            assert (document["number"], document["total"]) == (2, 5)

    def test_the_last_answer_can_be_changed_and_is_shown(self, catalog, study, new_rater):
        rater = new_rater()
        first = current(catalog, rater)
        answer(catalog, rater, first)
        assert self.document(catalog, rater, current(catalog, rater))["can_reopen"]
        with catalog.reading() as session:
            own = session.get_one(Rater, rater_id(rater))
            last = trials.reopenable(session, own, sittings.current(session, own))
            assert last is not None
            assert last.id == first.id
            picked = session.scalars(select(Vote).where(Vote.assignment_id == last.id)).one().picks[0].item_id
        document = self.document(catalog, rater, first)
        letter = "ABCDEFGHIJKLM"[first.order_json.index(picked)]
        assert document["version"] == 2
        assert document["previous"] == {
            "kind": "choice", "picks": [letter], "acceptable": True, "reasons": [], "comment": "",
        }  # fmt: skip
