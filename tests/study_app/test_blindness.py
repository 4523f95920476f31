"""A crawler over every answer that a rater can get: nothing in it tells an algorithm, a path, a row or a result."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from html import unescape
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import select

from builder.catalog import Candidate, Scene
from study_app import clock
from study_app.rating import trial_document
from study_app.storage.models import Rater, StudyItem
from tests.study_app.pages import Watch, link_maker, right_answers
from tests.study_app.scenery import ALGORITHM_NAMES, add_vote, scenes_of

SENTINEL = "a remark of somebody else"
LINKS = re.compile(r"""(?:href|src|action|data-[a-z]+)=["'](/[^"'#]*)""")
DIGEST = re.compile(r"(?<=/)[0-9a-f]{16}(?=[/.])")
MOST_ADDRESSES = 600
# Somebody else's library, and the style of pages that no rater sees: its class names are states of any scene.
OF_OTHERS = ("GET /static/DIGEST/vendor/", "GET /static/DIGEST/lab.")
FAMILIES = ("exposure_fusion", "stack_hdr", "exposure-fusion", "stack-hdr")


class Crawler:
    """Keeps what a client was answered: address, status, headers and body."""

    def __init__(self, client):
        self.client, self.answers, self.seen = client, [], set()

    def get(self, path):
        return self._kept("GET", path, self.client.get(path))

    def submit(self, path, **fields):
        return self._kept("POST", path, self.client.submit(path, **fields))

    def send(self, path, body, **headers):
        return self._kept("POST", path, self.client.send(path, body, **headers))

    def follow(self, answer):
        """Get everything that a page names, and what that names."""
        waiting = [answer]
        while waiting:
            page = waiting.pop()
            if not page.mimetype.startswith("text/") or "javascript" in page.mimetype:
                continue
            for path in map(unescape, LINKS.findall(page.text)):
                if path not in self.seen and len(self.seen) < MOST_ADDRESSES:
                    self.seen.add(path)
                    waiting.append(self.get(path))

    def _kept(self, method, path, answer):
        answer.get_data()
        answer.close()
        self.answers.append((f"{method} {DIGEST.sub('DIGEST', path)}", answer))
        return answer

    def texts(self):
        """Address and everything that was answered, headers and the names of the address included."""
        for address, answer in self.answers:
            headers = "\n".join(f"{name}: {value}" for name, value in answer.headers if name != "Set-Cookie")
            yield address, f"{address}\n{headers}\n{answer.get_data().decode('latin-1')}"


@pytest.fixture
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    monkeypatch.setattr(trial_document, "UNLOCK_SECONDS", 0)
    return found


@pytest.fixture
def others(catalog, study, new_rater):
    """Eleven raters who have answered already, with a remark."""
    raters = [new_rater() for _ in range(11)]
    with catalog.writing() as session:
        for rater in raters:
            for scene in scenes_of(session, study):
                add_vote(session, session.merge(rater), scene, [1, 0], comment=SENTINEL)
    return [rater.public_id for rater in raters]


@pytest.fixture
def crawler(client, catalog, study, others, watch):
    """A rater who went the whole way, from the link to the last page and beyond."""
    found = Crawler(client)
    _join(found, link_maker(catalog, study)())
    _rate_everything(found, watch)
    for path in ("/", "/finish", "/me", "/break", "/your-code", "/instructions", "/lab/", "/lab/login"):
        found.follow(found.get(path))
    _go_wrong(found)
    return found


def _join(crawler, link):
    crawler.follow(crawler.get(link))
    crawler.submit(link)
    crawler.follow(crawler.get("/your-code"))
    page = crawler.get("/consent")
    crawler.follow(page)
    version = re.search(r'name="(\w+)" value="([^"]*)"[^>]*>\s*(?!.*csrf)', page.text)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    fields.pop("csrf_token", None)
    assert version
    crawler.submit("/consent", agree="yes", **fields)
    page = crawler.get("/display-check")
    crawler.follow(page)
    crawler.submit(
        "/display-check", **right_answers(page.text), even="yes", viewport_width="1920", viewport_height="1080",
        screen_width="1920", screen_height="1080", dpr="1", scale="1", pointer="fine", gamut="srgb",
    )  # fmt: skip
    for plate in range(6):
        crawler.follow(crawler.get("/colour-vision"))
        crawler.submit("/colour-vision", plate=str(plate), answer="5")
    crawler.follow(crawler.get("/instructions"))
    crawler.submit("/instructions")


def _rate_everything(crawler, watch):
    for _ in range(40):
        page = crawler.get("/next")
        step = page.headers.get("Location", "").rpartition("/")[2]
        if step not in ("training", "trial"):
            return
        crawler.follow(crawler.get(f"/{step}"))
        document = crawler.get(f"/api/trial?kind={step}").get_json()
        crawler.get("/api/trial/next")
        for picture in (*document["images"], *document["exposures"]):
            for name in ("w480.jpg", "w2048.jpg", "0/0_0.jpg"):
                crawler.get(f"/p/{picture['id']}/{name}")
        vote = {
            "assignment": document["assignment"], "version": document["version"], "kind": "choice", "picks": ["A"],
            "acceptable": True, "reasons": [], "comment": "", "behaviour": {},
        }  # fmt: skip
        crawler.send("/api/votes", vote, Idempotency_Key=str(uuid.uuid4()))
        crawler.send("/api/trials/reopen", {})
        watch.time += timedelta(seconds=40)


def _go_wrong(crawler):
    """Every kind of refusal."""
    for path in (
        "/nothing",
        "/p/0/w480.jpg",
        f"/p/{'0' * 32}/w480.jpg",
        f"/p/{'0' * 32}/99/0_0.jpg",
        "/join/unknown",
    ):
        crawler.get(path)
    for body in ({}, {"assignment": "x"}, [], "text"):
        crawler.send("/api/votes", body, Idempotency_Key=str(uuid.uuid4()))
    crawler.send("/api/faults", {"assignment": "0" * 32, "image": "0" * 32, "what": "broken"})
    crawler.submit("/resume", code="AAAA-BBBB-CCCC")


def forbidden(catalog, dataset, others):
    """Words, each with what it would tell."""
    with catalog.reading() as session:
        keys = [*session.scalars(select(Candidate.key)), *session.scalars(select(Candidate.preview_path))]
        scenes = [f"/{name}/" for name in session.scalars(select(Scene.name))]
    words = {
        "algorithm": [
            *ALGORITHM_NAMES,
            *{re.sub(r"\d", "", name) for name in ALGORITHM_NAMES if len(name) > 7},
        ],
        "family": FAMILIES,
        "path": [str(dataset), "previews/", "fused/", "aligned/", "originals/", *scenes],
        "catalog": [*keys, *(key[:12] for key in keys if "/" not in key), "candidate_id", "scene_id"],
        "others": [*others, SENTINEL],
        "result": ["p_best", "p_near", "P_best", "leader", "accept-equivalent"],
    }
    return {word.lower(): kind for kind, found in words.items() for word in found}


def test_nothing_that_a_rater_gets_tells_anything(crawler, catalog, dataset, others):
    words = forbidden(catalog, dataset, others)
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))
    told = {
        (address, words[hit], hit)
        for address, text in crawler.texts()
        if not address.startswith(OF_OTHERS)
        for hit in pattern.findall(text.lower())
    }
    assert told == set()


def test_the_crawler_saw_the_whole_way_and_finds_what_is_planted(crawler, catalog, dataset, others):
    addresses = [address for address, _ in crawler.answers]
    kinds = {re.sub(r"[0-9a-f]{32}", "ID", address.partition("?")[0]) for address in addresses}
    assert {
        "GET /trial",
        "GET /api/trial",
        "GET /training",
        "POST /api/votes",
        "GET /p/ID/w480.jpg",
        "GET /me",
    } <= kinds
    assert {"GET /screen/DIGEST.js", "GET /static/DIGEST/study.css"} <= kinds
    assert sum(answer.status_code == 201 for _, answer in crawler.answers) >= 5
    assert {answer.status_code for _, answer in crawler.answers} >= {200, 201, 303, 404, 422}
    assert max(answer.status_code for _, answer in crawler.answers) < 500
    words = forbidden(catalog, dataset, others)
    assert "kou2017" in words
    assert "mertens" in words


def test_pictures_carry_no_metadata(crawler):
    pictures = [answer for _, answer in crawler.answers if answer.mimetype == "image/jpeg"]
    assert len(pictures) > 30
    for answer in pictures:
        with Image.open(BytesIO(answer.get_data())) as picture:
            assert not picture.getexif()
            assert set(picture.info) <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
                "dpi",
                "icc_profile",
            }
        assert (
            "Last-Modified" not in answer.headers
        )  # the order in which pictures were made tells the algorithm


def test_letters_say_nothing_of_the_order_in_the_catalog(crawler, catalog):
    """The same scene has another order for each rater, and ids are random."""
    documents = [
        json.loads(answer.get_data())
        for address, answer in crawler.answers
        if address.startswith("GET /api/trial?")
    ]
    with catalog.reading() as session:
        position = dict(session.execute(select(StudyItem.public_id, StudyItem.position)).all())
        assert session.scalars(select(Rater)).first()
    orders = [[position[picture["id"]] for picture in one["images"]] for one in documents if "images" in one]
    assert any(order != sorted(order) for order in orders)
    assert all(set(picture) == {"letter", "id"} for one in documents for picture in one.get("images", []))
