"""Proof test 4 on real files: a full disk, a read-only one, a lock of 12 s; a rater in chromium, gunicorn, SQLite.

The disk is a small tmpfs, which takes the right to mount; without it these cases are skipped and say so.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.study_app.conftest import SECRET
from tests.study_app.raters_load import FACTORY
from tests.study_app.screen.rating import finish_by_keyboard, votes
from tests.study_app.servers import ROOT, Gunicorn

pytestmark = pytest.mark.timeout(240)
DISK_MEGABYTES = 16
LOCKED_SECONDS = 12
PATIENCE_MS = 90_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", folder)
    if mounted.returncode:
        pytest.skip(f"a disk of our own takes the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def database_url(disk: Path, sqlite_template: Path) -> str:
    shutil.copyfile(sqlite_template, disk / "catalog.sqlite")
    return f"sqlite:///{disk / 'catalog.sqlite'}"


@pytest.fixture
def server(database_url: str, dataset: Path, study, tmp_path: Path) -> Iterator[Gunicorn]:
    environment = {
        "STUDY_DATA": str(dataset), "DATABASE_URL": database_url, "SECRET_KEY": SECRET,
        "LOAD_KILL_FILE": str(tmp_path / "never"), "LOAD_BREAK_SECONDS": "1",
    }  # fmt: skip
    server = Gunicorn(FACTORY, environment, tmp_path / "server.log", workers=2)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def address(server: Gunicorn) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(autouse=True)
def _no_writers_left(disk: Path, catalog, app) -> Iterator[None]:
    """Whatever holds files open lets go before the disk goes; both are set up before this, so end after it."""
    yield
    catalog.engine.dispose()
    app.extensions["study_database"].engine.dispose()


def test_a_full_disk(rating, catalog, disk, figure):
    page = rating().open()
    _empty_log(disk)
    _fill(disk / "filler")
    waited = _told_and_saved_later(page, catalog, relief=(disk / "filler").unlink, seconds=5)
    figure(f"disk full for 5 s: nothing stored, the rater told so; saved {waited:.1f} s after there was room")


def test_a_lock_of_twelve_seconds(rating, catalog, disk, figure):
    page = rating().open()
    held = sqlite3.connect(disk / "catalog.sqlite", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    release = threading.Timer(LOCKED_SECONDS, lambda: held.execute("ROLLBACK"))
    start = time.monotonic()
    release.start()
    _told(page, within_ms=1000 * LOCKED_SECONDS)
    told = time.monotonic() - start
    assert votes(catalog) == []
    expect(page.locator("#where")).to_contain_text("Scene 2", timeout=PATIENCE_MS)
    waited = time.monotonic() - start - LOCKED_SECONDS
    release.join()
    held.close()
    assert waited > 0
    assert len(votes(catalog)) == 1
    figure(
        f"locked for {LOCKED_SECONDS} s: the rater told after {told:.1f} s, saved {waited:.1f} s after its end"
    )


def test_a_read_only_disk(rating, catalog, disk, dataset, server, app, figure):
    """As after a power failure: the machine comes back with its disk read-only, and the page is still open."""
    page = rating().open()
    server.kill()
    for engine in (catalog.engine, app.extensions["study_database"].engine):
        engine.dispose()
    assert _mount("-o", "remount,ro", disk).returncode == 0
    refused = _start_by_hand(dataset, server)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr, refused.stderr
    assert "read" in refused.stderr.lower(), refused.stderr

    def relief() -> None:
        assert _mount("-o", "remount,rw", disk).returncode == 0
        server.start()

    waited = _told_and_saved_later(page, catalog, relief, seconds=5, is_readable=False)
    figure(f"read-only: `serve` says {refused.stderr.strip().splitlines()[-1]!r}")
    figure(f"read-only: the rater told, saved {waited:.1f} s after it could be written again")


def _told_and_saved_later(
    page: Page, catalog, relief: Callable[[], None], *, seconds: float, is_readable: bool = True
) -> float:
    """A vote into the trouble; seconds from the relief to the next scene."""
    _told(page, within_ms=30_000)
    page.wait_for_timeout(1000 * seconds)
    if is_readable:
        assert votes(catalog) == []
    relief()
    start = time.monotonic()
    expect(page.locator("#where")).to_contain_text("Scene 2", timeout=PATIENCE_MS)
    assert len(votes(catalog)) == 1
    return time.monotonic() - start


def _told(page: Page, *, within_ms: float) -> None:
    finish_by_keyboard(page)
    expect(page.locator("#waiting")).to_contain_text("Not saved yet", timeout=within_ms)
    expect(page.locator("#saved")).to_have_text("1 answer waiting")


def _mount(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)


def _empty_log(disk: Path) -> None:
    """Pages of the write-ahead log that were used before would take the vote without any room."""
    with closing(sqlite3.connect(disk / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def _start_by_hand(dataset: Path, server: Gunicorn) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study_app", "serve", "--data", str(dataset), "--port", str(server.port)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **server.environment}
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
