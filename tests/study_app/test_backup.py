"""Backups: made while people vote, proved when made, refused when they are not what was written."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from builder.atomic_files import digest_path
from study_app.keeping import backup
from study_app.keeping.backup import BackupError, backups, make_backup, read_record, restore_check
from study_app.keeping.hourly_backups import backup_if_due, thin_out_hourly
from study_app.preparation.studies import close_study
from study_app.storage.models import Study
from tests.study_app import ballot_box
from tests.study_app.ballot_box import LATER
from tests.study_app.scenery import add_vote, scene_named

ON_SQLITE = pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="this is how SQLite is backed up")
ON_POSTGRESQL = pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="needs TEST_DATABASE_URL")


@pytest.fixture
def rule():
    return ballot_box.RULE


@pytest.fixture
def raters(catalog, study, new_rater):
    return ballot_box.fill(catalog, study, new_rater)


@pytest.fixture
def made(catalog, raters, tmp_path) -> Path:
    return make_backup(catalog, tmp_path, label="manual", at=LATER)


@ON_SQLITE
def test_a_restored_backup_gives_the_recorded_results(catalog, study, made):
    found = restore_check(made, live=catalog)
    assert found.votes_since == 0
    assert set(found.record.results) == {study.public_id}
    assert made.stat().st_mode & 0o777 == 0o600
    assert not list(made.parent.glob("unfinished-*"))


@ON_SQLITE
def test_a_check_tells_how_far_the_study_has_gone_on(catalog, study, made, new_rater):
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        add_vote(session, session.merge(rater), scene_named(session, study, "elm"), [0])
    assert restore_check(made, live=catalog).votes_since == 1


@ON_SQLITE
def test_a_backup_under_load_is_one_whole_state(catalog, study, tmp_path, new_rater):
    people = [new_rater(step="instructed") for _ in range(12)]
    first_vote, stopped = threading.Event(), threading.Event()

    def vote():
        for rater in people:
            for name in ("alley", "chapel", "elm"):
                with catalog.writing() as session:
                    add_vote(
                        session, session.merge(rater, load=True), scene_named(session, study, name), [0, 1]
                    )
                first_vote.set()
                if stopped.is_set():
                    return

    voter = threading.Thread(target=vote)
    voter.start()
    try:
        assert first_vote.wait(20)
        copies = [
            make_backup(catalog, tmp_path, label="load", at=LATER + timedelta(seconds=n)) for n in range(3)
        ]
    finally:
        stopped.set()
        voter.join()
    assert [restore_check(copy).record.votes for copy in copies] == sorted(
        read_record(copy).votes for copy in copies
    )


@ON_SQLITE
def test_a_changed_byte_is_found(made):
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    made.write_bytes(content)
    with pytest.raises(BackupError, match="its content is not what was written"):
        restore_check(made)


@ON_SQLITE
def test_other_results_than_recorded_are_found(made, study):
    record = made.with_name(f"{made.name}.json")
    document = json.loads(record.read_text())
    document["results"][study.public_id] = "0" * 64
    record.write_text(json.dumps(document))
    with pytest.raises(BackupError, match="recorded were"):
        restore_check(made)


@ON_SQLITE
def test_a_file_that_is_no_database_is_refused(made):
    made.write_bytes(b"no database, but long enough to be read as one" * 100)
    record = made.with_name(f"{made.name}.json")
    document = json.loads(record.read_text())
    record.write_text(json.dumps(document | {"sha256": digest_path(made)}))
    with pytest.raises(BackupError, match="not a sound database"):
        restore_check(made)


@ON_SQLITE
def test_a_backup_without_its_record_is_refused(made):
    made.with_name(f"{made.name}.json").unlink()
    with pytest.raises(BackupError, match=r"\.json: no such file"):
        restore_check(made)


@ON_SQLITE
def test_the_check_leaves_the_backup_as_it_is(made):
    before = made.read_bytes()
    restore_check(made)
    assert made.read_bytes() == before
    assert sorted(path.name for path in made.parent.iterdir()) == [made.name, f"{made.name}.json"]


@ON_SQLITE
def test_a_backup_that_cannot_be_written_leaves_nothing(catalog, raters, tmp_path, monkeypatch):
    def fails(*_arguments, **_keywords):
        raise BackupError("integrity_check says 'page 3 is damaged'")

    monkeypatch.setattr(backup, "_require_sound", fails)
    with pytest.raises(BackupError, match="page 3"):
        make_backup(catalog, tmp_path, label="manual", at=LATER)
    assert list((tmp_path / backup.FOLDER).iterdir()) == []


@ON_SQLITE
def test_the_hourly_backup_comes_once_an_hour_and_rests_while_no_study_is_open(catalog, study, tmp_path):
    assert backup_if_due(catalog, tmp_path, LATER) is not None
    assert backup_if_due(catalog, tmp_path, LATER + timedelta(minutes=20)) is None  # another worker's turn
    assert backup_if_due(catalog, tmp_path, LATER + timedelta(minutes=60)) is not None
    with catalog.writing() as session:
        close_study(session, session.get_one(Study, study.id), LATER)
    assert backup_if_due(catalog, tmp_path, LATER + timedelta(hours=3)) is None
    assert [path.name.split("-")[-1] for path in backups(tmp_path)] == ["hourly.sqlite"] * 2


def test_old_hourly_backups_go_but_the_last_of_each_day_and_all_others_stay(tmp_path):
    folder = tmp_path / backup.FOLDER
    folder.mkdir(parents=True)
    start = datetime(2026, 3, 1)
    for hour in range(24 * 5):
        at = start + timedelta(hours=hour)
        for suffix in (".sqlite", ".sqlite.json"):
            (folder / f"{at:%Y%m%dT%H%M%S%f}Z-hourly{suffix}").touch()
    manual = folder / "20260301T000000000000Z-manual.sqlite"
    manual.touch()
    deleted = thin_out_hourly(tmp_path)
    left = [path.name for path in backups(tmp_path)]
    assert len(deleted) == 3 * 23
    assert manual.name in left
    assert [name[:11] for name in left if "hourly" in name][:3] == [
        "20260301T23",
        "20260302T23",
        "20260303T23",
    ]
    assert len(list(folder.glob("*.json"))) == 48 + 3
    assert thin_out_hourly(tmp_path) == []


def test_without_any_backup_the_newest_is_a_sentence(tmp_path):
    with pytest.raises(BackupError, match="no backup yet; make one with"):
        backup.newest_backup(tmp_path)


@ON_POSTGRESQL
def test_a_dump_restored_into_an_empty_database_gives_the_recorded_results(catalog, made, database_url):
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not on PATH")
    name = f"restored_{uuid.uuid4().hex}"
    admin = create_engine(make_url(database_url), isolation_level="AUTOCOMMIT")
    into = make_url(database_url).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            found = restore_check(made, live=catalog, into=into)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
    assert (found.record.database, found.votes_since) == ("postgresql", 0)


@ON_POSTGRESQL
def test_a_dump_asks_where_it_may_be_restored(made):
    with pytest.raises(BackupError, match="name an empty database with --into"):
        restore_check(made)
