"""Settings of a training run: frozen tables from a preset, a file, FOUNDRY_* variables and --set, in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.settings_tables import chosen, limited


@dataclass(frozen=True)
class DataSettings:
    """Which crops are seen (dataset.py, frame_cache.py)."""

    resize: str = chosen("short_side", "short_side", "third", "none")
    short_side: int = limited(512, 32, 16384)
    crop: int = limited(320, 16, 4096)  # side of a training crop
    patch_stride: int = limited(0, 0, 4096)  # crops start at multiples of this; 0: anywhere
    well_ev: float = limited(0.5, 0.0, 5.0)  # |relative_ev| up to this is well exposed
    # shares of the samples: what the network sees how often; a class that the split lacks leaves its share to the others
    under: float = limited(0.45, 0.0, 1.0)
    well: float = limited(0.15, 0.0, 1.0)
    over: float = limited(0.35, 0.0, 1.0)
    itself: float = limited(0.05, 0.0, 1.0)  # the reference as input: do no harm
    augment: bool = True  # flips and quarter turns
    max_residual: float = limited(2.0, 0.0, 1000.0)  # pairs misplaced by more pixels are left out


@dataclass(frozen=True)
class OptimizationSettings:
    """How weights are found (optimization.py)."""

    optimizer: str = chosen("adamw", "adamw", "adam", "sgd", "adam_tensorflow")
    rate: float = limited(4e-4, 1e-9, 100.0)
    final_rate: float = limited(0.0, 0.0, 100.0)
    schedule: str = chosen("cosine", "cosine", "constant", "exponential")
    warmup: int = limited(1000, 0, 10**9)
    steps: int = limited(60_000, 1, 10**9)
    batch: int = limited(16, 1, 65_536)  # of all processes together
    weight_decay: float = limited(1e-4, 0.0, 10.0)
    momentum: float = limited(0.9, 0.0, 1.0)
    ema: float = limited(0.999, 0.0, 1.0)  # decay of the averaged weights; 0: none
    clip_norm: float = limited(1.0, 0.0, 1e9)  # 0: no clipping


@dataclass(frozen=True)
class RunSettings:
    """Where and how the work runs; nothing here changes what is learnt but precision and seed."""

    seed: int = limited(2018, 0, 2**31 - 1)
    device: str = chosen("auto", "auto", "cpu", "cuda")
    precision: str = chosen("float32", "float32", "bfloat16")
    channels_last: bool = True
    compile: bool = False
    threads: int = limited(0, 0, 1024)  # 0: torch's choice
    workers: int = limited(2, 0, 256)
    log_every: int = limited(50, 1, 10**9)
    validate_every: int = limited(1000, 1, 10**9)
    checkpoint_every: int = limited(1000, 1, 10**9)
    keep_every: int = limited(0, 0, 10**9)  # checkpoints at multiples of this are never removed
    strips: int = limited(4, 0, 1000)  # validation scenes drawn as pictures


@dataclass(frozen=True)
class Settings:
    """Everything that makes a run: stored beside its checkpoints."""

    network: str = "sice_two_stage"
    network_parameters: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=lambda: {"charbonnier": 1.0, "ssim_std": 0.2})
    loss_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    data: DataSettings = field(default_factory=DataSettings)
    optimization: OptimizationSettings = field(default_factory=OptimizationSettings)
    run: RunSettings = field(default_factory=RunSettings)
