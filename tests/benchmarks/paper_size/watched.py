"""A program and the workers that it starts: seconds, CPU seconds, and the memory of each kind of process."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
EVERY = 0.2  # seconds between two looks
MIB = 1 << 20


@dataclass(frozen=True)
class Watched:
    """`parent` and `worker`: most resident MiB of the program itself, and of any one process that it started."""

    seconds: float
    cpu_seconds: float  # of all of them, up to the last look at each
    parent: float
    worker: float


def watch(*arguments: object, log: Path) -> Watched:
    """Run `python -m ARGUMENTS`; what it says goes to `log`. Raises RuntimeError with its end where it fails."""
    command = [sys.executable, "-m", *(str(argument) for argument in arguments)]
    start = time.perf_counter()
    with log.open("ab") as output, psutil.Popen(command, cwd=ROOT, stdout=output, stderr=output) as program:
        spent: dict[tuple[int, float], float] = {}
        parent = worker = 0.0
        while program.poll() is None:
            parent = max(parent, *_looked_at([program], spent), 0.0)
            worker = max(worker, *_looked_at(_started_by(program), spent), 0.0)
            time.sleep(EVERY)
    seconds = time.perf_counter() - start
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {program.returncode}\n{log.read_text()[-2000:]}")
    return Watched(seconds, sum(spent.values()), parent / MIB, worker / MIB)


def _started_by(program: psutil.Process) -> list[psutil.Process]:
    try:
        return list(program.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _looked_at(processes: Sequence[psutil.Process], spent: dict[tuple[int, float], float]) -> list[float]:
    """Resident bytes of each that is still there; their CPU seconds go into `spent`."""
    resident = [0.0]
    for process in processes:
        try:
            times = process.cpu_times()
            spent[process.pid, process.create_time()] = times.user + times.system
            resident.append(float(process.memory_info().rss))
        except psutil.NoSuchProcess:
            continue
    return resident
