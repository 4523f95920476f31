"""A whole program from start to end: seconds, CPU seconds and peak memory of its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ProcessMeasurement:
    """`peak` in MiB."""

    seconds: float
    cpu_seconds: float
    peak: float


def measure_process(command: list[str]) -> ProcessMeasurement:
    """Run `command`. Raises subprocess.CalledProcessError if it fails; then what it said is on stderr.

    This small process starts it, because a process's peak counts that of the one which started it.
    """
    between = [sys.executable, "-m", __name__, *command]
    child = subprocess.run(between, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return ProcessMeasurement(**json.loads(child.stdout))


def _run(command: list[str]) -> ProcessMeasurement:
    start = time.perf_counter()
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            said.seek(0)
            sys.exit(f"{said.read()}{command[0]} ended with status {os.waitstatus_to_exitcode(status)}")
    return ProcessMeasurement(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    print(json.dumps(asdict(_run(sys.argv[1:]))))
