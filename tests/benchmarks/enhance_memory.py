"""`python -m trainer enhance` on a large JPEG, CPU: peak memory and time of the whole program for each network."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from builder.images import encode_jpeg
from tests.benchmarks.measured_process import ProcessMeasurement, measure_process
from tests.benchmarks.report import Report, Settings, Value

TITLE = "python -m trainer enhance: one JPEG in, one out, untrained networks, on CPU"
COLUMNS = ("megapixels", "network", "seconds", "cpu seconds", "peak MiB", "MiB above imports, input, output")
NETWORKS = ("lutgrid", "gain_unet", "sice_per_pixel", "sice_two_stage")
LIMIT = 4096  # MiB for 24 megapixels
AS_TRAINED = {"data": {"resize": "short_side", "short_side": 512}}  # as the presets of our networks say
LEAST_ABOVE = 300  # MiB, aim of our own networks


def run(settings: Settings) -> Report:
    rows: list[tuple[Value, ...]] = []
    imports = measure_process([sys.executable, "-c", "import trainer.commands.enhance"]).peak
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in settings.megapixels or (24,):
            photo = _photo(Path(folder), megapixels)
            for name in NETWORKS:
                found = _enhanced(Path(folder), name, photo)
                above = found.peak - imports - 2 * 3 * megapixels * 1e6 / 2**20
                rows.append((megapixels, name, found.seconds, found.cpu_seconds, found.peak, above))
    largest = max(row[4] for row in rows)
    notes = (
        f"imports alone: {imports:.0f} MiB; largest peak {largest:.0f} of {LIMIT} MiB allowed for 24 megapixels",
        f"aim of lutgrid and gain_unet: {LEAST_ABOVE} MiB above imports, input and output",
        "the times of sice_per_pixel and sice_two_stage hold that of the WLS base of the whole photograph",
    )
    return Report(TITLE, COLUMNS, tuple(rows), notes)


def _photo(folder: Path, megapixels: int) -> Path:
    """A 3:2 landscape of smooth colours and noise."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(1.5 * height)
    generator = np.random.default_rng(24)
    pixels = np.empty((height, width, 3), np.uint8)
    across = np.linspace(0, 3, width)[:, None] + np.arange(3)
    for row in range(height):
        light = 40 + 30 * np.sin(across + row / 500)
        pixels[row] = np.clip(light + generator.normal(0, 4, (width, 3)), 0, 255)
    path = folder / f"{megapixels}.jpg"
    path.write_bytes(encode_jpeg(pixels))
    return path


def _enhanced(folder: Path, network: str, photo: Path) -> ProcessMeasurement:
    from trainer.checkpoint import save_weights
    from trainer.networks import make_network

    run_folder = folder / network
    if not run_folder.exists():
        weights = make_network(network, {}).state_dict()
        save_weights(run_folder, network, {}, weights, "untrained, for the benchmark", AS_TRAINED)
    output = folder / f"{network}-{photo.stem}"
    command = [sys.executable, "-m", "trainer", "enhance", str(run_folder), str(photo), "--device", "cpu"]
    return measure_process([*command, "--output", str(output), "--overwrite"])
