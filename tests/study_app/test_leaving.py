"""Breaks, the last page, and a rater's rights."""

from __future__ import annotations

import re

import pytest

from study_app import clock
from study_app.storage.models import Exclusion, Rater, Sitting, Vote
from tests.study_app.pages import MINUTE, Watch, count, link_maker, path_of, text_of, the_only
from tests.study_app.scenery import START, add_vote, scenes_of


@pytest.fixture(autouse=True)
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    return found


@pytest.fixture
def link(catalog, study):
    return link_maker(catalog, study)


def test_the_forced_break_counts_down_and_then_leads_on(client, catalog, study, new_rater, watch):
    rater = new_rater()
    client.sign_in(rater)
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0], at=START + 26 * MINUTE)
    watch.time = START + 27 * MINUTE
    assert path_of(client.get("/next")) == "/break"
    page = client.get("/break")
    assert 'data-seconds="120"' in page.text
    assert "1 scene answered" in text_of(page)
    watch.time = START + 29 * MINUTE
    assert path_of(client.get("/next")) == "/display-check"


def test_a_break_that_the_rater_wants_may_be_short(client, catalog, new_rater):
    client.sign_in(new_rater())
    assert "Begin a break" in client.get("/break").text
    assert the_only(catalog, Sitting).ended_at is None, "looking changes nothing"
    assert path_of(client.submit("/break")) == "/break"
    assert the_only(catalog, Sitting).ended_at == START + MINUTE
    assert "Continue when you like" in text_of(client.get("/break"))
    assert path_of(client.get("/next")) == "/display-check"


def test_the_last_page_counts_and_gives_the_own_data(client, catalog, study, new_rater):
    rater = new_rater()
    client.sign_in(rater)
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0])
    assert re.search(r"scene answered\s+1\b", text_of(client.get("/finish")))
    data = client.get("/me")
    assert data.mimetype == "application/json"
    assert "attachment" in data.headers["Content-Disposition"]
    assert data.json["pseudonym"] == rater.public_id
    assert len(data.json["votes"]) == 4  # three of training


@pytest.mark.parametrize("path", ["/withdraw", "/erase"])
def test_leaving_needs_a_confirmation(client, catalog, new_rater, path):
    client.sign_in(new_rater())
    answer = client.submit(path)
    assert answer.status_code == 422
    assert "nothing was changed" in answer.text
    assert the_only(catalog, Rater).state == "active"


def test_who_withdraws_takes_no_more_part_but_keeps_their_rights(client, catalog, new_rater):
    client.sign_in(new_rater())
    assert path_of(client.submit("/withdraw", confirm="yes")) == "/finish"
    assert "You have withdrawn" in client.get("/finish").text
    assert the_only(catalog, Exclusion).excluded is True
    assert path_of(client.get("/next")) == "/finish"
    assert client.get("/consent").status_code == 401
    assert client.get("/me").json["state"] == "withdrawn"
    client.submit("/erase", confirm="yes")
    assert the_only(catalog, Rater).state == "erased"


def test_a_withdrawn_rater_comes_back_to_erase_by_their_personal_link(app, catalog, new_rater, link):
    path = link(is_personal=True)
    client = app.test_client()
    client.submit(path)
    client.submit("/withdraw", confirm="yes")
    other = app.test_client()
    page = other.get(path)
    assert "You have withdrawn" in page.text
    assert path_of(other.submit(path)) == "/next"
    assert path_of(other.get("/next")) == "/finish"
    other.submit("/erase", confirm="yes")
    assert the_only(catalog, Rater).state == "erased"
    assert app.test_client().get(path).status_code == 410


def test_erasing_deletes_the_answers_and_forgets_the_browser(client, catalog, study, new_rater):
    rater = new_rater()
    client.sign_in(rater)
    assert count(catalog, Vote) > 0
    answer = client.submit("/erase", confirm="yes")
    assert path_of(answer) == "/goodbye"
    assert "are erased" in client.get(answer.location).text
    assert count(catalog, Vote) == 0
    assert client.get("/me").status_code == 401


def test_a_shared_computer_forgets_its_rater(client, new_rater):
    client.sign_in(new_rater())
    assert path_of(client.submit("/leave")) == "/goodbye"
    assert client.get("/next").status_code == 401
