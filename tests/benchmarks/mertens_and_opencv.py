"""mertens2009 against OpenCV's MergeMertens on 7 exposures: seconds of the call, memory of the process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.measured_call import OPENCV, Measurement, measure
from tests.benchmarks.report import Report, Settings, Value

OURS = "mertens2009"
SPEED_TARGET = 2.5  # times as fast, all cores
MEMORY_TARGET = 0.55  # of the peak memory, inputs included
COLUMNS = (
    "megapixels",
    "program",
    "threads",
    "seconds",
    "fastest",
    "slowest",
    "cpu seconds",
    "peak MiB",
    "above inputs MiB",
)


def run(settings: Settings) -> Report:
    rows: list[tuple[Value, ...]] = []
    notes: list[str] = []
    for megapixels in settings.megapixels or (12, 24):
        for threads in (None, 1):
            runs: dict[str, list[Measurement]] = {OURS: [], OPENCV: []}
            for _ in range(settings.runs):  # in turn, so that a busy minute of the machine meets both
                for program, measurements in runs.items():
                    measurements.append(measure(program, megapixels, threads=threads))
            rows += [_row(megapixels, threads, program, found) for program, found in runs.items()]
            notes.append(_verdict(megapixels, threads, runs[OURS], runs[OPENCV]))
    return Report(
        "mertens2009 and OpenCV's MergeMertens, 7 exposures in uint8",
        COLUMNS,
        tuple(rows),
        (*notes, *_compile_notes()),
    )


def _row(megapixels: int, threads: int | None, program: str, runs: list[Measurement]) -> tuple[Value, ...]:
    seconds = [run.seconds for run in runs]
    return (
        megapixels,
        program,
        threads or "all",
        median(seconds),
        min(seconds),
        max(seconds),
        median(run.cpu_seconds for run in runs),
        median(run.peak for run in runs),
        median(run.above_inputs for run in runs),
    )


def _verdict(megapixels: int, threads: int | None, ours: list[Measurement], opencv: list[Measurement]) -> str:
    speed = median(run.seconds for run in opencv) / median(run.seconds for run in ours)
    memory = median(run.peak for run in ours) / median(run.peak for run in opencv)
    found = (
        f"{megapixels} MP, threads {threads or 'all'}: {speed:.2f} x as fast with {memory:.2f} of the memory"
    )
    if threads is not None:
        return found
    reached = speed >= SPEED_TARGET and memory <= MEMORY_TARGET
    return f"{found} (target {SPEED_TARGET} and {MEMORY_TARGET}: {'reached' if reached else 'MISSED'})"


def _compile_notes() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        for state in ("nothing compiled yet", "compiled by an earlier process"):
            first = measure(OURS, 1, cache=Path(folder)).first_seconds
            yield f"first call of a process, tiny stack, {state}: {first:.2f} s"
