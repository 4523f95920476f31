"""Runs many tasks so that a bad one costs itself only: exception, dead worker, timeout, want of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from builder.execution.executor import ExecutorSpec, SerialExecutor, WorkerExecutor, make_executor
from builder.execution.ledger import Failure, Ledger
from builder.execution.resources import memory_cap, memory_per_worker, one_thread
from builder.execution.step import Step

T = TypeVar("T")
R = TypeVar("R")

WHOLE_TASK = (
    "task"  # the step that encloses the function; it takes the blame for what happens between its own steps
)
UNBEGUN_ATTEMPTS = 3


def run_tasks(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    spec: ExecutorSpec,
    ledger: Ledger,
    name: Callable[[T], str],
    on_result: Callable[[T, R | Failure], None],
    memory_bytes: int | None = None,
    oversize: Callable[[T], bool] = lambda task: False,
) -> None:
    """Run `function(task)` for every task and hand each result, or the Failure in its place, to `on_result`.

    `function` and tasks must be picklable, `name(task)` (the scene) unique. Tasks are drawn as workers get
    free; each may take `memory_bytes`. A task whose worker died or timed out, or that lacked memory, is run
    again after the others, alone and with 80 % of the free memory; so are `oversize` ones. A step that killed
    its worker twice is quarantined: `Step` refuses it, and the rest of its task is done without it.
    On KeyboardInterrupt running tasks end, no other starts, and it is raised again.
    """
    run = _Run(function, spec, ledger, name, on_result, memory_bytes)
    run.side_by_side(tasks, oversize)
    run.one_by_one()


@dataclass(frozen=True)
class _Attempt(Generic[T]):
    task: T
    scene: str
    unbegun: int = 0  # times that the worker died before the task began
    alone: bool = False


@dataclass(frozen=True)
class _Job(Generic[T, R]):
    """What a worker gets."""

    function: Callable[[T], R]
    task: T
    scene: str
    ledger: Ledger
    memory_bytes: int | None


@dataclass(frozen=True)
class _Finished(Generic[R]):
    """What a worker gives: the result or a failure; never an exception, which may not survive pickling."""

    outcome: R | Failure
    short_of_memory: bool


def _run_shared(job: _Job[T, R]) -> _Finished[R] | None:
    """Run beside others; None if the task has lost a worker (dask tries again itself) and must be alone."""
    if job.ledger.charge_lost_attempt(job.scene) is not None:
        return None
    return _run(job, job.memory_bytes)


def _run_alone(job: _Job[T, R]) -> _Finished[R]:
    job.ledger.charge_lost_attempt(job.scene)
    return _run(job, memory_per_worker(1))


def _run(job: _Job[T, R], memory_bytes: int | None) -> _Finished[R]:
    step = Step(job.ledger, job.scene, WHOLE_TASK)

    def enclosed() -> R:
        with step:
            return job.function(job.task)

    with one_thread(), memory_cap(memory_bytes):
        future = SerialExecutor().submit(enclosed)
    outcome = future.result() if step.failure is None else step.failure
    return _Finished(outcome, step.short_of_memory)


class _Run(Generic[T, R]):
    """The state of one `run_tasks`: what must be run again, alone."""

    def __init__(
        self,
        function: Callable[[T], R],
        spec: ExecutorSpec,
        ledger: Ledger,
        name: Callable[[T], str],
        on_result: Callable[[T, R | Failure], None],
        memory_bytes: int | None,
    ) -> None:
        self._function = function
        self._spec = spec
        self._ledger = ledger
        self._name = name
        self._on_result = on_result
        self._memory_bytes = memory_bytes
        self._again: list[_Attempt[T]] = []

    def side_by_side(self, tasks: Iterable[T], oversize: Callable[[T], bool]) -> None:
        """Run all tasks but the oversize ones; what needs another attempt is kept for `one_by_one`."""
        with _opened(self._spec) as executor:
            self._drain(
                executor, self._first_attempts(tasks, oversize), _run_shared, lambda: executor.in_flight
            )

    def one_by_one(self) -> None:
        """Run what was kept until nothing is left; each step can be charged twice only, so this ends."""
        while self._again:
            attempts, self._again = self._again, []
            with _opened(self._spec.alone()) as executor:
                self._drain(executor, iter(attempts), _run_alone, lambda: 1)

    def _first_attempts(self, tasks: Iterable[T], oversize: Callable[[T], bool]) -> Iterator[_Attempt[T]]:
        for task in tasks:
            scene = self._name(task)
            self._ledger.forget_interrupted(scene)
            if oversize(task):
                self._again.append(_Attempt(task, scene, alone=True))
            else:
                yield _Attempt(task, scene)

    def _drain(
        self,
        executor: WorkerExecutor,
        attempts: Iterator[_Attempt[T]],
        run: Callable[[_Job[T, R]], _Finished[R] | None],
        room: Callable[[], int],
    ) -> None:
        pending: dict[Future[_Finished[R] | None], _Attempt[T]] = {}
        while True:
            for attempt in islice(attempts, max(0, room() - len(pending))):
                job = _Job(self._function, attempt.task, attempt.scene, self._ledger, self._memory_bytes)
                pending[executor.submit(run, job)] = attempt
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                self._settle(pending.pop(future), future, executor.death)

    def _settle(
        self, attempt: _Attempt[T], future: Future[_Finished[R] | None], death: type[BaseException] | None
    ) -> None:
        if future.cancelled():
            raise ConnectionError(
                f"the scheduler of {self._spec} was lost; the same command resumes the rest"
            )
        error = future.exception()
        if death is not None and isinstance(error, death):
            self._settle_death(attempt)
        elif error is not None:
            # Not the function's own: task or result cannot be pickled, or the ledger cannot be written.
            self._on_result(attempt.task, self._ledger.record_error(attempt.scene, WHOLE_TASK, error))
        else:
            self._settle_finished(attempt, future.result())

    def _settle_finished(self, attempt: _Attempt[T], finished: _Finished[R] | None) -> None:
        if finished is None or (finished.short_of_memory and not attempt.alone):
            self._again.append(replace(attempt, alone=True))
        else:
            self._on_result(attempt.task, finished.outcome)

    def _settle_death(self, attempt: _Attempt[T]) -> None:
        if self._ledger.charge_death(attempt.scene) is not None:
            # Even at the second kill: the rest of the task is done without that step.
            self._again.append(replace(attempt, alone=True))
        elif attempt.unbegun + 1 < UNBEGUN_ATTEMPTS:
            self._again.append(replace(attempt, alone=True, unbegun=attempt.unbegun + 1))
        else:
            reason = f"the worker died {UNBEGUN_ATTEMPTS} times before the task began; see its own output"
            self._on_result(attempt.task, self._ledger.record_kill(attempt.scene, WHOLE_TASK, reason))


@contextmanager
def _opened(spec: ExecutorSpec) -> Iterator[WorkerExecutor]:
    executor = make_executor(spec)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
