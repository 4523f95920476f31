"""Where tasks run: in this process, in worker processes of this machine, or on a dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import wait as wait_for_connections
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from builder.execution.resources import THREAD_VARIABLES, core_count, worker_count

P = ParamSpec("P")
R = TypeVar("R")

# A worker is replaced after so many tasks, against memory that libraries never give back; but no sooner than
# after so many seconds, since a new one costs a second of start-up.
TASKS_PER_WORKER = 8
SECONDS_PER_WORKER = 60.0
CONNECT_TIMEOUT = "10s"
CHOICES = "serial, local, local:N (N processes), dask:tcp://HOST:PORT"


@dataclass(frozen=True)
class ExecutorSpec:
    """Which executor: its kind, the number of local workers (None: one per core) or dask's address."""

    kind: Literal["serial", "local", "dask"]
    workers: int | None = None
    address: str | None = None

    @classmethod
    def parse(cls, text: str) -> ExecutorSpec:
        """Read `serial`, `local`, `local:4` or `dask:tcp://127.0.0.1:8786`; ValueError for anything else."""
        if text in ("serial", "local"):
            return cls("serial" if text == "serial" else "local")
        local = re.fullmatch(r"local:([1-9]\d{0,3})", text, re.ASCII)
        if local:
            return cls("local", workers=int(local[1]))
        dask = re.fullmatch(r"dask:((?:tcp|tls)://(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5})", text, re.ASCII)
        if dask:
            return cls("dask", address=dask[1])
        raise ValueError(f"executor {text!r} is not known; choose one of: {CHOICES}")

    def __str__(self) -> str:
        detail = self.address or self.workers
        return self.kind if detail is None else f"{self.kind}:{detail}"

    def fitted(self, frames: int, megapixels: float) -> ExecutorSpec:
        """The same with as many local workers as memory allows for such scenes, at most those asked for."""
        if self.kind != "local":
            return self
        return replace(self, workers=worker_count(frames, megapixels, cores=self.workers))

    def alone(self) -> ExecutorSpec:
        """The same with one local worker."""
        return replace(self, workers=1) if self.kind == "local" else self


class WorkerExecutor(Executor):
    """An executor that tells how many tasks keep it busy, and which exception says that a worker died."""

    death: type[BaseException] | None = None

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """Tasks to keep submitted: enough that no worker waits, so few that little is lost."""


def make_executor(spec: ExecutorSpec) -> WorkerExecutor:
    """Open the executor of a spec; its `shutdown` (or `with`) ends every process and connection it started.

    Local workers are spawned, with one thread per numerical library; they leave Ctrl-C to the parent and end
    when it dies. Raises ConnectionError where no dask scheduler answers, ModuleNotFoundError without
    `distributed`, ValueError for dask workers of several threads.
    """
    if spec.kind == "serial":
        return SerialExecutor()
    if spec.kind == "local":
        return LocalExecutor(spec.workers or core_count())
    assert spec.address is not None
    return DaskExecutor(spec.address)


class SerialExecutor(WorkerExecutor):
    """Runs each task at once, in the calling thread; a debugger sees everything."""

    _open = True

    @property
    def in_flight(self) -> int:
        """One: a submitted task is done already."""
        return 1

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run the task; the future holds its result or exception. KeyboardInterrupt and SystemExit pass."""
        if not self._open:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[R] = Future()
        with _ExceptionInto(future):
            future.set_result(fn(*args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; none is ever waiting."""
        self._open = False


class _ExceptionInto:
    """Context whose exception becomes a future's, as every Executor owes its caller."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._future.set_exception(error)
        return True


class LocalExecutor(WorkerExecutor):
    """N worker processes, each in a pool of its own.

    In one ProcessPoolExecutor of N workers a dead worker takes all running and waiting tasks with it, and
    `max_tasks_per_child` can stop the pool for ever (CPython issue 115634). A pool per worker loses only the
    task that died, and is replaced between tasks.
    """

    death = BrokenProcessPool

    def __init__(
        self,
        workers: int,
        *,
        tasks_per_worker: int = TASKS_PER_WORKER,
        seconds_per_worker: float = SECONDS_PER_WORKER,
    ) -> None:
        self._workers = workers
        self._tasks_per_worker = tasks_per_worker
        self._seconds_per_worker = seconds_per_worker
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker of")
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._open = True

    @property
    def in_flight(self) -> int:
        """Twice the workers: each has its next task at hand."""
        return 2 * self._workers

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run the task in the next free worker; BrokenProcessPool if just this one's worker dies."""
        return self._threads.submit(self._run_in_worker, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the running tasks end, then the workers."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.pool.shutdown(wait=wait)

    def _run_in_worker(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        worker = self._take()
        future = worker.pool.submit(fn, *args, **kwargs)
        wait([future])
        worker.tasks += 1
        self._give_back(worker, dead=isinstance(future.exception(), BrokenProcessPool))
        return future.result()

    def _take(self) -> _Worker:
        with self._lock:
            return self._idle.pop() if self._idle else _spawn_worker()

    def _give_back(self, worker: _Worker, *, dead: bool) -> None:
        age = time.monotonic() - worker.born
        worn = worker.tasks >= self._tasks_per_worker and age >= self._seconds_per_worker
        with self._lock:
            if self._open and not worn and not dead:
                self._idle.append(worker)
                return
        worker.pool.shutdown()


@dataclass
class _Worker:
    pool: ProcessPoolExecutor
    born: float
    tasks: int = 0


def _spawn_worker() -> _Worker:
    """Start a pool of one process; the caller holds a lock, since the environment is the whole process's."""
    pool = ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    with _environment(dict.fromkeys(THREAD_VARIABLES, "1")):  # the libraries read these when they are loaded
        pool.submit(os.getpid)  # the first task starts the process
    return _Worker(pool, time.monotonic())


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _prepare_worker() -> None:
    """In a new worker: leave Ctrl-C to the parent, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_connections([parent.sentinel])  # an idle worker would wait for its queue for ever
        os._exit(1)


class DaskExecutor(WorkerExecutor):
    """The one-thread workers of a running dask cluster that shares the data folder.

    A host that falls silent is given up by the scheduler, and its tasks go to others, after one to two and a
    half times `distributed.comm.timeouts.tcp` (30 s; set where the scheduler starts). What it finishes later
    changes no file.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client, KilledWorker
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"executor 'dask:{address}' needs the package distributed, which is not installed: "
                "pip install 'contrast-foundry[cluster]'"
            ) from error
        try:
            self._client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except OSError as error:
            raise ConnectionError(
                f"no dask scheduler answers at {address} within {CONNECT_TIMEOUT}; start one with "
                "`dask scheduler` and workers with `dask worker ADDRESS --nthreads 1`"
            ) from error
        self.death = KilledWorker
        self._check_threads(address)
        self._executor = self._client.get_executor(pure=False, retries=0)

    def _check_threads(self, address: str) -> None:
        for worker, threads in self._client.nthreads().items():
            if threads != 1:
                self._client.close()
                raise ValueError(
                    f"dask worker {worker} of {address} runs {threads} threads; timeouts and memory limits "
                    "hold for a whole process, so start workers with `dask worker ADDRESS --nthreads 1`"
                )

    @property
    def in_flight(self) -> int:
        """Twice the workers that are connected now."""
        return 2 * max(1, len(self._client.nthreads()))

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Send the task to the scheduler; KilledWorker if it loses several workers."""
        future: Future[R] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for what was submitted (with `cancel_futures`: leave it) and disconnect; the cluster stays."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()
