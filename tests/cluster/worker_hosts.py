"""A dask scheduler here and one worker of one thread on each host, as people start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from distributed import Client

from tests.cluster.network import HEAD_ADDRESS, Host
from tests.study_app.servers import ROOT

PORT = 8786
ADDRESS = f"tcp://{HEAD_ADDRESS}:{PORT}"
LOOK_EVERY_SECONDS = 0.1
TCP_TIMEOUT = "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP"


class TooLate(RuntimeError):
    """Something that has to happen did not; the message says what."""


def wait_until(happened: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait for it; returns the seconds that it took. TooLate after `seconds`."""
    begin = time.monotonic()
    while not happened():
        if time.monotonic() - begin > seconds:
            raise TooLate(f"{what}: not within {seconds:.0f} s")
        time.sleep(LOOK_EVERY_SECONDS)
    return time.monotonic() - begin


@dataclass
class WorkerHost:
    """A host and the dask worker (with its nanny) that runs there."""

    host: Host
    folder: Path

    def start(self, *, patience: str = "") -> None:
        """Start the worker, as a service manager does after it has ended.

        `patience` is how long it waits for a silent scheduler before it ends itself ("": what dask has).
        """
        arguments = ("worker", ADDRESS, "--nthreads", 1, "--nworkers", 1, "--name", self.host.name)
        places = ("--no-dashboard", "--local-directory", self.folder)
        command = self.host.command(sys.executable, "-m", "dask", *arguments, *places)
        self.process = _start(command, self.log, **({TCP_TIMEOUT: patience} if patience else {}))

    @property
    def log(self) -> Path:
        """What the worker says."""
        return self.folder.with_suffix(".log")

    def stop_the_clock(self) -> None:
        """Halt all its processes where they stand: a virtual machine that is moved, a lid that is closed."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let its processes go on where they were."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def has_ended(self) -> bool:
        """Whether no process of the worker runs any more."""
        return not _group(self.process)

    def kill(self) -> None:
        """End it."""
        for process in _group(self.process):
            process.kill()


def _group(leader: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The living processes of a process group; its leader may have ended."""
    leader.poll()
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            is_member = os.getpgid(process.pid) == leader.pid
        except ProcessLookupError:
            continue
        if is_member and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _start(command: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )


@contextmanager
def running_cluster(
    hosts: tuple[Host, ...], folder: Path, *, patience: str
) -> Iterator[tuple[Client, tuple[WorkerHost, ...]]]:
    """A client of the scheduler and the hosts' workers, all of them connected; they end with the block."""
    arguments = ("scheduler", "--host", HEAD_ADDRESS, "--port", str(PORT), "--no-dashboard")
    workers = tuple(WorkerHost(host, folder / host.name) for host in hosts)
    with ExitStack() as at_the_end:
        scheduler = _start([sys.executable, "-m", "dask", *arguments], folder / "scheduler.log")
        at_the_end.callback(scheduler.wait)
        at_the_end.callback(scheduler.kill)
        for worker in workers:
            worker.start(patience=patience)
            at_the_end.callback(worker.kill)
        with Client(ADDRESS, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(len(workers), timeout=120)
            yield client, workers


def connected(client: Client) -> set[str]:
    """Addresses of the hosts whose workers the scheduler has now."""
    return {address.removeprefix("tcp://").rpartition(":")[0] for address in client.nthreads()}
