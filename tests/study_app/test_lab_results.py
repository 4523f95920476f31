"""The pages that watch a study: empty, half way, full; what they say, what they change, what they never change."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import astuple
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app.counting import tally
from study_app.lab.live_figures import live_figures
from study_app.statistics.rule import Rule
from study_app.storage.models import AuditEvent, Exclusion, Rater, Study, StudyScene
from tests.study_app.conftest import StudyClient
from tests.study_app.lab_visitors import add_experimenter, raters_of, vote_everywhere
from tests.study_app.scenery import START, RaterFactory, add_vote, scene_named, scenes_of

PAGES = ("", "fragment", "scenes", "raters", "algorithms", "planner", "set-up", "files", "invitations")
COMMENT = "<img src=x onerror=alert(1)> & sky"


@pytest.fixture
def rule() -> Rule:
    """Decides soon, so that few votes make all states."""
    return Rule(minimum=3, cap=12, p_best=0.8, p_near=0.9, acceptable=0.8)


@pytest.fixture
def analyst(client: StudyClient, catalog: Catalog) -> StudyClient:
    """A browser with an analyst signed in."""
    client.sign_in_experimenter(add_experimenter(catalog, "analyst", name="ben"))
    return client


@pytest.fixture
def base(study: Study) -> str:
    return f"/lab/studies/{study.public_id}"


def text_of(client: StudyClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.text


def scene_id(catalog: Catalog, study: Study, name: str) -> int:
    with catalog.reading() as session:
        return scene_named(session, study, name).id


@pytest.mark.parametrize("state", ["draft", "empty", "begun", "full", "closed"])
def test_every_page_answers_in_every_state(
    client: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory, state: str
) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    if state in ("begun", "full", "closed"):
        raters = raters_of(new_rater, 9 if state == "full" else 2)
        vote_everywhere(catalog, study, raters, scenes=1 if state == "begun" else None)
    if state in ("draft", "closed"):
        with catalog.writing() as session:
            session.get_one(Study, study.id).state = state
    paths = [f"{base}/{page}" for page in PAGES]
    with catalog.reading() as session:
        paths += [f"{base}/scenes/{scene.id}" for scene in scenes_of(session, study)[:2]]
        paths += [f"{base}/raters/{key}" for key in session.scalars(select(Rater.public_id).limit(1))]
        paths += [f"{base}/scenes?state={known}" for known in ("accept", "nonsense")]
    for path in paths:
        text = text_of(client, path)
        assert "</html>" in text or path.endswith("fragment"), path
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), f"{path}: the policy refuses inline scripts"
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text), (
            f"{path}: the policy refuses inline styles"
        )


def test_an_empty_study_says_what_to_do_next(client: StudyClient, catalog: Catalog, base: str) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    assert "Make a link for your raters" in text_of(client, f"{base}/")
    client.submit(f"{base}/invitations", kind="lab", label="", max_uses="9", days="9")
    assert "No votes yet: send this link to your raters" in text_of(client, f"{base}/")


def test_comments_and_reasons_are_text(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    rater = new_rater()
    with catalog.writing() as session:
        scene = scene_named(session, study, "bay")
        add_vote(session, rater, scene, [2], acceptable=False, reasons=["halo"], comment=COMMENT)
        tally.refresh_scene(session, scene, START)
        key = scene.id
    analyst.submit(f"{base}/raters/{rater.public_id}/exclude", reason="<u>odd</u>")
    page = text_of(analyst, f"{base}/scenes/{key}") + text_of(analyst, f"{base}/raters/{rater.public_id}")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; sky" in page
    assert "&lt;u&gt;odd&lt;/u&gt;" in page
    assert "<img src=x" not in page
    assert "<u>" not in page


def test_the_scene_page_shows_pictures_figures_and_answers(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    vote_everywhere(catalog, study, raters_of(new_rater, 8))
    with catalog.reading() as session:
        scene = scene_named(session, study, "chapel")
        counted = tally.scene_tally(session, scene)
        public_ids = [item.public_id for item in scene.items]
        key = scene.id
    page = text_of(analyst, f"{base}/scenes/{key}")
    for public_id in public_ids:
        assert f"/p/{public_id}/w480.jpg" in page
        assert analyst.get(f"/p/{public_id}/w480.jpg").status_code == 200
    assert f"P best {max(counted.evaluation.p_best):.3f}" in page
    assert "raman2009 = zhang2012" in page, "near-duplicates stand together"
    assert page.count('<svg class="plot"') + page.count('class="plot"') >= 2
    assert "Certainty after each vote" in page


def test_an_unchanged_fragment_costs_304(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 3)
    vote_everywhere(catalog, study, raters[:2])
    first = analyst.get(f"{base}/fragment")
    again = analyst.get(f"{base}/fragment", headers={"If-None-Match": first.headers["ETag"]})
    if again.status_code == 200:  # a minute began in between, and the page tells the time of its forecast
        first, again = (
            again,
            analyst.get(f"{base}/fragment", headers={"If-None-Match": again.headers["ETag"]}),
        )
    assert (again.status_code, again.data) == (304, b"")
    assert f"data-tag='{first.headers['ETag']}'" in text_of(analyst, f"{base}/")
    vote_everywhere(catalog, study, raters[2:])
    changed = analyst.get(f"{base}/fragment", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_who_answered_within_a_quarter_of_an_hour_is_at_work(
    catalog: Catalog, study: Study, rule: Rule, new_rater: RaterFactory
) -> None:
    long_gone, fresh, silent = raters_of(new_rater, 3)
    now = START + timedelta(hours=2)
    with catalog.writing() as session:
        for scene in scenes_of(session, study)[:2]:
            add_vote(session, long_gone, scene, [0], at=now - timedelta(minutes=16))
            add_vote(session, fresh, scene, [1], at=now - timedelta(minutes=14))
        shown = live_figures(session, session.get_one(Study, study.id), rule, now)
    assert (shown.people.joined, shown.people.at_work) == (len([long_gone, fresh, silent]), 1)


def test_votes_that_the_cache_missed_are_seen_by_the_next_reader(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    rater = new_rater()
    with catalog.writing() as session:
        add_vote(session, rater, scene_named(session, study, "bay"), [2])
    assert re.search(r"Counted votes</dt><dd><b>1</b>", text_of(analyst, f"{base}/fragment"))


def results(session: Session, study: Study) -> list[object]:
    """All that the votes say: evaluations and caches of all scenes."""
    session.expire_all()
    return [
        (
            astuple(tally.scene_tally(session, scene)),
            scene.state,
            scene.counted,
            scene.leader_id,
            scene.p_best,
        )
        for scene in scenes_of(session, study)
    ]


def test_excluding_on_the_page_is_as_if_the_rater_had_never_voted(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 6)
    vote_everywhere(catalog, study, raters[:5])
    with catalog.reading() as session:
        without = results(session, study)
        table_without = text_of(analyst, f"{base}/algorithms")
    with catalog.writing() as session:
        for scene in scenes_of(session, study):
            add_vote(session, raters[5], scene, [1], acceptable=False)
            tally.refresh_scene(session, scene, START)
    path = f"{base}/raters/{raters[5].public_id}"
    with catalog.reading() as session:
        with_all = results(session, study)
    assert with_all != without
    assert analyst.submit(f"{path}/exclude", reason="clicked at random").status_code == 303
    with catalog.reading() as session:
        assert results(session, study) == without
    assert main_of(text_of(analyst, f"{base}/algorithms")) == main_of(table_without)
    assert analyst.submit(f"{path}/restore", reason="was another person").status_code == 303
    with catalog.reading() as session:
        assert results(session, study) == with_all
        rows = [(row.excluded, row.reason, row.by) for row in session.scalars(select(Exclusion))]
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    assert rows == [(True, "clicked at random", "ben"), (False, "was another person", "ben")]
    assert actions == ["exclude rater", "restore rater"]


def main_of(page: str) -> str:
    """The page without its frame and tokens."""
    found = re.search(r"<main.*</main>", page, re.S)
    assert found
    return found[0]


def test_an_exclusion_needs_a_reason_and_happens_once(
    analyst: StudyClient, catalog: Catalog, base: str, new_rater: RaterFactory
) -> None:
    path = f"{base}/raters/{new_rater().public_id}"
    analyst.submit(f"{path}/exclude", reason="  ")
    analyst.submit(f"{path}/restore", reason="not excluded at all")
    analyst.submit(f"{path}/exclude", reason="once")
    analyst.submit(f"{path}/exclude", reason="twice")
    with catalog.reading() as session:
        assert list(session.scalars(select(Exclusion.reason))) == ["once"]
    assert "Give a reason" in text_of(analyst, path)


def test_who_left_stays_out(
    analyst: StudyClient, catalog: Catalog, base: str, new_rater: RaterFactory
) -> None:
    rater = new_rater(state="withdrawn")
    analyst.submit(f"{base}/raters/{rater.public_id}/exclude", reason="why not")
    with catalog.reading() as session:
        assert session.scalar(select(Exclusion.id)) is None
    assert "This rater is withdrawn" in text_of(analyst, f"{base}/raters")


def test_a_viewer_changes_nothing(
    client: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    rater, key = new_rater(), scene_id(catalog, study, "bay")
    client.sign_in_experimenter(add_experimenter(catalog, "viewer"))
    for path in (
        f"{base}/raters/{rater.public_id}/exclude",
        f"{base}/raters/{rater.public_id}/restore",
        f"{base}/scenes/{key}/void",
        f"{base}/scenes/{key}/experts",
        f"{base}/close",
        f"{base}/invitations",
        "/lab/accounts",
    ):
        assert client.submit(path, reason="because").status_code == 404, path
    with catalog.reading() as session:
        assert session.scalar(select(Exclusion.id)) is None
        assert session.get_one(StudyScene, key).void_reason is None
        assert session.get_one(Study, study.id).state == "open"
        assert session.scalar(select(AuditEvent.id)) is None
    pages = text_of(client, f"{base}/scenes/{key}") + text_of(client, f"{base}/raters/{rater.public_id}")
    assert "<form" not in re.sub(r'<form class="who".*?</form>', "", pages, flags=re.S), (
        "no form they may not use"
    )


def test_a_scene_is_taken_out_and_in_again(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str
) -> None:
    key = scene_id(catalog, study, "bay")
    analyst.submit(f"{base}/scenes/{key}/void", reason="")
    with catalog.reading() as session:
        assert session.get_one(StudyScene, key).state == "continue"
    analyst.submit(f"{base}/scenes/{key}/void", reason="tiles are broken")
    with catalog.reading() as session:
        assert session.get_one(StudyScene, key).state == "void"
    assert "Taken out: tiles are broken" in text_of(analyst, f"{base}/scenes/{key}")
    analyst.submit(f"{base}/scenes/{key}/restore")
    with catalog.reading() as session:
        assert session.get_one(StudyScene, key).state == "continue"
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    assert actions == ["void scene", "restore scene"]


def test_a_scene_that_is_stuck_goes_to_the_experts(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 12)
    with catalog.writing() as session:
        scene = scene_named(session, study, "bay")
        for number, rater in enumerate(raters):
            add_vote(session, rater, scene, [number])
        tally.refresh_scene(session, scene, START)
        assert scene.state == "adjudicate"
        key = scene.id
    assert "send it to experts" in text_of(analyst, f"{base}/fragment")
    assert "Send to experts" in text_of(analyst, f"{base}/scenes/{key}")
    analyst.submit(f"{base}/scenes/{key}/experts")
    with catalog.reading() as session:
        assert session.get_one(StudyScene, key).sent_to_experts
    assert "send it to experts" not in text_of(analyst, f"{base}/fragment")


def test_technical_reports_prompt_the_experimenter(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 2)
    with catalog.writing() as session:
        scene = scene_named(session, study, "elm")
        for rater in raters:
            add_vote(session, rater, scene, kind="technical")
        tally.refresh_scene(session, scene, START)
    assert "2 technical reports" in text_of(analyst, f"{base}/fragment")


def test_simulated_raters_are_marked_on_every_page(
    client: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    people = raters_of(new_rater, 2)
    vote_everywhere(catalog, study, people)
    pages = [page for page in PAGES if page != "fragment"]
    assert "Simulated raters, not people" not in text_of(client, f"{base}/")
    vote_everywhere(catalog, study, raters_of(new_rater, 1, simulated=True))
    for page in pages:
        text = text_of(client, f"{base}/{page}")
        assert "Simulated raters, not people" in text, page
        assert "1 of 3 raters" in text, page
    assert "1 simulated raters, not people" in text_of(client, "/lab/")


def test_the_export_and_the_report_come_down(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    vote_everywhere(catalog, study, raters_of(new_rater, 3))
    export = analyst.get(f"{base}/export.zip")
    with zipfile.ZipFile(io.BytesIO(export.data)) as files:
        assert "manifest.json" in files.namelist()
    assert f'filename="tests-{study.public_id[:8]}.zip"' in export.headers["Content-Disposition"]
    assert analyst.get(f"{base}/export.zip").data == export.data
    report = analyst.get(f"{base}/report.html")
    assert "</html>" in report.text
    assert report.headers["Content-Disposition"].startswith("attachment")


def test_the_planner_answers_and_explains_what_it_cannot_use(analyst: StudyClient, base: str) -> None:
    few = "rule=quick&scenes=3&item_count=3&gap_0.4=0&gap_0.8=0&gap_1.1=0&gap_2=100"
    page = text_of(analyst, f"{base}/planner?{few}")
    assert "assumptions" in page
    assert "2 logit</th>" in page
    assert "Scenes: a whole number expected" in text_of(
        analyst, f"{base}/planner?{few}&scenes=3.5".replace("scenes=3&", "")
    )
    assert "picks" in text_of(analyst, f"{base}/planner?{few}&picks=7")


def test_pages_of_another_study_or_scene_are_not_found(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str
) -> None:
    with catalog.reading() as session:
        training = scenes_of(session, study, "training")[0].id
    for path in (
        f"{base}/scenes/{training}",
        f"{base}/scenes/999999",
        f"{base}/raters/{'0' * 32}",
        "/lab/studies/x/",
    ):
        assert analyst.get(path).status_code == 404, path


def test_a_rater_who_clicks_one_place_in_haste_is_proposed(
    analyst: StudyClient, catalog: Catalog, study: Study, base: str, new_rater: RaterFactory
) -> None:
    hasty, calm = raters_of(new_rater, 2)
    with catalog.writing() as session:
        for scene in scenes_of(session, study):
            add_vote(session, hasty, scene, [0])  # at the moment of its trial, always letter A
    page = text_of(analyst, f"{base}/raters")
    assert "1 rater has two reasons or more" in page
    detail = text_of(analyst, f"{base}/raters/{hasty.public_id}")
    assert "The checks propose to exclude this rater" in detail
    assert "The checks found nothing" in text_of(analyst, f"{base}/raters/{calm.public_id}")
