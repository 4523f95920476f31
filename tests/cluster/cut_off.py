"""A build on two hosts, one of which is cut off in the middle, beside the same build on this machine alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from distributed import Client

from tests.cluster import data_folder
from tests.cluster.network import Host
from tests.cluster.outcome import Aftermath, Cut, Difference, Outcome
from tests.cluster.worker_hosts import ADDRESS, WorkerHost, connected, running_cluster, wait_until
from tests.study_app.servers import ROOT

BUILD_SECONDS = 1800.0
NOTICE_SECONDS = 300.0
BEGUN_SCENES = 3  # with candidates on disk when the cable is pulled
BEGUN_CANDIDATES = 3  # on disk of the scene that the host is working on; more than as many are missing
LATE_SECONDS = 60.0
NEVER_GIVES_UP = "1h"  # of the worker: it outlives every build here without its scheduler
SCENE_DONE = re.compile(r" build \d+/\d+ (.+): (\d+) candidates made")
LAST_WORD = re.compile(r"^(\d+ candidates made, \d+ of \d+ scenes were up to date)", re.MULTILINE)

# What the host does that is cut off: it goes on working until it notices that its scheduler is silent; or its
# clock stops, and it goes on while the other host works on its scene, or after the build has ended.
Behaviour = Literal["goes-on", "wakes-beside", "wakes-after"]


@dataclass(frozen=True)
class LocalBuild:
    """What the builds with a cut are measured by."""

    photos: Path
    files: Mapping[str, str]
    rows: Counter[str]
    candidates: int
    algorithm_names: frozenset[str]
    scenes: int


def build_here(photos: Path, data: Path, workers: int) -> LocalBuild:
    """The same photographs on this machine, with the catalog in SQLite."""
    _builder("build", photos, "--data", data, "--executor", f"local:{workers}").check_returncode()
    candidates = data_folder.candidates(data)
    return LocalBuild(
        photos,
        data_folder.comparable_files(data),
        data_folder.rows(f"sqlite:///{data / 'catalog.sqlite'}"),
        len(candidates),
        frozenset(candidate.algorithm for candidate in candidates),
        len({candidate.scene for candidate in candidates}),
    )


def build_with_cut(
    local: LocalBuild, hosts: tuple[Host, Host], folder: Path, url: str, behaviour: Behaviour
) -> Outcome:
    """Build on two hosts, pull the second one's cable in the middle, and plug it in when the build is over.

    Raises TooLate if something does not happen that has to.
    """
    patience = "" if behaviour == "goes-on" else NEVER_GIVES_UP
    with running_cluster(hosts, folder, patience=patience) as (client, workers):
        return _CutBuild(local, folder / "data", url, client, workers).run(behaviour)


@dataclass(frozen=True)
class _InterruptedBuild:
    cut: Cut
    clock: float  # of the cut, monotonic seconds
    date: str  # of the cut, ISO 8601
    noticed: float  # seconds after the cut
    seconds: float
    exit: int


class _CutBuild:
    """One build with a cut; the second host is the one that is cut off."""

    def __init__(
        self, local: LocalBuild, data: Path, url: str, client: Client, workers: tuple[WorkerHost, ...]
    ) -> None:
        self._local = local
        self._data = data
        self._url = url
        self._client = client
        self._other, self._victim = workers
        self._name = self._victim.host.name

    def run(self, behaviour: Behaviour) -> Outcome:
        build = self._interrupted_build(behaviour)
        aftermath = self._aftermath(build, behaviour)
        by_host = Counter(candidate.host for candidate in data_folder.candidates(self._data))
        exits, second_build = self._all_again()
        return Outcome(
            self._local.scenes,
            self._local.candidates,
            dict(sorted(by_host.items())),
            build.seconds,
            {"build": build.exit, **exits},
            second_build,
            build.cut,
            aftermath,
            self._difference(),
        )

    def _interrupted_build(self, behaviour: Behaviour) -> _InterruptedBuild:
        begin = time.monotonic()
        build = self._start_build()
        try:
            wait_until(self._is_in_the_middle, f"{self._name} in the middle of a scene", BUILD_SECONDS)
            cut = self._pull_cable(behaviour, time.monotonic() - begin)
            clock, date = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
            noticed = wait_until(self._is_given_up, "the scheduler gives the host up", NOTICE_SECONDS)
            if behaviour == "wakes-beside":
                self._wake_beside(cut.scene)
            wait_until(lambda: build.poll() is not None, "the build ends", BUILD_SECONDS)
        finally:
            build.kill()
        return _InterruptedBuild(cut, clock, date, noticed, time.monotonic() - begin, build.wait())

    def _aftermath(self, build: _InterruptedBuild, behaviour: Behaviour) -> Aftermath:
        reported, handed_on = self._reports()
        touched, changed = self._late_work(behaviour, build.cut.scene)
        candidates = data_folder.candidates(self._data)
        return Aftermath(
            build.noticed,
            handed_on,
            data_folder.shared_scenes(self._data, self._name),
            len(candidates) - reported,
            sum(one.host == self._name and one.finished > build.date for one in candidates),
            touched,
            changed,
            time.monotonic() - build.clock,
        )

    def _is_in_the_middle(self) -> bool:
        step = data_folder.step_of(self._data, self._name)
        if step is None:
            return False
        scenes = Counter(candidate.scene for candidate in data_folder.candidates(self._data))
        algorithms = self._local.algorithm_names
        is_half_done = BEGUN_CANDIDATES <= scenes[step[0]] < len(algorithms) - BEGUN_CANDIDATES
        return len(scenes) >= BEGUN_SCENES and is_half_done and step[1] in algorithms

    def _pull_cable(self, behaviour: Behaviour, after: float) -> Cut:
        if behaviour != "goes-on":
            self._victim.stop_the_clock()
        self._victim.host.pull_cable()
        scene, step = data_folder.step_of(self._data, self._name) or ("", "")
        return Cut(self._name, after, scene, step, len(data_folder.candidates(self._data)))

    def _wake_beside(self, scene: str) -> None:
        """Let the host go on as soon as the other one is at work on the scene that it was working on."""

        def is_beside() -> bool:
            step = data_folder.step_of(self._data, self._other.host.name)
            return step is not None and step[0] == scene and step[1] in self._local.algorithm_names

        wait_until(is_beside, f"{self._other.host.name} works on {scene}", BUILD_SECONDS)
        self._victim.go_on()

    def _reports(self) -> tuple[int, dict[str, int]]:
        """How many candidates the build was told of, and the scenes whose last maker found some of them made."""
        said = SCENE_DONE.findall(self._log.read_text())
        counts = {scene: int(count) for scene, count in said}
        handed_on = {
            scene: count for scene, count in counts.items() if count < len(self._local.algorithm_names)
        }
        return sum(counts.values()), handed_on

    def _is_given_up(self) -> bool:
        return self._victim.host.address not in connected(self._client)

    def _late_work(self, behaviour: Behaviour, scene: str) -> tuple[int, tuple[str, ...]]:
        """Wait until the host's worker has ended by itself; what it wrote after the build had ended."""
        times, contents = data_folder.folder_times(self._data), data_folder.derived_files(self._data)
        if behaviour == "wakes-after":
            fused = self._data / "fused" / scene
            self._victim.go_on()
            wait_until(lambda: fused.stat().st_mtime_ns != times[fused], "a late result", LATE_SECONDS)
        if behaviour != "goes-on":
            self._victim.host.plug_cable()  # only now can it learn that nobody waits for it
        wait_until(self._victim.has_ended, f"the worker of {self._name} ends", NOTICE_SECONDS)
        times_now, contents_now = data_folder.folder_times(self._data), data_folder.derived_files(self._data)
        touched = sum(times.get(folder) != when for folder, when in times_now.items())
        changed = (path for path, digest in contents.items() if contents_now.get(path) != digest)
        return touched, tuple(sorted(path for path in changed if "unfinished" not in path))

    def _all_again(self) -> tuple[dict[str, int], str]:
        """Plug the cable in, start the worker as a service manager would, and give the same command.

        The exit status of that build and of `status --verify`, and the build's last word.
        """
        self._victim.host.plug_cable()
        self._victim.start()
        wait_until(lambda: not self._is_given_up(), f"{self._name} is back", NOTICE_SECONDS)
        exits = {"second build": self._start_build().wait(BUILD_SECONDS)}
        verify = _builder("status", "--verify", "--data", self._data, DATABASE_URL=self._url)
        said = LAST_WORD.findall(self._said.read_text())
        return exits | {"status --verify": verify.returncode}, said[-1] if said else "nothing"

    def _difference(self) -> Difference:
        mine, theirs = data_folder.comparable_files(self._data), self._local.files
        my_rows, their_rows = data_folder.rows(self._url), self._local.rows
        return Difference(
            len(mine.keys() & theirs.keys()),
            tuple(sorted(theirs.keys() - mine.keys())),
            tuple(sorted(mine.keys() - theirs.keys())),
            tuple(path for path in sorted(mine.keys() & theirs.keys()) if mine[path] != theirs[path]),
            (my_rows & their_rows).total(),
            tuple((my_rows - their_rows) + (their_rows - my_rows)),
            data_folder.failures(self._data),
            data_folder.unfinished(self._data),
        )

    @property
    def _said(self) -> Path:
        return self._data.parent / "build.txt"

    @property
    def _log(self) -> Path:
        return self._data.parent / "build.log"

    def _start_build(self) -> subprocess.Popen[bytes]:
        command = _command("build", self._local.photos, "--data", self._data, "--executor", f"dask:{ADDRESS}")
        environment = _environment(DATABASE_URL=self._url)
        with self._said.open("a") as said, self._log.open("a") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=log)


def _builder(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = _environment(**environment)
    return subprocess.run(
        _command(*arguments), cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "builder", *map(str, arguments)]


def _environment(**extra: str) -> dict[str, str]:
    """Ours without settings of the builder, and what is added."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FOUNDRY_")}
    inherited.pop("DATABASE_URL", None)
    return {**inherited, **extra}
