"""The WLS base of a luminance against scipy's sparse direct solution: seconds, memory, and how far apart they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measured_call import ROOT, THREAD_VARIABLES
from tests.benchmarks.report import Report, Settings, Value

TITLE = "WLS base (lambda 2, alpha 2) of an 8-bit luminance, BLAS and both solvers on one thread"
COLUMNS = ("megapixels", "solver", "seconds", "cpu seconds", "above inputs MiB", "largest difference")
OURS, SCIPY = "solve_weighted_laplacian", "scipy.sparse.linalg.splu"
TIME_TARGET = 0.1  # of the direct solution's, at 2 megapixels
ERROR_TARGET = 1e-4


def run(settings: Settings) -> Report:
    rows: list[tuple[Value, ...]] = []
    notes = []
    for megapixels in settings.megapixels or (2,):
        with tempfile.TemporaryDirectory() as folder:
            found = {
                name: _median_run(name, megapixels, settings.runs, Path(folder)) for name in (SCIPY, OURS)
            }
            planes = [np.load(Path(folder) / f"{name}.npy") for name in (SCIPY, OURS)]
        difference = float(np.abs(planes[0] - planes[1]).max())
        rows += [(megapixels, name, *figures, difference) for name, figures in found.items()]
        seconds, cpu, memory = (ours / scipys for ours, scipys in zip(found[OURS], found[SCIPY], strict=True))
        reached = seconds <= TIME_TARGET and difference <= ERROR_TARGET
        notes.append(
            f"{megapixels} MP: {seconds:.3f} of the time, {cpu:.3f} of the CPU time, {memory:.3f} of the memory, "
            f"{difference:.1e} apart "
            f"(target {TIME_TARGET:g} and {ERROR_TARGET:g}: {'reached' if reached else 'MISSED'})"
        )
    return Report(TITLE, COLUMNS, tuple(rows), tuple(notes))


def _median_run(solver: str, megapixels: int, runs: int, folder: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and MiB; each run in a process of its own, scipy's only once: it is slow."""
    command = [sys.executable, "-m", __name__, solver, str(megapixels), str(folder / f"{solver}.npy")]
    one_thread = dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, "1")  # read when BLAS is loaded
    found = [
        json.loads(
            subprocess.run(command, cwd=ROOT, env=one_thread, stdout=subprocess.PIPE, check=True).stdout
        )
        for _ in range(runs if solver == OURS else 1)
    ]
    seconds, cpu, memory = (median(run[i] for run in found) for i in range(3))
    return seconds, cpu, memory


def luminance(megapixels: int) -> NDArray[np.float64]:
    """A smooth scene with edges at all scales, shadows of few levels and noise: 3:2, rounded to 8 bits, largest 1."""
    generator = np.random.default_rng(2018)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    rows, columns = np.mgrid[:height, : round(1.5 * height)] / height
    scene = 0.3 + 0.25 * np.sin(5 * rows) * np.cos(4 * columns)
    for _ in range(400):
        top, left = generator.uniform(-0.1, 1), generator.uniform(-0.1, 1.5)
        tall, wide = generator.exponential(0.08, 2)
        box = (slice(*_span(top, tall, height, height)), slice(*_span(left, wide, height, scene.shape[1])))
        scene[box] *= generator.uniform(0.2, 1.8)
    noisy = scene + generator.normal(0, 0.004 + 0.01 * np.sqrt(np.abs(scene)))
    gray = np.rint(255 * np.clip(noisy, 0, 1))
    return gray / gray.max()


def _span(first: float, length: float, scale: int, end: int) -> tuple[int, int]:
    start = min(max(round(first * scale), 0), end)
    return start, min(max(round((first + length) * scale), start), end)


def _solve(solver: str, plane: NDArray[np.float64]) -> NDArray[np.float64]:
    from fusion_algos.weighted_least_squares import smoothed

    return smoothed(plane, amount=2, alpha=2) if solver == OURS else _direct(plane)


def _direct(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """SuperLU as it is best for symmetric matrices: minimum degree on A'+A, no pivoting."""
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import splu

    logarithm = np.log(plane + 2.0**-52)
    number = np.arange(plane.size).reshape(plane.shape)
    p = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    q = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    a = 2 / ((logarithm.ravel()[p] - logarithm.ravel()[q]) ** 2 + 1e-4)
    edges = coo_array((-a, (p, q)), shape=(plane.size,) * 2)
    matrix = edges + edges.T
    matrix = (matrix + diags_array(1 - matrix.sum(axis=0))).tocsc()
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})
    return factors.solve(plane.ravel()).reshape(plane.shape)


def _measure(solver: str, megapixels: int, output: str) -> tuple[float, float, float]:
    from tests.benchmarks.measured_call import memory_mib, reset_peak

    plane = luminance(megapixels)
    _solve(solver, plane[:64, :96].copy())  # compiles
    before = memory_mib("VmRSS")
    reset_peak()
    start, cpu_start = time.perf_counter(), time.process_time()
    base = _solve(solver, plane)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    above = memory_mib("VmHWM") - before
    np.save(output, base)
    return seconds, cpu, above


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
