"""Studies, invitations, accounts and the audit log as an admin handles them on the pages."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from builder.catalog import Catalog, Scene
from study_app.settings import StudySettings
from study_app.statistics.rule import PRESETS, rule_from_json
from study_app.storage.models import AuditEvent, Experimenter, Invite, Study
from tests.study_app.conftest import StudyClient
from tests.study_app.lab_visitors import add_experimenter

TITLE = "<b>Church & <script>tower</script></b>"


@pytest.fixture
def admin(client: StudyClient, catalog: Catalog) -> StudyClient:
    """A browser with an admin signed in."""
    client.sign_in_experimenter(add_experimenter(catalog, "admin", name="ada"))
    return client


def newest(catalog: Catalog) -> Study:
    with catalog.reading() as session:
        return session.scalars(select(Study).order_by(Study.id.desc()).limit(1)).one()


def own_values(**changes: str) -> dict[str, str]:
    values = {
        "mode": "posterior", "p_best": "0.9", "p_near": "0.9", "minimum": "4", "cap": "9", "acceptable": "0.8",
        "delta": "0.4", "prior_sd": "1.2",
    }  # fmt: skip
    return {"title": "Own", "preset": "own", "seed": "3", **values, **changes}


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_becomes_the_rule_of_a_draft(admin: StudyClient, catalog: Catalog, preset: str) -> None:
    answer = admin.submit("/lab/studies/new", title="Spring", preset=preset, seed="11")
    made = newest(catalog)
    assert answer.location == f"/lab/studies/{made.public_id}/set-up"
    assert (made.title, made.state, made.seed, made.rule_hash) == (
        "Spring",
        "draft",
        11,
        PRESETS[preset].hash,
    )


def test_own_values_become_the_rule(admin: StudyClient, catalog: Catalog) -> None:
    assert admin.submit("/lab/studies/new", **own_values()).status_code == 303
    rule = rule_from_json(newest(catalog).rule_json)
    assert (rule.p_best, rule.minimum, rule.cap, rule.delta, rule.prior_sd) == (0.9, 4, 9, 0.4, 1.2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p_best": "often"}, "P best asked for: a number expected, found"),
        ({"cap": "2.5"}, "Answers at most: a whole number expected"),
        ({"p_best": "nan"}, "P best asked for: a number expected"),
        ({"p_best": "1.5"}, "p_best"),
        ({"seed": ""}, "Seed: a whole number expected"),
        ({"title": "  "}, "a study needs a title"),
    ],
)
def test_impossible_wishes_are_refused_with_a_sentence(
    admin: StudyClient, catalog: Catalog, changes: dict[str, str], said: str
) -> None:
    before = newest(catalog).id
    answer = admin.submit("/lab/studies/new", **own_values(**changes))
    assert answer.status_code == 422
    assert said in answer.text
    assert newest(catalog).id == before


def test_scenes_that_cannot_be_shown_are_listed_before_they_are_left_out(
    admin: StudyClient, catalog: Catalog
) -> None:
    with catalog.writing() as session:
        scene = session.scalars(select(Scene).where(Scene.name == "elm")).one()
        scene.status, scene.reason = "failed", "too <dark>"
    before = newest(catalog).id
    asked = admin.submit("/lab/studies/new", title="Two", preset="quick", seed="1")
    assert asked.status_code == 422
    assert re.search(r"elm</th><td>[^<]*too &lt;dark&gt;", asked.text)
    assert newest(catalog).id == before, "nothing is made before the admin agrees"
    made = admin.submit("/lab/studies/new", title="Two", preset="quick", seed="1", allow_missing="1")
    page = admin.get(made.location or "")
    assert re.search(r"elm</th><td>[^<]*too &lt;dark&gt;", page.text), "the draft still says what is missing"


def test_a_study_opens_and_closes_once(admin: StudyClient, catalog: Catalog) -> None:
    admin.submit("/lab/studies/new", title="Spring", preset="quick", seed="1")
    base = f"/lab/studies/{newest(catalog).public_id}"
    assert "Open the study" in admin.get(f"{base}/set-up").text
    admin.submit(f"{base}/open")
    assert newest(catalog).state == "open"
    admin.submit(f"{base}/close")
    admin.submit(f"{base}/open")
    assert newest(catalog).state == "closed"
    assert "is closed and cannot become open" in admin.get(f"{base}/set-up").text
    with catalog.reading() as session:
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
    assert actions == ["create study", "open study", "close study"], "what did not happen is not logged"


def test_titles_are_text(admin: StudyClient, catalog: Catalog) -> None:
    admin.submit("/lab/studies/new", title=TITLE, preset="quick", seed="1")
    base = f"/lab/studies/{newest(catalog).public_id}"
    for path in ("/lab/", f"{base}/", f"{base}/set-up", f"{base}/scenes", f"{base}/raters", "/lab/audit"):
        text = admin.get(path).text
        assert "<script>tower" not in text, path
        assert "&lt;script&gt;tower" in text, path


def test_an_invitation_lets_raters_in_until_it_is_revoked(
    admin: StudyClient, catalog: Catalog, study: Study
) -> None:
    base = f"/lab/studies/{study.public_id}"
    admin.submit(f"{base}/invitations", kind="lab", label="Room <3>", max_uses="5", days="2")
    page = admin.get(f"{base}/invitations").text
    found = re.search(r"http://localhost(/join/[0-9a-f]+)", page)
    assert found
    assert "Room &lt;3&gt;" in page
    assert found[1] in admin.get(f"{base}/").text, "the Live page of an empty study offers the link"
    visitor = admin.application.test_client()
    assert visitor.get(found[1]).status_code == 200
    with catalog.reading() as session:
        invite = session.scalars(select(Invite)).one()
        assert (invite.max_uses, invite.is_personal, invite.is_expert) == (5, False, False)
    admin.submit(f"{base}/invitations/{invite.public_id}/revoke")
    assert visitor.get(found[1]).status_code == 410
    assert "/join/" not in admin.get(f"{base}/invitations").text


def test_a_personal_link_makes_one_expert(admin: StudyClient, catalog: Catalog, study: Study) -> None:
    path = f"/lab/studies/{study.public_id}/invitations"
    admin.submit(path, kind="personal", label="", max_uses="100", days="2", is_expert="1")
    with catalog.reading() as session:
        invite = session.scalars(select(Invite)).one()
    assert (invite.max_uses, invite.is_personal, invite.is_expert) == (1, True, True)


@pytest.mark.parametrize("wrong", [{"days": "0"}, {"days": "soon"}, {"max_uses": "-1"}, {"max_uses": "1e9"}])
def test_impossible_invitations_are_refused(
    admin: StudyClient, catalog: Catalog, study: Study, wrong: dict[str, str]
) -> None:
    fields = {"kind": "lab", "label": "", "max_uses": "5", "days": "2", **wrong}
    answer = admin.submit(f"/lab/studies/{study.public_id}/invitations", **fields)
    assert answer.status_code == 422
    assert "whole number" in answer.text
    with catalog.reading() as session:
        assert session.scalar(select(Invite.id)) is None


def test_an_admin_makes_an_account_whose_password_opens(admin: StudyClient) -> None:
    page = admin.submit("/lab/accounts", name="vera", role="viewer").text
    password = re.search(r'class="secret">([^<]+)<', page)
    assert password
    assert password[1] not in admin.get("/lab/accounts").text, "shown only once"
    other = admin.application.test_client()
    assert isinstance(other, StudyClient)
    assert other.submit("/lab/login", name="vera", password=password[1]).status_code == 303
    assert other.get("/lab/accounts").status_code == 404


def test_the_last_admin_stays_one(admin: StudyClient, catalog: Catalog) -> None:
    answer = admin.submit("/lab/accounts", name="ada", role="viewer")
    assert answer.status_code == 422
    assert "ada is the only admin" in answer.text
    with catalog.reading() as session:
        assert session.scalars(select(Experimenter.role)).one() == "admin"


def test_the_log_tells_what_was_done_and_when_it_was_tampered_with(
    admin: StudyClient, catalog: Catalog, study: Study
) -> None:
    admin.submit(f"/lab/studies/{study.public_id}/close")
    page = admin.get("/lab/audit").text
    assert "close study" in page
    assert "chain of hashes is whole" in page


def test_a_dataset_without_previews_is_said_plainly(
    settings: StudySettings, dataset: Path, tmp_path: Path, catalog: Catalog, study: Study
) -> None:
    from study_app import create_app

    copy = tmp_path / "data"
    shutil.copytree(dataset / "previews" / "elm", copy / "previews" / "elm")
    app = create_app(replace(settings, data=copy))
    app.test_client_class = StudyClient
    client = app.test_client()
    assert isinstance(client, StudyClient)
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    page = client.submit("/lab/studies/new", title="Half", preset="quick", seed="1")
    assert page.status_code == 422
    assert "w480.jpg is missing" in page.text
    app.extensions["study_database"].close()
