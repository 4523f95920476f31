"""The vote protocol (study.md, section 9): once, whole, superseded, never changed."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from study_app import clock
from study_app.counting import tally
from study_app.preparation.studies import close_study
from study_app.rating import votes
from study_app.rating.vote_body import VoteError
from study_app.rating.votes import NoSuchTrial, VoteConflict
from study_app.storage.models import REPEAT_ROUND, Rater, Study, StudyScene, Vote
from tests.study_app.ballots import body_of, new_key, parsed, store, stored_votes
from tests.study_app.scenery import (
    START,
    add_assignment,
    detached,
    rater_id,
    right_item,
    scene_named,
    scenes_of,
)


@pytest.fixture(autouse=True)
def the_time(monkeypatch):
    """The server's clock stands at START until a test moves it."""
    times = {"now": START}
    monkeypatch.setattr(clock, "now", lambda: times["now"])
    return times


@pytest.fixture
def rater(new_rater):
    return new_rater()


@pytest.fixture
def trial(catalog, study, rater):
    """An open trial of `rater`: the scene "bay" with 13 items, letter A is the first item."""
    with catalog.writing() as session:
        own = session.get_one(Rater, rater_id(rater))
        return detached(session, add_assignment(session, own, scene_named(session, study, "bay")))


class TestStore:
    def test_all_that_was_sent_is_kept(self, catalog, study, rater, trial):
        key = new_key()
        body = parsed(trial, acceptable=False, reasons=["halo", "cast"], comment="Ränder ☂")
        receipt = store(catalog, rater, body, key)
        assert receipt.is_new
        with catalog.reading() as session:
            vote = session.scalars(select(Vote).where(Vote.client_key == key)).one()
            assert (vote.version, vote.kind, vote.acceptable) == (1, "choice", False)
            assert (vote.reasons, vote.comment) == (["halo", "cast"], "Ränder ☂")
            assert (vote.client_at, vote.server_at) == (datetime(2026, 3, 2, 9), START)
            assert vote.behaviour == {"dwell_ms": {"A": 1200}, "dpr": 1.25}
            assert (vote.body_hash, vote.rule_hash, vote.late) == (body.hash, study.rule_hash, False)
            order = vote.assignment.order_json
            assert [(pick.rank, pick.item_id) for pick in vote.picks] == [(1, order[2]), (2, order[0])]

    def test_the_same_again_is_the_first_receipt(self, catalog, rater, trial):
        key = new_key()
        first = store(catalog, rater, parsed(trial), key)
        again = store(catalog, rater, parsed(trial), key, START + timedelta(hours=1))
        assert (again.vote, again.is_new) == (first.vote, False)
        assert len(stored_votes(catalog)) == 1

    def test_the_same_key_with_another_body_is_a_conflict(self, catalog, rater, trial):
        key = new_key()
        first = store(catalog, rater, parsed(trial), key)
        with pytest.raises(VoteConflict, match="under this key") as caught:
            store(catalog, rater, parsed(trial, picks="B"), key)
        assert caught.value.stored == first.vote
        assert len(stored_votes(catalog)) == 1

    def test_a_version_that_is_taken_is_a_conflict(self, catalog, rater, trial):
        first = store(catalog, rater, parsed(trial))
        with pytest.raises(VoteConflict, match="answered already") as caught:
            store(catalog, rater, parsed(trial, picks="B"))
        assert caught.value.stored == first.vote
        assert caught.value.stored.picks == ("C", "A")

    def test_a_change_supersedes_and_nothing_is_lost(self, catalog, rater, trial):
        store(catalog, rater, parsed(trial))
        second = store(catalog, rater, parsed(trial, version=2, picks="B"))
        order = trial.order_json
        assert stored_votes(catalog) == [(1, [order[2], order[0]], False), (2, [order[1]], False)]
        with catalog.reading() as session:
            live = votes.live_vote(session, trial.id)
            assert live is not None
            assert live.client_key == second.vote.key

    def test_no_version_is_skipped(self, catalog, rater, trial):
        with pytest.raises(VoteError, match="version: expected 1"):
            store(catalog, rater, parsed(trial, version=2))
        assert stored_votes(catalog) == []

    def test_a_letter_that_was_not_shown(self, catalog, study, rater):
        with catalog.writing() as session:
            elm = scene_named(session, study, "elm")  # two items
            trial = add_assignment(session, session.get_one(Rater, rater_id(rater)), elm)
            body = parsed(trial, picks="AC")
        with pytest.raises(VoteError, match="picks: letter C was not shown"):
            store(catalog, rater, body)
        assert stored_votes(catalog) == []

    def test_another_raters_trial_does_not_exist(self, catalog, new_rater, trial):
        with pytest.raises(NoSuchTrial):
            store(catalog, new_rater(), parsed(trial))
        assert stored_votes(catalog) == []

    def test_another_raters_key_tells_nothing(self, catalog, rater, new_rater, trial):
        key = new_key()
        store(catalog, rater, parsed(trial), key)
        with pytest.raises(NoSuchTrial):
            store(catalog, new_rater(), parsed(trial), key)

    def test_training_is_answered_once(self, catalog, study, new_rater):
        rater = new_rater(step="instructed")
        with catalog.writing() as session:
            scene = scenes_of(session, study, "training")[0]
            trial = detached(session, add_assignment(session, session.get_one(Rater, rater_id(rater)), scene))
        store(catalog, rater, parsed(trial, picks="B"))
        with pytest.raises(VoteConflict, match="once"):
            store(catalog, rater, parsed(trial, picks="A", version=2))

    @pytest.mark.parametrize("is_right", [True, False])
    def test_passing_training_is_noted_with_the_answer_that_decides_it(
        self, catalog, study, new_rater, is_right
    ):
        rater = new_rater(step="instructed")
        notes = []
        for round_ in (1,) if is_right else (1, REPEAT_ROUND):
            for place in range(3):
                with catalog.writing() as session:
                    scene = scenes_of(session, study, "training")[place]
                    own = session.get_one(Rater, rater_id(rater))
                    trial = detached(session, add_assignment(session, own, scene, round_=round_))
                    right = right_item(scene).id
                pick = next(
                    place for place, item in enumerate(trial.order_json) if (item == right) == is_right
                )
                store(catalog, rater, parsed(trial, picks="ABCD"[pick]))
                with catalog.reading() as session:
                    notes.append(session.get_one(Rater, rater_id(rater)).training_passed)
        assert notes == [None, None, True] if is_right else [None] * 5 + [False]


class TestLate:
    def late(self, catalog, rater, trial, **fields):
        return store(catalog, rater, parsed(trial, **fields)).vote.late

    def test_an_expired_lease_is_no_reason(self, catalog, rater, trial):
        receipt = store(catalog, rater, parsed(trial), at=START + timedelta(days=3))
        assert not receipt.vote.late

    @pytest.mark.parametrize(
        "columns",
        [{"state": "accept"}, {"state": "adjudicate"}, {"void_reason": "crooked"}, {"sent_to_experts": True}],
    )
    def test_the_scene_closed_meanwhile(self, catalog, rater, trial, columns):
        with catalog.writing() as session:
            scene = session.get_one(StudyScene, trial.study_scene_id)
            for name, value in columns.items():
                setattr(scene, name, value)
        assert self.late(catalog, rater, trial)

    def test_the_study_closed_meanwhile(self, catalog, study, rater, trial):
        with catalog.writing() as session:
            close_study(session, session.get_one(Study, study.id), START)
        assert self.late(catalog, rater, trial)

    def test_correcting_the_vote_that_closed_a_scene_is_not_late(self, catalog, rater, trial):
        assert not self.late(catalog, rater, trial)
        with catalog.writing() as session:
            session.get_one(StudyScene, trial.study_scene_id).state = "accept"
        assert not self.late(catalog, rater, trial, version=2)

    def test_a_repeat_of_a_decided_scene_is_not_late(self, catalog, rater, trial):
        with catalog.writing() as session:
            own = session.get_one(Rater, rater_id(rater))
            scene = session.get_one(StudyScene, trial.study_scene_id)
            scene.state = "accept"
            repeat = detached(session, add_assignment(session, own, scene, round_=REPEAT_ROUND))
        assert not self.late(catalog, rater, repeat)


class TestAtOnce:
    def at_once(self, catalog, rater, trial, keys):
        """All of them at one moment: the number that stored, and what the others got."""
        start = threading.Barrier(len(keys))

        def one(number):
            start.wait()
            try:
                return store(catalog, rater, parsed(trial, picks="ABCDEFGH"[number % 8]), keys[number])
            except VoteConflict as conflict:
                return conflict

        with ThreadPoolExecutor(len(keys)) as threads:
            return list(threads.map(one, range(len(keys))))

    def test_two_tabs_answer_one_trial(self, catalog, rater, trial):
        found = self.at_once(catalog, rater, trial, [new_key() for _ in range(8)])
        winners = [one for one in found if isinstance(one, votes.Receipt)]
        assert len(winners) == 1
        assert len(stored_votes(catalog)) == 1
        assert {one.stored for one in found if isinstance(one, VoteConflict)} == {winners[0].vote}

    def test_one_vote_sent_many_times(self, catalog, rater, trial):
        key, start = new_key(), threading.Barrier(8)

        def one(_):
            start.wait()
            return store(catalog, rater, parsed(trial), key)

        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(one, range(8)))
        assert sum(receipt.is_new for receipt in found) == 1
        assert len({receipt.vote for receipt in found}) == 1
        assert len(stored_votes(catalog)) == 1


class TestStatistics:
    def test_they_follow_the_vote(self, catalog, rater, trial):
        receipt = store(catalog, rater, parsed(trial))
        assert votes.follow_up(catalog, receipt.vote, START)
        with catalog.reading() as session:
            scene = session.get_one(StudyScene, trial.study_scene_id)
            assert (scene.counted, scene.evaluated_vote_id) == (1, receipt.vote.id)

    def test_their_failure_does_not_harm_the_vote(self, catalog, client, rater, trial, monkeypatch):
        def full(*_):
            raise OperationalError("UPDATE", {}, sqlite3.OperationalError("database or disk is full"))

        with monkeypatch.context() as broken:
            broken.setattr(tally, "refresh_scene", full)
            client.sign_in(rater)
            answer = client.send("/api/votes", body_of(trial), Idempotency_Key=new_key())
            answer.close()  # as a server does when the answer is out: now the statistics come
        assert answer.status_code == 201
        assert len(stored_votes(catalog)) == 1
        with catalog.writing() as session:
            scene = session.get_one(StudyScene, trial.study_scene_id)
            assert scene.counted == 0
            assert tally.scene_tally(session, scene).evaluation.counted == 1  # the next reader catches up

    def test_the_answer_goes_out_before_them(self, client, rater, trial, monkeypatch):
        asked = []
        monkeypatch.setattr(votes, "follow_up", lambda _catalog, vote, _at: asked.append(vote.key))
        client.sign_in(rater)
        answer = client.send("/api/votes", body_of(trial), Idempotency_Key=new_key())
        assert (answer.status_code, asked) == (201, [])
        answer.close()
        assert asked == [answer.get_json()["vote"]]
