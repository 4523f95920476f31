"""CPU seconds per megapixel of each network as `enhance` runs it, WLS base and tiles included, one thread, one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measured_call import ROOT, THREAD_VARIABLES
from tests.benchmarks.report import Report, Settings, Value

TITLE = (
    "Enhancing a picture in memory on the CPU, one thread, WLS base and tiles included (untrained weights)"
)
COLUMNS = ("megapixels", "network", "cpu s per MP", "times as fast as sice_two_stage", "as sice_per_pixel")
NETWORKS = ("lutgrid", "gain_unet", "sice_per_pixel", "sice_two_stage")
TARGETS = {"sice_two_stage": 20.0, "sice_per_pixel": 5.0}


def run(settings: Settings) -> Report:
    rows: list[tuple[Value, ...]] = []
    notes = []
    for megapixels in settings.megapixels or (2,):
        found = _measured_alone(megapixels, settings.runs)
        ratios = {name: {other: found[other] / found[name] for other in TARGETS} for name in NETWORKS}
        rows += [(megapixels, name, found[name], *ratios[name].values()) for name in NETWORKS]
        reached = [
            name
            for name in NETWORKS[:2]
            if all(ratios[name][other] >= least for other, least in TARGETS.items())
        ]
        notes.append(
            f"{megapixels} MP: at least {TARGETS['sice_two_stage']:g} and {TARGETS['sice_per_pixel']:g} times as fast: "
            f"{', '.join(reached) or 'none'}"
        )
    return Report(TITLE, COLUMNS, tuple(rows), tuple(notes))


def _measured_alone(megapixels: int, runs: int) -> dict[str, float]:
    """CPU seconds per megapixel by network, from a process whose libraries have one thread."""
    command = [sys.executable, "-m", __name__, str(megapixels), str(runs)]
    one_thread = dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, "1")  # read when BLAS is loaded
    done = subprocess.run(command, cwd=ROOT, env=one_thread, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def _measure(megapixels: int, runs: int) -> dict[str, float]:
    """In turns, so that a slow minute of the machine falls on all of them; the median of each counts."""
    import torch

    torch.set_num_threads(1)
    picture = _picture(megapixels)
    enhancers = {name: _enhancer(name) for name in NETWORKS}
    for enhancer in enhancers.values():
        enhancer.enhance(picture[:256, :256])  # compiles, and finds its tile
    seconds: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for _ in range(runs):
        for name, enhancer in enhancers.items():
            start = time.process_time()
            enhancer.enhance(picture)
            seconds[name].append(time.process_time() - start)
    return {
        name: median(found) / (picture.shape[0] * picture.shape[1] / 1e6) for name, found in seconds.items()
    }


def _enhancer(network: str):  # type: ignore[no-untyped-def]
    import tempfile
    from pathlib import Path

    from trainer.checkpoint import save_weights
    from trainer.enhancement.enhancer import load_enhancer
    from trainer.networks import make_network

    with tempfile.TemporaryDirectory() as folder:
        run_folder = Path(folder) / network
        save_weights(
            run_folder, network, {}, make_network(network, {}).state_dict(), "untrained, for the benchmark"
        )
        return load_enhancer(run_folder, device="cpu")


def _picture(megapixels: int) -> NDArray[np.uint8]:
    """A 3:2 landscape of smooth colours, edges and noise."""
    from tests.benchmarks.weighted_least_squares import luminance

    plane = luminance(megapixels)
    tint = np.array([1.0, 0.85, 0.7])
    return np.rint(255 * plane[..., None] * tint).astype(np.uint8)


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]))))
