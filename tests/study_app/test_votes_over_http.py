"""Votes over HTTP: the cases of proof test 3 (study.md, section 12), and what a trial costs."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from study_app import clock
from study_app.rating import trials, votes
from study_app.statistics.rule import Rule
from study_app.storage.models import Assignment, Vote
from tests.study_app.ballots import body_of, new_key, stored_votes
from tests.study_app.crowd import add_many_scenes, open_crowd_study
from tests.study_app.scenery import (
    START,
    RaterFactory,
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
        assert sorted(first.get_json()) == [
            "feedback",
            "hash",
            "next",
            "saved_at",
            "trial",
            "version",
            "vote",
        ]
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

    def test_the_page_brings_its_trial_and_names_its_pictures(self, client):
        page = client.get("/trial").text
        (embedded,) = re.findall(r'<script type="application/json" id="trial">(.*?)</script>', page)
        document = self.open_trial(client)
        assert json.loads(embedded) == document
        named = re.findall(r'<link rel="preload" as="image" href="/p/(\w+)/w480.jpg">', page)
        assert named == [one["id"] for one in (*document["images"], *document["exposures"])]

    def test_the_page_comes_without_a_trial_where_none_can_be_assigned(self, client, monkeypatch):
        def locked(*_):
            raise OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError("database is locked"))

        monkeypatch.setattr(trials, "current_trial", locked)
        page = client.get("/trial")
        assert page.status_code == 200
        assert '<script type="application/json" id="trial">null</script>' in page.text

    def test_the_acknowledgement_brings_the_trial_assigned_ahead(self, client):
        document = self.open_trial(client)
        ahead = client.get("/api/trial/next").get_json()
        answer = self.send(client, self.body(document), new_key()).get_json()
        assert answer["trial"] == self.open_trial(client)
        assert [one["id"] for one in answer["trial"]["images"]] == ahead["previews"]

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
