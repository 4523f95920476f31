"""The report: one page, nothing outside it, every warning where it is due."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from study_app.counting.conduct import choices
from study_app.outcomes.deciding import decide, scene_verdicts
from study_app.outcomes.report import report_html
from study_app.outcomes.report_figures import agreement, counted_choices, people
from study_app.outcomes.verdicts import results_hash
from study_app.statistics.agreement import kendall_w
from study_app.storage.models import Study
from tests.study_app import ballot_box
from tests.study_app.ballot_box import LATER
from tests.study_app.scenery import add_vote, scene_named

SECTIONS = (
    "Protocol", "Rule", "People", "Displays", "Exclusions", "Agreement and bias", "Results", "League table",
    "Limits", "Versions",
)  # fmt: skip


VOID = ("meta", "br", "hr", "img", "link", "input")


class Page(HTMLParser):
    """What a page loads, says and leaves open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        names = dict(attributes)
        self.loads += [
            names[name]
            for name in ("src", "href", "xlink:href", "data", "action")
            if names.get(name) and not names[name].startswith("#")
        ]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def filled(sqlite_template, dataset, tmp_path_factory):
    with ballot_box.filled_study(sqlite_template, tmp_path_factory.mktemp("filled"), dataset) as found:
        yield found


@pytest.fixture(scope="module")
def page(filled) -> Page:
    return Page(written(*filled))


def written(catalog, study_id: int) -> str:
    with catalog.reading() as session:
        return report_html(session, session.get_one(Study, study_id), LATER, resamples=20)


def test_it_has_all_sections_and_stands_alone(page):
    for section in SECTIONS:
        assert section in page.text
    assert page.loads == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("svg") == 2


def test_the_same_votes_give_the_same_page(filled):
    assert written(*filled) == written(*filled)


def test_it_tells_the_results_and_why(filled, page):
    for scene, state in {"alley": "reject", "bay": "void", "chapel": "accept", "elm": "continue"}.items():
        assert re.search(rf"{scene} {state} ", page.text)
    assert f"Taken out by the experimenter: {ballot_box.VOID_REASON}" in page.text
    catalog, study_id = filled
    with catalog.reading() as session:
        study = session.get_one(Study, study_id)
        assert study.rule_hash in page.text
        assert results_hash([one.verdict for one in scene_verdicts(session, study)]) in page.text


def test_few_people_are_informal_and_an_open_study_is_not_final(page):
    assert "Informal. 8 people gave counted votes" in page.text
    assert "Not final. The study is open" in page.text
    assert "Simulated." not in page.text


def test_exclusions_stand_there_with_their_reason(page):
    assert re.search(r"excluded asked for it ada 2026-03-02", page.text)


def test_figures_of_people_and_agreement_are_those_of_the_counted_votes(filled):
    catalog, study_id = filled
    with catalog.reading() as session:
        study = session.get_one(Study, study_id)
        found = scene_verdicts(session, study)
        given = choices(session, study)
        counted = counted_choices(found, given)
        who = people(session, study, counted)
        agreed = agreement(found, given, counted)
    assert len(counted) == sum(one.evaluation.counted for one in found)
    assert (who.joined, who.counted, who.excluded, who.colour_failed, who.experts) == (12, 8, 1, 1, 2)
    by_scene = [
        kendall_w(len(one.algorithms), [answer.picks for answer in one.evidence.answers if answer.picks])
        for one in found
    ]
    known = [value for value in by_scene if value is not None]
    assert (agreed.concordance, agreed.scenes) == (
        pytest.approx(sum(known) / 3),
        3,
    )  # bay and elm have one vote each
    assert sum(agreed.bias.observed) == len(counted)


def test_what_people_wrote_is_never_markup(catalog, study, new_rater):
    with catalog.writing() as session:
        row = session.get_one(Study, study.id)
        row.title = "<script>alert(1)</script>"
        scene_named(session, study, "elm").void_reason = "<img src=x>"
    html = written(catalog, study.id)
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text


def test_a_study_without_votes_has_a_report_too(catalog, study):
    page = Page(written(catalog, study.id))
    assert "No counted votes yet." in page.text
    assert "Informal. 0 people" in page.text


def test_simulated_raters_are_named_and_never_make_a_study_formal(catalog, study, new_rater):
    ghosts = [new_rater(step="instructed", simulated=True) for _ in range(16)]
    with catalog.writing() as session:
        for ghost in ghosts:
            add_vote(session, session.merge(ghost), scene_named(session, study, "elm"), [0])
        decide(session, session.get_one(Study, study.id), by="ada", at=LATER)
    text = Page(written(catalog, study.id)).text
    assert "Simulated. These results rest on votes of 16 simulated raters." in text
    assert "Informal. 0 people" in text
    assert "Not final." not in text
