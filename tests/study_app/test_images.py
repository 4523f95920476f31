"""Pictures go out under blind names: to signed-in people only, cacheable for good, and telling nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

import study_app
from study_app.rater_pages import images
from study_app.storage.models import StudyExposure, StudyItem

VENDOR = Path(study_app.__file__).parent / "static/vendor/openseadragon"


@pytest.fixture
def item(catalog, study) -> StudyItem:
    with catalog.reading() as session:
        return session.scalars(
            select(StudyItem).where(StudyItem.preview_path.like("previews/bay/%")).order_by(StudyItem.id)
        ).first()


@pytest.fixture
def rated(client, new_rater):
    client.sign_in(new_rater())
    return client


def test_pictures_are_the_files(rated, item, dataset):
    for name, file in [
        ("w480.jpg", "w480.jpg"),
        ("w2048.jpg", "w2048.jpg"),
        ("10/1_0.jpg", "tiles_files/10/1_0.jpg"),
        ("0/0_0.jpg", "tiles_files/0/0_0.jpg"),
    ]:
        answer = rated.get(f"/p/{item.public_id}/{name}")
        assert answer.status_code == 200
        assert answer.data == (dataset / item.preview_path / file).read_bytes()


def test_exposures_are_served_alike(rated, catalog, dataset):
    with catalog.reading() as session:
        exposure = session.scalars(select(StudyExposure)).first()
    answer = rated.get(f"/p/{exposure.public_id}/w480.jpg")
    assert answer.data == (dataset / exposure.preview_path / "w480.jpg").read_bytes()


def test_headers_allow_caching_and_tell_nothing(rated, item):
    answer = rated.get(f"/p/{item.public_id}/10/0_0.jpg")
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["ETag"] == f'"{item.public_id}-10-0_0"'
    # A date would tell the order of making; `Vary: Cookie` or a new cookie would defeat the browser's cache.
    assert not {"Last-Modified", "Content-Disposition", "Vary", "Set-Cookie"} & headers.keys()
    told = " ".join(f"{name}: {value}" for name, value in headers.items())
    assert not any(part in told for part in Path(item.preview_path).parts)


def test_a_cached_picture_costs_no_bytes(rated, item):
    path = f"/p/{item.public_id}/w480.jpg"
    etag = rated.get(path).headers["ETag"]
    answer = rated.get(path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["Cache-Control"] == images.CACHE_CONTROL


def test_every_unknown_address_gets_one_answer(rated, item):
    known = item.public_id
    answers = {
        rated.get(path).data
        for path in (
            f"/p/{'0' * 32}/w480.jpg",
            f"/p/{known}/w481.jpg",
            f"/p/{known}/tiles.dzi",
            f"/p/{known}/10/7_0.jpg",
            f"/p/{known}/21/0_0.jpg",
            f"/p/{known}/10/4096_0.jpg",
            f"/p/{known}/10/{10**30}_0.jpg",
            f"/p/{known}/-1/0_0.jpg",
            f"/p/{known}/10/0_0.png",
            f"/p/{known}/../{known}/w480.jpg.json",
            f"/p/{known}%00/w480.jpg",
            f"/p/{known}/%2e%2e/%2e%2e/catalog.sqlite",
            f"/p/{known.upper()}x/w480.jpg",
            "/p/../../etc/passwd",
            f"/p/{item.id}/w480.jpg",
        )
        if rated.get(path).status_code == 404 or pytest.fail(path)
    }
    assert len(answers) == 1


def test_strangers_get_nothing_and_learn_nothing(client, item):
    real, guessed = (client.get(f"/p/{name}/w480.jpg") for name in (item.public_id, "0" * 32))
    assert real.status_code == guessed.status_code == 401
    assert real.data == guessed.data
    client.set_cookie("study", "eyJyYXRlciI6IngifQ.forged.forged")
    assert client.get(f"/p/{item.public_id}/w480.jpg").status_code == 401


def test_experimenters_see_pictures(client, item):
    client.sign_in_experimenter(1)
    assert client.get(f"/p/{item.public_id}/w480.jpg").status_code == 200


def test_a_view_asks_the_database_once_per_picture(rated, item, monkeypatch):
    asked = []
    stored = images._stored_path
    monkeypatch.setattr(images, "_stored_path", lambda name: asked.append(name) or stored(name))
    for column in (0, 1):
        for row in (0, 1):
            assert rated.get(f"/p/{item.public_id}/10/{column}_{row}.jpg").status_code == 200
    assert asked == [item.public_id]


def test_remembered_folders_are_bounded(tmp_path, monkeypatch):
    known = {"a": "one", "b": "two", "c": "three"}
    monkeypatch.setattr(images, "_stored_path", known.get)
    folders = images.Folders(tmp_path, limit=2)
    assert [folders.find(name) for name in "abc"] == [tmp_path / path for path in known.values()]
    assert folders.find("unknown") is None
    monkeypatch.setattr(images, "_stored_path", {}.get)
    assert (folders.find("a"), folders.find("b")) == (None, tmp_path / "two")  # the oldest is forgotten


def test_the_viewer_is_the_one_of_npm():
    script = (VENDOR / "openseadragon.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == (
        "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad"
    )
    assert script.startswith(b"//! openseadragon 6.1.1\n")
    assert "Redistribution and use in source and binary forms" in (VENDOR / "LICENSE.txt").read_text()
