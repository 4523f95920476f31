"""mertens2009 against enfuse as whole programs: TIFF files in, TIFF file out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.bracket import render_once
from tests.benchmarks.measured_process import ROOT, ProcessMeasurement, measure_process
from tests.benchmarks.report import Report, Settings, Value

TITLE = "mertens2009 and enfuse as whole programs, 7 uncompressed 8-bit TIFF files in, one out"
COLUMNS = ("megapixels", "program", "seconds", "cpu seconds", "peak MiB")
OURS, ENFUSE = "mertens2009", "enfuse"


def run(settings: Settings) -> Report:
    if shutil.which(ENFUSE) is None:
        return Report(TITLE, COLUMNS, (), ("enfuse not found: skipped (Debian's package is called enfuse)",))
    rows: list[tuple[Value, ...]] = []
    notes = []
    for megapixels in settings.megapixels or (12, 24):
        with tempfile.TemporaryDirectory() as folder:
            found = _measured(Path(folder), megapixels, settings.runs)
        rows += [(megapixels, program, *figures) for program, figures in found.items()]
        seconds, _, peak = (b / a for a, b in zip(found[OURS], found[ENFUSE], strict=True))
        notes.append(f"{megapixels} MP: {seconds:.2f} x as fast with {1 / peak:.2f} of the memory")
    return Report(TITLE, COLUMNS, tuple(rows), tuple(notes))


def _measured(folder: Path, megapixels: int, runs: int) -> dict[str, tuple[float, float, float]]:
    render_once()
    files_module = "tests.benchmarks.fused_files"
    make = [sys.executable, "-m", files_module, "bracket", str(folder), str(megapixels)]
    subprocess.run(make, cwd=ROOT, check=True)
    inputs = [str(path) for path in sorted(folder.glob("*.tif"))]
    commands = {
        OURS: [sys.executable, "-m", files_module, "fuse", str(folder / "ours.tiff"), *inputs],
        ENFUSE: [ENFUSE, "--verbose=0", "--compression=none", f"--output={folder / 'enfuse.tiff'}", *inputs],
    }
    measured: dict[str, list[ProcessMeasurement]] = {program: [] for program in commands}
    for _ in range(runs):
        for program, command in commands.items():
            measured[program].append(measure_process(command))
    return {program: _medians(found) for program, found in measured.items()}


def _medians(found: list[ProcessMeasurement]) -> tuple[float, float, float]:
    return (
        median(run.seconds for run in found),
        median(run.cpu_seconds for run in found),
        median(run.peak for run in found),
    )
