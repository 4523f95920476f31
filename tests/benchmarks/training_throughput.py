"""Training of sice_two_stage at full width in bfloat16 by the command's own loop: Mpx/s, waiting for data, MFU."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Report, Settings, Value

TITLE = "Training sice_two_stage at full width, bfloat16, 320 px crops from cached frames (python -m trainer train)"
COLUMNS = ("device", "batch", "Mpx/s", "waiting for data %", "MFU %", "matrix TFLOP/s", "peak MiB")
BATCHES = (40, 80)
STEPS, LAP = 100, 10
SIZE = (960, 640)  # of the simulated frames


def run(settings: Settings) -> Report:
    """One row for each batch size; `settings` change nothing here. PyTorch is imported only now: it takes seconds."""
    import torch

    if not torch.cuda.is_available():
        return Report(TITLE, COLUMNS, (), ("not available: PyTorch finds no GPU on this machine",))
    with tempfile.TemporaryDirectory() as folder:
        rows = tuple(_row(Path(folder), batch) for batch in BATCHES)
    notes = (
        f"Mpx/s, waiting and MFU: median of {LAP}-step laps, the first left out. MFU: three times the forward "
        "convolutions over a bfloat16 matrix product of side 8192 (median of 50) in the same process.",
        f"torch {torch.__version__}, CUDA {torch.version.cuda}",
    )
    return Report(TITLE, COLUMNS, rows, notes)


def _row(folder: Path, batch: int) -> tuple[Value, ...]:
    import torch

    from trainer.commands.train import Request, run_train

    dataset = folder / "dataset"
    if not dataset.exists():
        _write_dataset(dataset)
    output = folder / f"run-{batch}"
    outcome = run_train(_training_settings(batch), Request(dataset, output, folder / "cache"))
    laps = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    laps = [one for one in laps if "mpx_s" in one][1:]
    assert outcome.arithmetic is not None
    return (
        torch.cuda.get_device_name(),
        batch,
        _median(laps, "mpx_s"),
        100 * _median(laps, "data_wait"),
        100 * _median(laps, "mfu"),
        outcome.arithmetic.matrix_flops_per_second / 1e12,
        max(int(one["memory_mib"]) for one in laps),
    )


def _training_settings(batch: int) -> Any:
    from trainer.settings import load_settings

    workers = max(1, min(16, len(os.sched_getaffinity(0)) - 1))
    changes = {
        "optimization.batch": batch, "optimization.steps": STEPS, "optimization.warmup": LAP,
        "run.log_every": LAP, "run.validate_every": STEPS, "run.checkpoint_every": STEPS, "run.strips": 0,
        "run.precision": "bfloat16", "run.workers": workers, "data.crop": 320, "data.short_side": min(SIZE),
    }  # fmt: skip
    return load_settings(
        "sice_two_stage_corrected", None, {}, [f"{key}={value}" for key, value in changes.items()]
    )


def _write_dataset(folder: Path) -> None:
    """Some scenes of noise: what the pictures show does not change the time."""
    from tests.trainer.exported_dataset import TinyScene, write_dataset

    train = [TinyScene(f"scene{number}", size=SIZE) for number in range(4)]
    write_dataset(folder, [*train, TinyScene("kept", "val", size=SIZE)])


def _median(laps: list[dict[str, Any]], name: str) -> float:
    return statistics.median(one[name] for one in laps)
