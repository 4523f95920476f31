"""The parent of a build: which scenes have work left, who does it, and the rows that follow from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from builder.catalog import Catalog
from builder.execution.executor import ExecutorSpec
from builder.execution.ledger import Failure, Ledger
from builder.execution.resources import memory_per_worker, worker_count
from builder.execution.tasks import run_tasks
from builder.pipeline import SceneSummary, SceneTask, build_scene
from builder.plan import ScenePlan, plan_scene
from builder.record import record_scene
from builder.scene_record import SceneRecordError, read_scene, scene_names
from builder.settings import Settings
from builder.stages.damage import practice_scenes
from builder.store import StoreSnapshot

Outcome = SceneSummary | Failure
SCENES_PER_TRANSACTION = 50  # few enough to hold, enough that the disk is not asked for each


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 1) of `count`: the scenes whose name's SHA-256 leaves `index - 1`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/8`; ValueError for anything else."""
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return cls(int(index), int(count))
        raise ValueError(f"shard {text!r} is not i/n with 1 <= i <= n, e.g. 2/8")

    def takes(self, scene: str) -> bool:
        """Whether this shard works on the scene."""
        return int(hashlib.sha256(scene.encode()).hexdigest(), 16) % self.count == self.index - 1


@dataclass(frozen=True)
class Selection:
    """Which scenes a command is about; the default is all of them."""

    only: tuple[str, ...] = ()
    limit: int | None = None
    shard: Shard = Shard(1, 1)

    @classmethod
    def parse(cls, only: tuple[str, ...], limit: int | None, shard: str | None) -> Selection:
        """From options as typed; ValueError on a bad shard."""
        return cls(only, limit, Shard.parse(shard) if shard else Shard(1, 1))

    def names(self, data: Path) -> list[str]:
        """The chosen scenes by name; ValueError if `only` names one that is not there."""
        known = list(scene_names(data))
        for name in self.only:
            if name not in known:
                raise ValueError(f"no scene {name!r} in {data / 'originals'}; there are: {', '.join(known)}")
        chosen = [name for name in known if not self.only or name in self.only]
        return [name for name in chosen if self.shard.takes(name)][: self.limit]


@dataclass(frozen=True)
class BuildReport:
    """What one build did."""

    scenes: int
    up_to_date: int
    outcomes: tuple[Outcome, ...]
    broken: tuple[tuple[str, str], ...]  # scene, why its scene.json cannot be used


class ScenePlans(Mapping[str, ScenePlan]):
    """Scene -> plan, made anew whenever it is asked for: thousands of plans held at once would fill the memory."""

    def __init__(self, data: Path, settings: Settings, names: Sequence[str]) -> None:
        self.data, self.settings, self._names = data, settings, names
        self._practice = practice_scenes(list(scene_names(data)), settings.preview.practice_scenes)

    def __getitem__(self, name: str) -> ScenePlan:
        return plan_scene(read_scene(self.data, name), self.settings, is_practice=name in self._practice)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class SceneIndex:
    """The plans of the chosen scenes; scenes whose record is broken are kept apart."""

    def __init__(self, data: Path, settings: Settings, selection: Selection) -> None:
        self.broken: dict[str, str] = {}
        sound = []
        for name in selection.names(data):
            try:
                read_scene(data, name)
                sound.append(name)
            except SceneRecordError as error:
                self.broken[name] = str(error)
        self.plans = ScenePlans(data, settings, sound)


def build(
    data: Path,
    settings: Settings,
    selection: Selection,
    catalog: Catalog | None,
    on_scene: Callable[[str, Outcome | None], None],
) -> BuildReport:
    """Make what is missing of the chosen scenes; `on_scene(name, None)` for those that are done already.

    Without a catalog (shards) only the store is written, and a later build or `status` records the rows.
    """
    ledger = Ledger(data / "ledger")
    for name in selection.only:
        ledger.clear(name)  # asked for by name: another chance for what was quarantined
    index = SceneIndex(data, settings, selection)
    outcomes: list[Outcome] = []

    def record(plans: Iterable[ScenePlan], there: StoreSnapshot) -> None:
        if catalog is not None:
            with catalog.writing() as session:
                for plan in plans:
                    record_scene(session, there, plan, ledger)

    def settle(task: SceneTask, outcome: Outcome) -> None:
        outcomes.append(outcome)
        try:
            record([index.plans[task.scene]], StoreSnapshot(data))
        except SceneRecordError as error:  # somebody edited scene.json in the meantime
            index.broken[task.scene] = str(error)
        on_scene(task.scene, outcome)

    finished, unfinished = _divided(index.plans, record)
    for name in finished:
        on_scene(name, None)
    _run(settings, unfinished, ledger, settle)
    return BuildReport(
        len({*index.plans, *index.broken}), len(finished), tuple(outcomes), tuple(index.broken.items())
    )


def _divided(
    plans: ScenePlans, record: Callable[[Iterable[ScenePlan], StoreSnapshot], None]
) -> tuple[list[str], list[SceneTask]]:
    """Names of the scenes that are finished, and tasks of the others; all are recorded, some at a time."""
    finished: list[str] = []
    unfinished: list[SceneTask] = []
    planned = iter(plans.values())
    while some := list(islice(planned, SCENES_PER_TRANSACTION)):
        there = StoreSnapshot(plans.data)
        record(some, there)
        for plan in some:
            if plan.is_finished(there):
                finished.append(plan.scene.name)
            else:
                unfinished.append(_task(plans.data, plans.settings, plan))
    return finished, unfinished


def _task(data: Path, settings: Settings, plan: ScenePlan) -> SceneTask:
    scene = plan.scene
    frames = len(scene.exposures)
    return SceneTask(str(data), scene.name, settings, frames, scene.megapixels, plan.is_practice)


def _run(
    settings: Settings,
    tasks: Sequence[SceneTask],
    ledger: Ledger,
    settle: Callable[[SceneTask, Outcome], None],
) -> None:
    """Build the scenes; `settle` hears of each when it is done."""
    if not tasks:
        return
    typical = sorted(tasks, key=lambda task: task.frames * task.megapixels)[len(tasks) // 2]
    spec = ExecutorSpec.parse(settings.run.executor).fitted(typical.frames, typical.megapixels)
    workers = spec.workers or 1
    cap = int(settings.run.memory_gb * 1e9) if settings.run.memory_gb else memory_per_worker(workers)
    run_tasks(
        build_scene,
        tasks,
        spec=spec,
        ledger=ledger,
        name=lambda task: task.scene,
        on_result=settle,
        memory_bytes=cap,
        oversize=lambda task: worker_count(task.frames, task.megapixels, cores=workers) < workers,
    )
