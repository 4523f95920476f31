"""Each algorithm on one thread, as a worker of the builder runs it: seconds per megapixel and memory."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from fusion_algos import ALGORITHMS
from tests.benchmarks.bracket import EXPOSURES, render_once
from tests.benchmarks.measured_call import MEF_SSIM, OPENCV, measure
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
TOGETHER_TARGET = 16.0  # CPU seconds of all algorithms over those of one createMergeMertens
LARGEST_SHARE = 1 / 3  # of the CPU seconds of all, for any one
SCORE_TARGET = 6.0  # CPU seconds of MEF-SSIM at 12 megapixels

Row = tuple[Value, ...]


def run(settings: Settings) -> Report:
    render_once()
    sizes = settings.megapixels or (12,)
    rows, notes = [], []
    for megapixels in sizes:
        found = {name: _row(name, megapixels, settings.runs) for name in (*ALGORITHMS, MEF_SSIM, OPENCV)}
        rows += found.values()
        notes += _notes(megapixels, found)
    title = f"Each algorithm, {EXPOSURES} exposures in uint8, one thread, default parameters"
    return Report(title, COLUMNS, tuple(rows), tuple(notes))


def _row(name: str, megapixels: int, runs: int) -> Row:
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


def _notes(megapixels: int, found: dict[str, Row]) -> Iterator[str]:
    spent = {name: float(row[3] or 0.0) for name, row in found.items()}
    together = sum(spent[name] for name in ALGORITHMS)
    ratio = together / spent[OPENCV]
    slowest = max(ALGORITHMS, key=spent.__getitem__)
    share = spent[slowest] / together
    yield (
        f"{megapixels} MP: the {len(ALGORITHMS)} together {together:.1f} CPU s, {ratio:.1f} times one {OPENCV} "
        f"(target {TOGETHER_TARGET:g}: {_verdict(ratio <= TOGETHER_TARGET)})"
    )
    yield f"{megapixels} MP: {slowest} takes {share:.0%} of it (target a third: {_verdict(share <= LARGEST_SHARE)})"
    if megapixels == 12:
        reached = _verdict(spent[MEF_SSIM] <= SCORE_TARGET)
        yield f"12 MP: MEF-SSIM {spent[MEF_SSIM]:.1f} CPU s (target {SCORE_TARGET:g}: {reached})"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"
