"""What guards every request, line by line; limits, links, votes and pictures have their own files."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from study_app import clock, create_app
from study_app.settings import StudySettings, StudySettingsError, load_study_settings
from study_app.storage.models import Vote
from study_app.web.protection import HEADERS, MAX_BODY_BYTES
from tests.study_app.lab_visitors import add_experimenter
from tests.study_app.pages import Watch, link_maker
from tests.study_app.scenery import add_vote, scenes_of

CHANGES = ("/api/votes", "/api/trials/reopen", "/api/faults")
FORMS = (
    "/consent",
    "/display-check",
    "/colour-vision",
    "/instructions",
    "/break",
    "/withdraw",
    "/erase",
    "/resume",
)
PAGES = ("/", "/finish", "/trial", "/consent", "/lab/login", "/nothing")
SNAPSHOT = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NO_PAGES = (".zip", ".html", "/export", "/report")
MARKUP = "<script>alert(1)</script>\"'); DROP TABLE vote; --"


@pytest.fixture
def rating(client, new_rater):
    client.sign_in(new_rater())
    return client


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(clock, "now", Watch())


@pytest.fixture
def signed_in(client, catalog):
    client.sign_in_experimenter(add_experimenter(catalog, "admin"))
    return client


@pytest.mark.parametrize("path", CHANGES)
def test_json_changes_need_the_token(rating, path):
    assert rating.post(path, json={}).status_code == 403


@pytest.mark.parametrize("path", FORMS)
def test_forms_need_the_token(rating, path):
    assert rating.post(path, data={}).status_code == 403


@pytest.mark.parametrize("path", [*CHANGES, *FORMS])
def test_other_origins_change_nothing(rating, path):
    for origin in ("https://elsewhere.example", "http://localhost:1234", "null"):
        headers = {"X-CSRFToken": rating.csrf_token(), "Origin": origin}
        assert rating.post(path, json={}, headers=headers).status_code == 403, origin


@pytest.mark.parametrize("path", [*CHANGES, *FORMS])
def test_a_get_is_never_a_change(rating, path, catalog):
    def votes():
        with catalog.reading() as session:
            return session.scalar(select(func.count()).select_from(Vote))

    before = votes()
    assert rating.get(path).status_code < 500
    assert votes() == before


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost.evil.example"]
)
def test_other_hosts_are_refused(client, host):
    answers = {path: client.get(path, headers={"Host": host}).status_code for path in PAGES}
    assert answers == dict.fromkeys(PAGES, 400)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:8000", "[::1]"])
def test_the_own_hosts_are_served(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_headers_are_as_ever(rating, path):
    assert SNAPSHOT == HEADERS
    answer = rating.get(path)
    assert {name: answer.headers[name] for name in SNAPSHOT} == SNAPSHOT
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_cookie_is_kept_from_scripts_and_other_sites(client, app, database_url, dataset):
    def cookie(application):
        (found,) = application.test_client().get("/").headers.getlist("Set-Cookie")
        return found

    assert "HttpOnly" in cookie(app)
    assert "SameSite=Lax" in cookie(app)
    assert "Secure" not in cookie(app)
    secure = create_app(StudySettings(dataset, database_url, "x", secure_cookies=True))
    assert "Secure" in cookie(secure)
    secure.extensions["study_database"].close()


@pytest.mark.parametrize("path", ["/api/votes", "/api/faults", "/consent", "/lab/login"])
def test_large_bodies_are_refused(rating, path):
    answer = rating.post(path, data=b"x" * (MAX_BODY_BYTES + 1), headers={"X-CSRFToken": rating.csrf_token()})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/trial", "/finish", "/consent", "/instructions", "/lab/login", "/break"]
)
def test_pages_load_nothing_of_others_and_run_nothing_inline(rating, path):
    page = rating.get(path, follow_redirects=True).text
    assert re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", page) == []
    for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", page, flags=re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes
        assert not content.strip() or "application/json" in attributes
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", page) == []


def test_what_people_write_is_text_on_every_page(client, catalog, study, new_rater, signed_in):
    rater = new_rater()
    with catalog.writing() as session:
        for scene in scenes_of(session, study):
            add_vote(session, session.merge(rater), scene, [0], acceptable=False, comment=MARKUP)
    pages, waiting = {}, ["/lab/"]
    while waiting:
        name = waiting.pop()
        pages[name] = signed_in.get(name, follow_redirects=True).text
        found = set(re.findall(r'href="(/lab/[^"?#]+)"', pages[name])) - pages.keys() - set(waiting)
        waiting += sorted(one for one in found if not one.endswith(NO_PAGES))
    assert any("DROP TABLE" in page for page in pages.values())
    assert not any("<script>alert" in page for page in pages.values())


@pytest.mark.parametrize("text", [MARKUP, "' OR 1=1 --", "%s%s", "\\", "Robert'); DROP TABLE vote;--"])
def test_texts_never_become_statements(client, catalog, study, watch, text):
    assert client.get(f"/join/{text}").status_code in (404, 308)
    assert client.submit("/resume", code=text).status_code < 500
    assert client.submit("/lab/login", name=text, password=text).status_code < 500
    assert client.get(f"/p/{text}/w480.jpg").status_code in (401, 404)
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(Vote)) == 0
    assert client.get(link_maker(catalog, study)()).status_code == 200


def test_nothing_starts_without_a_secret(tmp_path):
    with pytest.raises(StudySettingsError, match="no secret key: set SECRET_KEY"):
        load_study_settings(tmp_path, environment={})
    made = load_study_settings(tmp_path, environment={}, make_secret=True).secret_key
    assert len(made) == 64
    assert (tmp_path / "study" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert load_study_settings(tmp_path, environment={}).secret_key == made
    assert load_study_settings(tmp_path, environment={"SECRET_KEY": "own"}).secret_key == "own"


def test_proxies_are_believed_only_where_said(client, app, database_url, dataset):
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Host": "localhost"}
    assert client.get("/", headers=forwarded).status_code == 200
    behind = create_app(StudySettings(dataset, database_url, "x", hosts=("study.example",), proxy_hops=1))
    answer = behind.test_client().get("/", headers={**forwarded, "X-Forwarded-Host": "study.example"})
    assert answer.status_code == 200
    behind.extensions["study_database"].close()
