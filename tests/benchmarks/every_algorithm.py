"""Each algorithm on one thread, as a worker of the builder runs it: seconds per megapixel and memory."""

from __future__ import annotations

from statistics import median

from fusion_algos import ALGORITHMS
from tests.benchmarks.bracket import EXPOSURES
from tests.benchmarks.measured_call import measure
from tests.benchmarks.report import Report, Settings, Value

COLUMNS = (
    "algorithm",
    "megapixels",
    "seconds",
    "cpu seconds",
    "seconds per MP",
    "peak MiB",
    "above inputs MiB",
    "first call s",
)


def run(settings: Settings) -> Report:
    sizes = settings.megapixels or (12,)
    rows = [_row(name, megapixels, settings.runs) for megapixels in sizes for name in ALGORITHMS]
    return Report(f"Each algorithm, {EXPOSURES} exposures in uint8, one thread", COLUMNS, tuple(rows))


def _row(name: str, megapixels: int, runs: int) -> tuple[Value, ...]:
    found = [measure(name, megapixels, threads=1) for _ in range(runs)]
    seconds = median(run.seconds for run in found)
    return (
        name,
        megapixels,
        seconds,
        median(run.cpu_seconds for run in found),
        seconds / megapixels,
        median(run.peak for run in found),
        median(run.above_inputs for run in found),
        max(run.first_seconds for run in found),
    )
