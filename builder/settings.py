"""Settings of the builder: one frozen table per stage, read from TOML, `FOUNDRY_*` variables and options."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ScanSettings:
    """How camera files become sequences (stages/scan.py, grouping.py)."""

    max_megapixels: float = 250.0
    max_file_mb: float = 1024.0
    prefer: str = "raw"  # of a RAW+JPEG pair: "raw" or "jpeg"
    min_frames: int = 3
    min_span_ev: float = 1.0


@dataclass(frozen=True)
class AlignSettings:
    """How frames are brought into register (alignment.py)."""

    enabled: bool = True  # False: identity, still measured
    proxy_side: int = 1500
    identity_px: float = 0.25  # all frames within this: nothing is resampled
    min_crop_share: float = 0.80
    ghost_ev: float = 0.35
    # shares of moved blocks; measured: still scenes <= 0.004, the simulated courtyard 0.020
    static_below: float = 0.005
    dynamic_above: float = 0.015


@dataclass(frozen=True)
class Settings:
    """All tables of `project.toml`."""

    scan: ScanSettings = field(default_factory=ScanSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
