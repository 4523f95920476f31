"""The vote protocol (study.md, section 9): once, whole, superseded, never changed; and the cases of tests 3 and 4."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from study_app import clock, tally, votes
from study_app.decisions import Rule
from study_app.models import REPEAT_ROUND, Assignment, Rater, Study, StudyScene, Vote
from study_app.studies import close_study
from study_app.vote_body import VoteError, parse_vote
from study_app.votes import NoSuchTrial, VoteConflict
from tests.study_app.crowd import add_many_scenes, open_crowd_study
from tests.study_app.scenery import (
    START,
    RaterFactory,
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


def body_of(trial, *, version=1, picks=("C", "A"), **fields):
    """The JSON of a vote as the page sends it."""
    return {
        "assignment": trial.public_id,
        "version": version,
        "kind": "choice",
        "picks": list(picks),
        "acceptable": True,
        "reasons": [],
        "comment": "",
        "client_at": "2026-03-02T10:00:00+01:00",
        "behaviour": {"dwell_ms": {"A": 1200}, "dpr": 1.25},
    } | fields


def parsed(*args, **fields):
    return parse_vote(json.dumps(body_of(*args, **fields)).encode())


def new_key():
    return str(uuid.uuid4())


def store(catalog, rater, body, key=None, at=START):
    return votes.store(catalog, rater_id(rater), key or new_key(), body, at)


def stored_votes(catalog):
    """All votes but those of training, oldest first: (version, picks, late)."""
    with catalog.reading() as session:
        found = session.scalars(
            select(Vote)
            .join(Assignment)
            .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
            .where(StudyScene.role != "training")
            .order_by(Vote.id)
        )
        return [(vote.version, [pick.item_id for pick in vote.picks], vote.late) for vote in found]


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


class TestOverHttp:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client, rater):
        client.sign_in(rater)

    def send(self, client, body, key):
        answer = client.send("/api/votes", body, Idempotency_Key=key)
        answer.close()
        return answer

    def open_trial(self, client):
        return client.get("/api/trial").get_json()

    def body(self, document, **fields):
        return {
            "assignment": document["assignment"], "version": document["version"], "kind": "choice",
            "picks": ["A"], "acceptable": True,
        } | fields  # fmt: skip

    def test_double_click(self, client, catalog):
        document, key = self.open_trial(client), new_key()
        first, second = (self.send(client, self.body(document), key) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200)
        assert {**first.get_json(), "next": None} == {**second.get_json(), "next": None}
        assert sorted(first.get_json()) == ["feedback", "hash", "next", "saved_at", "version", "vote"]
        assert len(stored_votes(catalog)) == 1

    def test_two_tabs(self, client, catalog):
        one, other = self.open_trial(client), self.open_trial(client)
        assert one == other
        self.send(client, self.body(one, picks=["B"]), new_key())
        refused = self.send(client, self.body(other, picks=["A"]), new_key())
        assert refused.status_code == 409
        assert refused.get_json()["stored"]["picks"] == ["B"]
        assert len(stored_votes(catalog)) == 1

    def test_back_and_another_answer(self, client, catalog):
        document = self.open_trial(client)
        self.send(client, self.body(document), new_key())
        again = client.send("/api/trials/reopen", {}).get_json()
        assert (again["assignment"], again["version"]) == (document["assignment"], 2)
        assert again["previous"]["picks"] == ["A"]
        changed = self.send(
            client, self.body(again, kind="cannot_tell", picks=[], acceptable=None), new_key()
        )
        assert (changed.status_code, changed.get_json()["version"]) == (201, 2)
        assert [version for version, *_ in stored_votes(catalog)] == [1, 2]

    def test_nothing_to_reopen_in_a_new_sitting(self, client):
        assert client.send("/api/trials/reopen", {}).status_code == 409

    def test_a_replay_hours_later(self, client, catalog, the_time):
        key, document = new_key(), self.open_trial(client)
        first = self.send(client, self.body(document), key).get_json()
        self.send(client, self.body(self.open_trial(client)), new_key())
        the_time["now"] += timedelta(hours=5)
        again = self.send(client, self.body(document), key)
        assert again.status_code == 200
        assert again.get_json()["saved_at"] == first["saved_at"]
        assert len(stored_votes(catalog)) == 2

    def test_votes_in_another_order_than_their_trials(self, client, catalog):
        first = self.open_trial(client)
        ahead = client.get("/api/trial/next").get_json()
        assert ahead["previews"]
        with catalog.reading() as session:
            second = session.scalars(select(Assignment.public_id).order_by(Assignment.id.desc())).first()
        later = self.body({"assignment": second, "version": 1})
        assert self.send(client, later, new_key()).status_code == 201
        assert self.send(client, self.body(first), new_key()).status_code == 201
        assert len(stored_votes(catalog)) == 2

    def test_a_change_that_overtakes_its_vote_waits(self, client, catalog):
        document, key = self.open_trial(client), new_key()
        early = self.body(document, version=2, picks=["B"])
        assert self.send(client, early, key).status_code == 422
        assert self.send(client, self.body(document), new_key()).status_code == 201
        assert self.send(client, early, key).status_code == 201
        assert [version for version, *_ in stored_votes(catalog)] == [1, 2]

    @pytest.mark.parametrize("days", [-1, 1])
    def test_a_wrong_clock_in_the_browser(self, client, catalog, days):
        claimed = START + timedelta(days=days)
        body = self.body(self.open_trial(client), client_at=claimed.isoformat() + "Z")
        assert self.send(client, body, new_key()).status_code == 201
        with catalog.reading() as session:
            vote = session.scalars(select(Vote).order_by(Vote.id.desc())).first()
            assert vote is not None
            assert (vote.client_at, vote.server_at) == (claimed, START)

    def test_the_next_trial_does_not_wait_for_the_last_ones_statistics(self, client, monkeypatch):
        monkeypatch.setattr(votes, "follow_up", lambda *_: None)
        document = self.open_trial(client)
        self.send(client, self.body(document), new_key())
        assert self.open_trial(client)["assignment"] != document["assignment"]

    def test_a_trial_page_leads_on_when_it_is_not_its_time(self, client, new_rater):
        assert client.get("/training").headers["Location"] == "/trial"
        client.sign_in(new_rater(step="consented"))
        assert client.get("/trial").headers["Location"] == "/display-check"
        assert client.get("/api/trial").get_json() == {"next": "/display-check"}


class TestTraining:
    def test_the_answer_says_what_there_was_to_see(self, client, catalog, new_rater):
        client.sign_in(new_rater(step="instructed"))
        document = client.get("/api/trial?kind=training").get_json()
        assert (document["kind"], document["number"], document["total"]) == ("training", 1, 3)
        body = {
            "assignment": document["assignment"], "version": 1, "kind": "choice", "picks": ["A"], "acceptable": True,
        }  # fmt: skip
        answer = client.send("/api/votes", body, Idempotency_Key=new_key()).get_json()
        assert sorted(answer["feedback"]) == ["at", "fault", "letter", "right", "text"]
        assert answer["next"] == "/training"


class TestDatabaseInTrouble:
    """Nothing is stored, the browser hears 503 and tries again: then it is stored once."""

    @pytest.fixture(autouse=True)
    def _sqlite_only(self, database_url):
        if not database_url.startswith("sqlite"):
            pytest.skip("locks and files are SQLite's")

    @pytest.fixture
    def impatient(self, app):
        """The application waits 50 ms for the lock instead of ten seconds."""
        engine = app.extensions["study_database"].engine
        engine.dispose()

        def shorten(connection, _record):
            connection.execute("PRAGMA busy_timeout=50")

        event.listen(engine, "connect", shorten)
        yield
        event.remove(engine, "connect", shorten)

    def refused_then_stored(self, client, catalog, rater, trial, trouble, relief):
        client.sign_in(rater)
        body, key = body_of(trial, behaviour={"note": "x" * 40_000}), new_key()
        trouble()
        refused = client.send("/api/votes", body, Idempotency_Key=key)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert refused.get_json()["error"].startswith("Not saved yet, still trying")
        relief()
        assert stored_votes(catalog) == []
        assert client.send("/api/votes", body, Idempotency_Key=key).status_code == 201
        assert len(stored_votes(catalog)) == 1

    def test_somebody_holds_the_lock(self, client, catalog, rater, trial, impatient, tmp_path):
        other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
        self.refused_then_stored(
            client, catalog, rater, trial,
            trouble=lambda: other.execute("BEGIN IMMEDIATE"), relief=lambda: other.execute("ROLLBACK"),
        )  # fmt: skip
        other.close()

    def test_the_lock_is_released_in_time(self, client, catalog, rater, trial, tmp_path):
        """A short lock is nobody's business: the vote waits for it and is stored at the first try."""
        other = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        client.sign_in(rater)
        release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        release.start()
        answer = client.send("/api/votes", body_of(trial), Idempotency_Key=new_key())
        release.join()
        other.close()
        assert answer.status_code == 201
        assert len(stored_votes(catalog)) == 1

    @pytest.mark.parametrize("trouble", ["read-only", "full"])
    def test_the_file_takes_no_more(self, app, client, catalog, rater, trial, trouble):
        """Read-only, or full to the last page: the vote comes again when there is room."""
        engine = app.extensions["study_database"].engine
        pragma = {"read-only": "PRAGMA query_only=ON", "full": "PRAGMA max_page_count=1"}[trouble]

        def spoil(connection, _record):
            connection.execute(pragma)

        def begin():
            engine.dispose()
            event.listen(engine, "connect", spoil)

        def end():
            event.remove(engine, "connect", spoil)
            engine.dispose()

        self.refused_then_stored(client, catalog, rater, trial, begin, end)

    def test_readyz_tells_it(self, app, client, monkeypatch):
        assert client.get("/readyz").status_code == 200
        engine = app.extensions["study_database"].engine

        def gone(*_):
            raise sqlite3.OperationalError("unable to open database file")

        engine.dispose()
        event.listen(engine, "do_connect", gone)
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        event.remove(engine, "do_connect", gone)


def statements_of(engine, work):
    """The number of statements that `work` sends."""
    sent = []

    def count(_connection, _cursor, statement, *_):
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    work()
    event.remove(engine, "before_cursor_execute", count)
    return len(sent)


def test_the_number_of_statements_does_not_grow_with_the_study(app, client, catalog, dataset, rater, study):
    """A trial, its prefetch and a vote cost as many statements with 13 items and 60 scenes as with few."""
    with catalog.writing() as session:
        add_many_scenes(session, 55)
        large = open_crowd_study(session, dataset, Rule(), START).id
    engine = app.extensions["study_database"].engine
    costs = []
    for one in (rater, RaterFactory(catalog, large)()):
        client.sign_in(one)

        def judge():
            document = client.get("/api/trial").get_json()
            client.get("/api/trial/next")
            answer = client.send(
                "/api/votes", body_of(Named(document["assignment"]), picks="A"), Idempotency_Key=new_key()
            )
            assert answer.status_code == 201

        costs.append(statements_of(engine, judge))
    assert costs[0] == costs[1] < 90


@dataclass(frozen=True)
class Named:
    """As much of a trial as `body_of` needs."""

    public_id: str
