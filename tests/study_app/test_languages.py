"""No visible word of the raters' plain pages escapes translation: a pseudo-language brackets all that is translated."""

from __future__ import annotations

import re
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path

import pytest

import study_app
from study_app import clock
from study_app.preparation.consent_text import CONSENT_TEXT
from study_app.storage.models import Study
from study_app.web import languages
from tests.study_app.pages import DAY, MINUTE, Watch, link_maker
from tests.study_app.scenery import START, add_vote, scenes_of

TEMPLATES = Path(study_app.__file__).parent / "templates"
NOT_WORDS = ("script", "style", "kbd", "svg")  # keys are named as they stand on the keyboard
SAID = ("alt", "aria-label", "title", "placeholder")
VOID = ("input", "meta", "link", "img", "br", "path", "rect", "circle")
WORD = re.compile(r"[^\W\d_]{2,}")


class Pseudo(NullTranslations):
    """Brackets every message."""

    def gettext(self, message):
        return f"⟦{message}⟧"

    def ngettext(self, one, many, number):
        return f"⟦{one if number == 1 else many}⟧"


class Words(HTMLParser):
    """Everything that a page shows or says, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.within: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.within.append(tag)
        self.found += [value for name, value in attrs if name in SAID and value]

    def handle_endtag(self, tag):
        if tag in self.within:
            while self.within.pop() != tag:
                pass

    def handle_data(self, data):
        if not set(self.within) & set(NOT_WORDS):
            self.found.append(data)


def untranslated(page: str, *, data: tuple[str, ...]) -> list[str]:
    """Words of the page outside of brackets; `data` are texts of the study and its rater, not of the program."""
    words = Words()
    words.feed(page)
    left = []
    for piece in words.found:
        for text in data:
            piece = piece.replace(text, "")
        piece = re.sub(r"⟦[^⟦⟧]*⟧", "", piece)
        left += WORD.findall(piece)
    return left


@pytest.fixture
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    return found


@pytest.fixture
def pseudo(app, watch):
    languages.use(app, Pseudo(), "xx")


def data_of(study: Study) -> tuple[str, ...]:
    lines = [line.removeprefix("# ").removeprefix("- ") for line in CONSENT_TEXT.splitlines()]
    return (study.title, *sorted(filter(None, lines), key=len, reverse=True))


def assert_translated(answer, study, *more):
    assert 'lang="xx"' in answer.text
    assert "⟦" in answer.text
    assert untranslated(answer.text, data=(*data_of(study), *more)) == [], answer.request.path


@pytest.mark.usefixtures("pseudo")
def test_pages_before_and_around_the_link(client, catalog, study, watch):
    link = link_maker(catalog, study)
    lab, personal = link(), link(is_personal=True)
    paths = [
        "/",
        lab,
        personal,
        link(is_revoked=True),
        "/join/unknown",
        "/goodbye",
        "/goodbye?erased=1",
        "/next",
    ]
    for path in paths:
        assert_translated(client.get(path), study)
    assert_translated(client.get(lab, headers={"User-Agent": "Mobile"}), study)
    assert_translated(client.submit("/resume", code="WRONG"), study, "WRONG")
    client.submit(lab)
    with client.session_transaction() as session:
        code = session["resume_code"]
    for path in ("/your-code", lab, "/", "/finish"):
        assert_translated(client.get(path), study, code)
    watch.time = START + 8 * DAY
    assert_translated(client.get(lab), study)
    for state in ("draft", "closed"):
        with catalog.writing() as session:
            session.get_one(Study, study.id).state = state
        fresh = link_maker(catalog, study)(days=30)
        assert_translated(client.get(fresh), study)
        assert_translated(client.get("/finish"), study, code)


STATES = [
    ("joined", "/consent", {}),
    ("consented", "/display-check", {"even": "no"}),
    ("display-checked", "/colour-vision", {"plate": "0"}),
    ("colour-checked", "/instructions", None),
    ("trained", "/instructions", None),
    ("trained", "/break", None),
    ("trained", "/finish", None),
    ("trained", "/withdraw", {}),
    ("trained", "/erase", {}),
]


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize(("step", "path", "refused_with"), STATES)
def test_pages_of_a_rater(client, study, new_rater, step, path, refused_with):
    client.sign_in(new_rater(step=step))
    if path not in ("/withdraw", "/erase"):
        assert_translated(client.get(path), study)
    if refused_with is not None:
        assert_translated(client.submit(path, **refused_with), study)


@pytest.mark.usefixtures("pseudo")
def test_pages_of_breaks_and_of_a_withdrawn_rater(client, catalog, study, new_rater, watch):
    rater = new_rater()
    client.sign_in(rater)
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0], at=START + 26 * MINUTE)
    watch.time = START + 27 * MINUTE
    assert_translated(client.get("/break"), study)
    client.submit("/break")
    assert_translated(client.get("/break"), study)
    client.sign_in(new_rater(state="withdrawn"))
    assert_translated(client.get("/finish"), study)


def test_an_escaped_word_is_found():
    assert untranslated("<p>⟦Well⟧ done</p>", data=()) == ["done"]
    assert untranslated('<img alt="Dots">', data=()) == ["Dots"]
    assert untranslated("<p>⟦All⟧</p><kbd>Enter</kbd>", data=()) == []


def test_without_a_catalogue_the_text_stands_as_written(app):
    with app.app_context():
        assert languages.gettext("Well seen.") == "Well seen."
    assert languages.gettext("Well seen.") == "Well seen."
