"""Links, resume codes, limits, consent, instructions, and what holds for all pages."""

from __future__ import annotations

import hashlib
import re

import pytest

from study_app import clock, create_app
from study_app.preparation.consent import Block, blocks, text_hash
from study_app.preparation.consent_text import CONSENT_TEXT
from study_app.settings import StudySettings
from study_app.storage.models import Consent, Invite, Rater, Study
from study_app.web.identity import RATER_KEY
from tests.study_app.conftest import SECRET, StudyClient
from tests.study_app.pages import CODE, DAY, MINUTE, Watch, count, link_maker, path_of, text_of, the_only
from tests.study_app.scenery import START

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    return found


@pytest.fixture
def link(catalog, study):
    return link_maker(catalog, study)


def test_opening_a_link_changes_nothing(client, catalog, study, link):
    path = link()
    for _ in range(3):
        assert client.get(path).status_code == 200
    assert count(catalog, Rater) == 0
    assert the_only(catalog, Invite).uses == 0


def test_a_lab_link_makes_a_rater_with_a_code_and_leaves_the_address_bar(client, catalog, link):
    path = link()
    answer = client.submit(path)
    assert (answer.status_code, path_of(answer)) == (303, "/your-code")
    token = path.rpartition("/")[2]
    assert token not in answer.location
    page = client.get("/your-code")
    code = CODE.search(page.text).group()
    rater = the_only(catalog, Rater)
    assert rater.resume_hash == hashlib.sha256(code.replace("-", "").encode()).hexdigest()
    assert token not in page.text
    assert path_of(client.get("/next")) == "/consent"


def test_each_use_of_a_lab_link_is_another_rater(app, catalog, link):
    path = link(max_uses=2)
    for _ in range(2):
        assert app.test_client().submit(path).status_code == 303
    refused = app.test_client().submit(path)
    assert refused.status_code == 410
    assert "ask the person who sent it" in text_of(refused)
    assert count(catalog, Rater) == 2


def test_the_cookie_is_renewed_at_redemption(client, link):
    path = link()
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    client.submit(path)
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session[RATER_KEY]


def test_a_personal_link_brings_back_its_rater_from_another_computer(app, catalog, link):
    path = link(is_personal=True)
    first, second = app.test_client(), app.test_client()
    assert path_of(first.submit(path)) == "/next"
    assert path_of(second.submit(path)) == "/next"
    assert count(catalog, Rater) == 1
    for client in (first, second):
        assert path_of(client.get("/next")) == "/consent"


def test_coming_back_elsewhere_ends_the_sitting_at_the_old_display(app, catalog, study, new_rater, link):
    path = link(is_personal=True)
    rater = new_rater(invite_id=the_only(catalog, Invite).id)
    here = app.test_client()
    here.sign_in(rater)
    here.submit(path)
    assert path_of(here.get("/next")) == "/trial", "the same browser goes on"
    elsewhere = app.test_client()
    elsewhere.submit(path)
    assert path_of(elsewhere.get("/next")) == "/display-check"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"days": 1}, "has expired"), ({"is_revoked": True}, "no longer valid")],
)
def test_a_dead_link_says_whom_to_ask(client, watch, catalog, link, options, words):
    path = link(**options)
    watch.time = START + 2 * DAY
    for answer in (client.get(path), client.submit(path)):
        assert answer.status_code == 410
        assert words in text_of(answer)
        assert "ask the person who sent it" in text_of(answer)
    assert count(catalog, Rater) == 0


def test_all_unknown_tokens_get_one_text(client, link):
    link()
    answers = [client.get("/join/" + token) for token in ("x", "0" * 40, "%00", "a'b")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({text_of(answer) for answer in answers}) == 1


def test_a_link_to_a_closed_study_is_refused_politely(client, catalog, study, link):
    path = link()
    with catalog.writing() as session:
        session.get_one(Study, study.id).state = "closed"
    answer = client.get(path)
    assert answer.status_code == 410
    assert "The study is closed" in text_of(answer)
    assert "no study open at the moment" in text_of(client.get("/"))


def test_a_link_that_comes_too_early_is_to_be_kept(client, catalog, study, link):
    path = link()
    with catalog.writing() as session:
        session.get_one(Study, study.id).state = "draft"
    answer = client.get(path)
    assert answer.status_code == 200
    assert "has not begun yet" in text_of(answer)
    client.submit(path)
    assert count(catalog, Rater) == 0


def test_a_phone_is_told_why_and_keeps_its_invitation(client, catalog, link):
    path = link(max_uses=1)
    answer = client.get(path, headers={"User-Agent": PHONE})
    assert "Please use a computer" in text_of(answer)
    assert "<form" not in answer.text
    assert the_only(catalog, Invite).uses == 0
    assert "<form" in client.get(path + "?computer=1", headers={"User-Agent": PHONE}).text


def test_the_same_browser_is_offered_to_continue(client, catalog, link):
    path = link()
    client.submit(path)
    page = client.get(path)
    assert "Continue where I was" in page.text
    assert "Begin as a new person" in page.text
    client.submit(path)
    assert count(catalog, Rater) == 2


def code_of(client, path):
    client.submit(path)
    return CODE.search(client.get("/your-code").text).group()


@pytest.mark.parametrize("written", [str, str.lower, lambda code: f" {code.replace('-', '')} "])
def test_a_code_brings_its_rater_back(app, catalog, link, written):
    code = code_of(app.test_client(), link())
    other = app.test_client()
    answer = other.submit("/resume", code=written(code))
    assert (answer.status_code, path_of(answer)) == (303, "/next")
    assert count(catalog, Rater) == 1


@pytest.mark.parametrize("code", ["", "   ", "AAAA-BBBB-CCCC", "x" * 5000])
def test_an_unknown_code_is_refused_where_it_was_typed(client, link, code):
    link()
    answer = client.submit("/resume", code=code)
    assert answer.status_code == 422
    assert "No rater has this code" in text_of(answer)


def test_the_code_is_shown_again_at_breaks_and_at_the_end_in_this_browser(app, link):
    client = app.test_client()
    code = code_of(client, link())
    with client.session_transaction() as session:
        public_id = session[RATER_KEY]
    assert code in client.get("/finish").text
    other = app.test_client()
    with other.session_transaction() as session:
        session[RATER_KEY] = public_id
    assert code not in other.get("/finish").text, "the server itself does not know it"


@pytest.fixture
def limited(settings, study):
    """A browser of an application whose limits are on."""
    app = create_app(StudySettings(settings.data, settings.database_url, SECRET))
    app.test_client_class = StudyClient
    yield app
    app.extensions["study_database"].close()


def test_guessing_is_limited_to_ten_a_minute(limited):
    client = limited.test_client()
    tries = [client.submit("/resume", code=f"AAAA-BBBB-CC{number:02d}") for number in range(5)]
    tries += [client.get(f"/join/{number}") for number in range(5)]
    assert {answer.status_code for answer in tries} == {404, 422}
    assert client.submit("/resume", code="AAAA-BBBB-CCCC").status_code == 429
    assert client.get("/join/10").status_code == 429


def test_two_hundred_raters_behind_one_address_pass(limited, catalog, link):
    path = link(max_uses=200)
    answers = [limited.test_client().submit(path).status_code for _ in range(200)]
    assert answers == [303] * 200
    assert count(catalog, Rater) == 200


def consent_fields(page):
    return {"text": re.search(r'name="text" value="(\w+)"', page.text).group(1)}


def test_consent_is_stored_with_version_time_and_hash(client, catalog, study, new_rater):
    rater = new_rater(step="joined")
    client.sign_in(rater)
    page = client.get("/consent")
    assert "You can withdraw" in page.text
    answer = client.submit("/consent", agree="yes", **consent_fields(page))
    assert path_of(answer) == "/next"
    client.submit("/consent", agree="yes", **consent_fields(page))  # twice
    consent = the_only(catalog, Consent)
    assert (consent.version, consent.text_hash) == (study.consent_version, text_hash(study.consent_text))
    assert consent.given_at == START + MINUTE


@pytest.mark.parametrize("fields", [{}, {"agree": "no"}, {"agree": "yes", "text": "of another text"}])
def test_without_tick_or_with_another_text_there_is_no_consent(client, catalog, new_rater, fields):
    client.sign_in(new_rater(step="joined"))
    known = consent_fields(client.get("/consent"))
    answer = client.submit("/consent", **{**known, **fields})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert count(catalog, Consent) == 0


def test_the_text_is_shown_by_its_plain_markup():
    found = blocks("# Head\n\nA line.\n- one\n- two\n\nMore <b>.\n")
    assert found == [
        Block("heading", ("Head",)),
        Block("paragraph", ("A line.",)),
        Block("points", ("one", "two")),
        Block("paragraph", ("More <b>.",)),
    ]


@pytest.mark.parametrize(
    "word", ["stored", "random name", "withdraw", "erased", "consent", "cookie", "complaint"]
)
def test_the_default_text_says_what_the_law_wants_said(word):
    assert word in CONSENT_TEXT


def test_instructions_are_confirmed_and_may_be_read_again(client, catalog, new_rater):
    rater = new_rater(step="colour-checked")
    client.sign_in(rater)
    assert "Understood" in client.get("/instructions").text
    assert path_of(client.submit("/instructions")) == "/next"
    assert path_of(client.get("/next")) == "/training"
    assert "Back to where I was" in client.get("/instructions").text
    assert the_only(catalog, Rater).instructions_at == START + MINUTE


STEPS = [
    ("joined", "/consent"),
    ("consented", "/display-check"),
    ("display-checked", "/colour-vision"),
    ("colour-checked", "/instructions"),
]


@pytest.mark.parametrize(("step", "own"), STEPS)
def test_a_page_out_of_turn_leads_to_the_one_in_turn(client, new_rater, step, own):
    client.sign_in(new_rater(step=step))
    assert client.get(own).status_code == 200
    for _, other in STEPS:
        if other != own and not (other == "/instructions" and step != "joined"):
            assert path_of(client.get(other)) in (own, "/next"), other


@pytest.mark.parametrize(
    "path",
    ["/consent", "/display-check", "/colour-vision", "/instructions", "/break", "/finish", "/me", "/next"],
)
def test_without_a_cookie_the_link_is_to_be_opened_again(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert "open your invitation link again" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/resume", "/consent", "/display-check", "/instructions", "/break", "/withdraw", "/erase", "/leave"],
)
def test_every_change_needs_the_token(client, new_rater, path):
    client.sign_in(new_rater())
    assert client.post(path, data={"confirm": "yes"}).status_code == 403


def test_the_icon_is_served(client):
    with client.get("/favicon.ico") as answer:
        assert answer.mimetype == "image/svg+xml"
