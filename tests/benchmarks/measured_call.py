"""One call of one program on one bracket, measured in a process of its own; `measure` starts that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.bracket import bracket, render_once

ROOT = Path(__file__).resolve().parents[2]
OPENCV = "cv2.createMergeMertens(1, 1, 1)"
MEF_SSIM = "mef_ssim of one image"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Measurement:
    """Memory in MiB: `peak` of the process during the call, `above_inputs` how much more than just before it.

    `first_seconds`: an earlier call on a tiny stack, with all that is compiled or loaded then.
    """

    seconds: float
    cpu_seconds: float
    peak: float
    above_inputs: float
    first_seconds: float


def measure(
    program: str, megapixels: int, *, threads: int | None = None, cache: Path | None = None
) -> Measurement:
    """Call `program` (an algorithm's name, MEF_SSIM or OPENCV) in a fresh process; numba's code is kept in `cache`.

    Raises subprocess.CalledProcessError if the process fails; what it said is on stderr.
    """
    render_once()
    environment = dict(os.environ)
    if threads is not None:
        environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", __name__, program, str(megapixels), str(threads or 0)]
    child = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return Measurement(**json.loads(child.stdout))


def _call(program: str, megapixels: int, threads: int) -> Measurement:
    import cv2
    import numpy as np

    from fusion_algos import ALGORITHMS, ExposureStack
    from fusion_algos.mef_ssim import mef_ssim

    def run(images: list[np.ndarray], seconds: list[float]) -> object:
        if program == OPENCV:
            return cv2.createMergeMertens(1, 1, 1).process(images)
        if program == MEF_SSIM:
            return mef_ssim(ExposureStack(images, seconds), images[len(images) // 2])
        return ALGORITHMS[program](ExposureStack(images, seconds))

    if threads:
        cv2.setNumThreads(threads)
    images, seconds = bracket(megapixels)
    start = time.perf_counter()
    run([image[:64, :96].copy() for image in images], seconds)
    first_seconds = time.perf_counter() - start
    before = memory_mib("VmRSS")
    reset_peak()
    start, cpu_start = time.perf_counter(), time.process_time()
    run(images, seconds)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = memory_mib("VmHWM")
    return Measurement(wall, cpu, peak, peak - before, first_seconds)


# ru_maxrss of a process also counts the one that started it, up to the start. This account of Linux does not,
# and it can be reset, so that the making of the inputs does not count.
def memory_mib(field: str) -> float:
    """VmRSS or VmHWM of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024


def reset_peak() -> None:
    """VmHWM begins again."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(asdict(_call(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
