"""Real servers for tests: gunicorn that can be shot at, and a PostgreSQL of its own."""

from __future__ import annotations

import http.client
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


class NotHere(RuntimeError):
    """This machine lacks a server program; the message names it."""


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Gunicorn:
    """One gunicorn on loopback; `environment` is added to this process's own."""

    factory: str
    environment: Mapping[str, str]
    log: Path
    workers: int = 4
    threads: int = 4
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = f"python:{self.factory.partition(':')[0]}"
        command = [
            sys.executable, "-m", "gunicorn", self.factory, "--config", config, "--bind", f"127.0.0.1:{self.port}",
            "--workers", str(self.workers), "--threads", str(self.threads), "--worker-class", "gthread",
            "--keep-alive", "30", "--worker-tmp-dir", "/dev/shm", "--log-level", "warning",
        ]  # fmt: skip
        path = {"PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **path, **self.environment}, stdout=log, stderr=log
            )
        self._wait_until_ready(60.0)

    def kill_worker(self, dice: random.Random) -> None:
        """SIGKILL to one worker."""
        workers = self._workers()
        if workers:
            dice.choice(workers).kill()

    def kill(self) -> None:
        """SIGKILL to the master and all workers."""
        workers = self._workers()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers, timeout=10)

    def _workers(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            return psutil.Process(self._process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def _wait_until_ready(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._answers():
                return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"gunicorn did not start:\n{self.log.read_text()[-2000:]}")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL that ends with the block. Raises NotHere without Debian's server."""
    found = sorted(DEBIAN_POSTGRES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise NotHere(f"PostgreSQL not found in {DEBIAN_POSTGRES}: install Debian's postgresql to run this")
    programs = found[-1].parent
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="study-postgres-"))
    if owner:
        shutil.chown(folder, owner, owner)
    port = free_port()

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments], check=True, user=owner, group=owner, cwd=folder,
            stdout=subprocess.DEVNULL, extra_groups=[] if owner else None,
        )  # fmt: skip

    try:
        run("initdb", "--pgdata", str(folder / "data"), "--auth", "trust", "--username", "study")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        log = str(folder / "log")
        run("pg_ctl", "--pgdata", str(folder / "data"), "--options", options, "--log", log, "--wait", "start")
        try:
            yield f"postgresql+psycopg://study@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "--pgdata", str(folder / "data"), "--mode", "fast", "--wait", "stop")
    finally:
        shutil.rmtree(folder)
