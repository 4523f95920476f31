"""How long the study's pages take with 589 scenes and 15,000 votes while thirty raters rate."""

from __future__ import annotations

import random
import shutil
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from flask import url_for
from sqlalchemy import func, select

from builder.catalog import Catalog
from study_app import clock, create_app
from study_app.preparation.experimenters import set_experimenter
from study_app.preparation.invites import make_invite
from study_app.settings import StudySettings
from study_app.storage.database import open_database
from study_app.storage.models import Rater, Study, StudyScene, Vote
from tests.benchmarks.paper_size.watched import watch
from tests.benchmarks.report import Report, Value
from tests.study_app.load_client import Browser, Knowledge, Record, SimulatedRater
from tests.study_app.raters_load import FACTORY, SECRET, knowledge_of
from tests.study_app.servers import Gunicorn

COLUMNS = ("page", "requests", "median ms", "p95 ms", "longest ms")
RATERS, VOTES = 30, 15_000
PACE = 10.0  # seconds that a rater thinks about a trial: six times as fast as people
READ = 1.0  # seconds before a rater sends a page on the way to the first trial: consent, a plate of digits
ROUNDS = 40  # of all the experimenter's pages
PAUSE = 0.5  # seconds of the experimenter before the next page
GOAL = 300.0
RATERS_WAITS = {
    "page": "a rater's pages", "trial": "a trial", "vote": "a vote", "prefetch": "the next trial",
}  # fmt: skip
NO_PAGES = ("/login", "/export.zip", "/report.html")
NAME, PASSWORD = "admin", "a password of the benchmark"
RULE = "strict"  # a rule that leaves scenes open after thirty raters


def measure_pages(data: Path) -> Report:
    """Fills a copy of the catalog with votes under a strict rule, then rates and looks at it over HTTP."""
    copy = data.with_name("strict")
    if not copy.exists():
        _voted_copy(data, copy)
    catalog = open_database(url_of(copy))
    try:
        token, knowledge, votes = _opened(catalog)
        with _served(copy) as server:
            # seeds of their own in each run: a seed is also that of the votes' keys, which belong to one rater
            seeds = (RATERS * votes + n for n in range(RATERS))
            raters = [_rater(server.port, token, knowledge, seed) for seed in seeds]
            found = _visited(server.port, raters, laboratory_pages(catalog, copy))
            for rater in raters:
                rater.leave()
    finally:
        catalog.close()
    rows = tuple(_row(name, times) for name, times in sorted(found.items()))
    notes = (
        f"{votes:,} votes before; {RATERS} raters, one answer each {PACE:.0f} s, come in at once and read each page "
        f"before the first trial for {READ:.0f} s; the experimenter opens a page each {PAUSE} s; goal {GOAL:.0f} ms at "
        "p95",
    )
    return Report(
        "Pages of the study at this size, over HTTP from gunicorn of 4 x 4, SQLite", COLUMNS, rows, notes
    )


def url_of(folder: Path) -> str:
    """The catalog of a data folder."""
    return f"sqlite:///{folder / 'catalog.sqlite'}"


def _voted_copy(data: Path, copy: Path) -> None:
    """The same scenes and pictures with a study of their own, in which thirty raters have given 15,000 votes."""
    unfinished = copy.with_name("unfinished-strict")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    shutil.copyfile(data / "before-study.sqlite", unfinished / "catalog.sqlite")
    (unfinished / "previews").symlink_to((data / "previews").resolve())
    log = data.with_name("strict.log")
    options = ("--data", unfinished)
    watch("study_app", "create", "--open", "--seed", 2, "--rule", RULE, "--allow-missing", *options, log=log)
    watch("study_app", "simulate-raters", "--raters", RATERS, "--trials", VOTES // RATERS, *options, log=log)
    unfinished.rename(copy)


def _opened(catalog: Catalog) -> tuple[str, Knowledge, int]:
    """A raters' link and an experimenter; what raters must know; how many votes there are."""
    at = clock.now()
    with catalog.writing() as session:
        study = session.scalars(select(Study)).one()
        set_experimenter(session, NAME, PASSWORD, role="admin", at=at)
        _, token = make_invite(
            session, study, SECRET, label="pages", is_personal=False, is_expert=False,
            max_uses=10 * RATERS, expires_at=at + timedelta(days=1), at=at,
        )  # fmt: skip
        return token, knowledge_of(session), session.scalar(select(func.count(Vote.id))) or 0


def _rater(port: int, token: str, knowledge: Knowledge, seed: int) -> SimulatedRater:
    return SimulatedRater(port, token, knowledge, seed=seed, think_seconds=PACE, read_seconds=READ)


@contextmanager
def _served(data: Path) -> Iterator[Gunicorn]:
    environment = {
        "STUDY_DATA": str(data), "DATABASE_URL": url_of(data), "SECRET_KEY": SECRET,
        "LOAD_KILL_FILE": str(data / "kill"), "LOAD_BREAK_SECONDS": "1",
    }  # fmt: skip
    server = Gunicorn(FACTORY, environment, data.with_name("server.log"))
    server.start()
    try:
        yield server
    finally:
        server.kill()


def laboratory_pages(catalog: Catalog, data: Path) -> dict[str, str]:
    """Every page of the laboratory but downloads, of the study, its most voted scene and a rater: rule -> address."""
    app = create_app(StudySettings(data=data, database_url=url_of(data), secret_key=SECRET))
    most_voted = select(StudyScene.id).where(StudyScene.role == "real").order_by(StudyScene.counted.desc())
    with catalog.reading() as session:
        named = {
            "study_id": session.scalars(select(Study.public_id)).one(),
            "scene_id": session.scalars(most_voted.limit(1)).one(),
            "rater_id": session.scalars(select(Rater.public_id).limit(1)).one(),
        }
    with app.test_request_context():
        return {
            rule.rule: url_for(rule.endpoint, **{name: named[name] for name in rule.arguments})
            for rule in app.url_map.iter_rules()
            if rule.methods and "GET" in rule.methods and _is_page(rule.rule)
        }


def _is_page(rule: str) -> bool:
    return rule.startswith("/lab/") and not rule.endswith(NO_PAGES)


def _visited(port: int, raters: list[SimulatedRater], pages: Mapping[str, str]) -> dict[str, list[float]]:
    """Seconds of each request by page: raters while they join, all at once, then both while all rate.

    RuntimeError if a rater gives up.
    """
    threads = [threading.Thread(target=rater.run, daemon=True) for rater in raters]
    for thread in threads:
        thread.start()
    while not all("prefetch" in rater.record.seconds for rater in raters):  # only who rates fetches ahead
        _require_all(threads)
        time.sleep(1)
    found = {f"joining: {name}": times for name, times in _taken(raters).items()}
    found |= _looked_at(port, pages)
    _require_all(threads)
    return found | _taken(raters)


def _looked_at(port: int, pages: Mapping[str, str]) -> dict[str, list[float]]:
    """The experimenter's pages, one every PAUSE seconds."""
    experimenter = Record()
    browser = Browser(port, experimenter, random.Random(0))
    browser.get("/lab/login", "sign in")
    if browser.submit("/lab/login", {"name": NAME, "password": PASSWORD}).status != 303:
        raise RuntimeError("the experimenter could not sign in")
    experimenter.seconds.clear()
    for _ in range(ROUNDS):
        for name, address in pages.items():
            answer = browser.get(address, name)
            if answer.status != 200:
                raise RuntimeError(f"{address}: {answer.status}")
            time.sleep(PAUSE)
    return experimenter.seconds


def _require_all(threads: list[threading.Thread]) -> None:
    if not all(thread.is_alive() for thread in threads):
        raise RuntimeError("raters gave up while the pages were measured; the errors are above")


def _taken(raters: list[SimulatedRater]) -> dict[str, list[float]]:
    """What the raters waited for since this was last asked."""
    found: dict[str, list[float]] = {}
    for kind, name in RATERS_WAITS.items():
        for rater in raters:
            found.setdefault(name, []).extend(rater.record.seconds.pop(kind, ()))
    return {name: times for name, times in found.items() if len(times) > 1}


def _row(name: str, times: list[float]) -> tuple[Value, ...]:
    found = [1000 * second for second in times]
    return name, len(found), statistics.median(found), statistics.quantiles(found, n=20)[-1], max(found)
