"""Many raters at once against a real server that is shot at: is every acknowledged vote there, once?"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from builder.catalog import Catalog, Scene
from study_app import clock
from study_app.counting import tally
from study_app.preparation.invites import make_invite
from study_app.rater_pages import plates, turnstile
from study_app.statistics.rule import Rule
from study_app.storage.database import open_database
from study_app.storage.models import Assignment, StudyItem, StudyScene, Vote
from study_app.web.identity import RATER_KEY
from tests.study_app.crowd import PICTURE_SCENE, PICTURE_SIZE, add_many_scenes, open_crowd_study
from tests.study_app.load_client import Acknowledged, Knowledge, Record, SimulatedRater
from tests.study_app.scenery import add_scenes, write_dataset
from tests.study_app.servers import Gunicorn

SECRET = "a secret of the load test"
FACTORY = "tests.study_app.load_server:application()"
# Nothing is decided before the cap, so that the number of votes is known; the statistics are those of every study.
UNDECIDED = {"p_best": 0.9999, "p_near": 0.9999, "minimum": 8}


@dataclass(frozen=True)
class LoadForm:
    """How many of what, and how the server is shot at."""

    raters: int
    scenes: int
    cap: int
    workers: int = 4
    threads: int = 4
    think_seconds: float = 0.0
    ramp_seconds: float = 0.0  # over which the raters come in
    kills: tuple[
        str, ...
    ] = ()  # one after the other, spread over the expected votes: worker, server, before-reply
    kill_each_second: bool = False  # a worker

    @property
    def expected(self) -> int:
        """Live votes of real trials at the end."""
        return self.scenes * min(self.raters, self.cap)


@dataclass(frozen=True)
class Outcome:
    """What the raters saw and what the database holds."""

    expected: int
    live: int  # answered first trials of real scenes
    acknowledged: int  # different votes, changes included
    missing: tuple[Acknowledged, ...]  # acknowledged and not there, or there with another content
    uncounted: int  # live votes that the statistics do not count in the end
    most_over_cap: int  # answers beyond the cap in the worst scene
    over_assignment: float  # all answers beyond the caps as a share of all caps
    statuses: Mapping[int, int]
    lost_connections: int
    kills: int
    wall_seconds: float
    seconds: Mapping[str, Sequence[float]]

    def p95(self, kind: str) -> float:
        """95th percentile of the seconds to an answer."""
        found = self.seconds.get(kind, ())
        return statistics.quantiles(found, n=20)[-1] if len(found) > 1 else float("nan")

    def lines(self) -> list[str]:
        """For people."""
        times = ", ".join(
            f"{kind} {statistics.median(found) * 1000:.0f}/{self.p95(kind) * 1000:.0f}"
            for kind, found in sorted(self.seconds.items())
        )
        return [
            f"live votes {self.live} of {self.expected} expected; {self.acknowledged} acknowledged with changes, "
            f"{len(self.missing)} of them missing; {self.uncounted} uncounted",
            f"over-assignment {self.over_assignment:.1%} (worst scene: {self.most_over_cap} answers beyond its cap)",
            f"answers by status {dict(sorted(self.statuses.items()))}; {self.lost_connections} connections lost, "
            f"{self.kills} kills",
            f"median/p95 in ms: {times}",
            f"{self.wall_seconds:.0f} s in all",
        ]


def run_load(form: LoadForm, folder: Path, database_url: str) -> Outcome:
    """Make a dataset and a study, let everybody rate, and compare what was acknowledged with what is there."""
    data = folder / "data"
    write_dataset(data)
    catalog = open_database(database_url)
    try:
        token, knowledge = prepare(catalog, data, form)
        environment = {
            "STUDY_DATA": str(data), "DATABASE_URL": database_url, "SECRET_KEY": SECRET,
            "LOAD_KILL_FILE": str(folder / "kill"), "LOAD_BREAK_SECONDS": "1",
        }  # fmt: skip
        server = Gunicorn(FACTORY, environment, folder / "server.log", form.workers, form.threads)
        server.start()
        start = time.monotonic()
        trouble = Trouble(form, server, folder / "kill", catalog)
        try:
            records = _rate(form, server.port, token, knowledge, trouble)
        finally:
            trouble.stop()
            server.kill()
        return _outcome(catalog, form, records, trouble.kills, time.monotonic() - start)
    finally:
        catalog.close()


class Trouble:
    """Shoots at the server while the raters rate."""

    def __init__(self, form: LoadForm, server: Gunicorn, kill_file: Path, catalog: Catalog) -> None:
        self.kills = 0
        self._form, self._server, self._kill_file, self._catalog = form, server, kill_file, catalog
        self._dice = random.Random(1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trouble")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = 1.0 if self._form.kill_each_second else 0.05
        waiting = list(self._form.kills)
        while not self._over.wait(pause):
            share = self._votes() / self._form.expected
            if waiting and share > (len(self._form.kills) - len(waiting) + 1) / (len(self._form.kills) + 2):
                self._shoot(waiting.pop(0))
            elif self._form.kill_each_second:
                self._shoot("worker")

    def _shoot(self, kind: str) -> None:
        self.kills += 1
        if kind == "before-reply":
            self._kill_file.touch()
        elif kind == "server":
            self._server.kill()
            self._server.start()
        else:
            self._server.kill_worker(self._dice)

    def _votes(self) -> int:
        with self._catalog.reading() as session:
            return _live(session)


def prepare(
    catalog: Catalog, data: Path, form: LoadForm, picture_size: tuple[int, int] = PICTURE_SIZE
) -> tuple[str, Knowledge]:
    """Scenes (whose files are there) and an open study; the token of its link, and what raters must know."""
    at = clock.now()
    with catalog.writing() as session:
        add_scenes(session)
        add_many_scenes(session, form.scenes, picture_size=picture_size)
        shared = session.scalars(select(Scene).where(Scene.name == PICTURE_SCENE)).one()
        shared.width, shared.height = picture_size
        study = open_crowd_study(session, data, Rule(cap=form.cap, **UNDECIDED), at, only_added=True)
        _, token = make_invite(
            session, study, SECRET, label="load", is_personal=False, is_expert=False,
            max_uses=10 * form.raters, expires_at=at + timedelta(days=1), at=at,
        )  # fmt: skip
        return token, knowledge_of(session)


def knowledge_of(session: Session) -> Knowledge:
    """What raters with good eyes know of the database's studies."""
    sound = session.scalars(
        select(StudyItem.public_id)
        .join(StudyScene)
        .where(StudyScene.role == "training", StudyItem.candidate_id.is_not(None))
    )
    return Knowledge(_plate_digits, frozenset(sound))


def _plate_digits(cookie: str) -> tuple[str, ...]:
    """What the rater of this cookie would see on the dot plates."""
    app = Flask(__name__)
    app.secret_key = SECRET
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    with app.app_context():
        return plates.digits(turnstile.secret_number("plates", serializer.loads(cookie)[RATER_KEY]))


def _rate(form: LoadForm, port: int, token: str, knowledge: Knowledge, trouble: Trouble) -> list[Record]:
    raters = [
        SimulatedRater(port, token, knowledge, seed=number, think_seconds=form.think_seconds)
        for number in range(form.raters)
    ]
    trouble.start()
    with ThreadPoolExecutor(form.raters) as threads:
        running = []
        for rater in raters:
            running.append(threads.submit(rater.run))
            time.sleep(form.ramp_seconds / form.raters)
        return [future.result() for future in as_completed(running)]


def _outcome(
    catalog: Catalog, form: LoadForm, records: Sequence[Record], kills: int, wall_seconds: float
) -> Outcome:
    told = {one for record in records for one in record.acknowledged}
    with catalog.reading() as session:
        stored = {
            Acknowledged(*row)
            for row in session.execute(select(Vote.client_key, Vote.version, Vote.body_hash))
        }
        study_id = session.scalars(select(StudyScene.study_id).limit(1)).one()
        live = _live(session)
        answers = _answers_by_scene(session)
    tally.refresh_stale(catalog, study_id, clock.now())  # what kills between vote and statistics left behind
    with catalog.reading() as session:
        counted = session.scalar(select(func.sum(StudyScene.counted))) or 0
    beyond = [max(0, count - form.cap) for count in answers]
    return Outcome(
        expected=form.expected,
        live=live,
        acknowledged=len(told),
        missing=tuple(sorted(told - stored, key=lambda one: one.key)),
        uncounted=live - counted,
        most_over_cap=max(beyond, default=0),
        over_assignment=sum(beyond) / (form.cap * form.scenes),
        statuses=_summed(Counter(record.statuses) for record in records),
        lost_connections=sum(record.lost_connections for record in records),
        kills=kills,
        wall_seconds=wall_seconds,
        seconds={
            kind: [second for record in records for second in record.seconds.get(kind, ())]
            for kind in ("vote", "trial", "prefetch", "page")
        },
    )


def _summed(counters: object) -> Counter[int]:
    total: Counter[int] = Counter()
    for counter in counters:  # type: ignore[attr-defined]
        total.update(counter)
    return total


def _live(session: Session) -> int:
    """Trials of real scenes' first round that have an answer."""
    return sum(_answers_by_scene(session))


def _answers_by_scene(session: Session) -> list[int]:
    rows = session.execute(
        select(func.count(Assignment.id.distinct()))
        .join(Vote, Vote.assignment_id == Assignment.id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(StudyScene.role == "real", Assignment.round == 1)
        .group_by(Assignment.study_scene_id)
    )
    return [count for (count,) in rows]
