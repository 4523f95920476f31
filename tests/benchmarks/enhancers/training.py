"""Trains each preset with each seed on the same dataset, for the same number of steps of the same crops."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OURS = ("lutgrid", "gain_unet")
SICE = ("sice_two_stage_corrected", "sice_per_pixel_corrected")
PRESETS = (*OURS, *SICE)


@dataclass(frozen=True)
class Budget:
    """What every network gets."""

    steps: int
    crop: int
    batch: int = 8

    def assignments(self) -> tuple[str, ...]:
        """For --set: short runs need a short warm-up, and averages over fewer steps."""
        return (
            f"optimization.steps={self.steps}",
            f"optimization.batch={self.batch}",
            f"optimization.warmup={self.steps // 20}",
            "optimization.ema=0.99",
            f"data.crop={self.crop}",
            "data.short_side=256",
            "run.workers=0",
            "run.precision=bfloat16",
            f"run.validate_every={self.steps}",
            f"run.checkpoint_every={max(self.steps // 4, 1)}",
            "run.strips=0",
        )


@dataclass(frozen=True)
class Run:
    """One training: its folder's name is its row in the tables."""

    preset: str
    seed: int
    rate: float | None = None  # None: the preset's own

    @property
    def name(self) -> str:
        """Preset, seed, and the rate where it is another than the preset's."""
        return f"{self.preset}-{self.seed}" + (f"-rate{self.rate:g}" if self.rate else "")


def runs_of(presets: Sequence[str], seeds: int, rates: dict[str, float]) -> Iterator[Run]:
    """Seed by seed, so that a comparison broken off has all presets of the first seeds."""
    for seed in range(1, seeds + 1):
        for preset in presets:
            yield Run(preset, seed, rates.get(preset))


def train(dataset: Path, run: Run, budget: Budget, folder: Path) -> Path:
    """The run's folder; a finished run returns at once, a broken one goes on."""
    output = folder / run.name
    assignments = [*budget.assignments(), f"run.seed={run.seed}", "run.threads=1"]
    if run.rate is not None:
        assignments.append(f"optimization.rate={run.rate:g}")
    command = [
        sys.executable,
        "-m",
        "trainer",
        "train",
        str(dataset),
        "--preset",
        run.preset,
        "--output",
        str(output),
    ]
    for assignment in assignments:
        command += ["--set", assignment]
    log = folder / f"{run.name}.log"
    with log.open("ab") as said:
        if subprocess.run(command, cwd=ROOT, stdout=said, stderr=said).returncode:
            raise RuntimeError(f"{run.name} failed:\n{log.read_text()[-2000:]}")
    return output
