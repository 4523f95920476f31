"""Settings of the builder: one frozen table per stage, read from TOML, `FOUNDRY_*` variables and options."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.settings_tables import (
    SettingsError,
    chosen,
    limited,
    read_toml,
    require_known,
    with_environment,
    with_values,
)

__all__ = ["Settings", "SettingsError", "load_settings"]


@dataclass(frozen=True)
class ScanSettings:
    """How camera files become sequences (stages/scan.py, grouping.py)."""

    max_megapixels: float = limited(250.0, 0.001, 10_000)
    max_file_mb: float = limited(1024.0, 0.001, 100_000)
    prefer: str = chosen("raw", "raw", "jpeg")  # which of a RAW+JPEG pair is the frame
    min_frames: int = limited(3, 2, 100)
    min_span_ev: float = limited(1.0, 0.0, 20.0)
    # between the end of a frame and the start of the next: of automatic bracketing, and of bracketing by hand
    burst_pause_s: float = limited(2.0, 0.0, 3600.0)
    hand_pause_s: float = limited(90.0, 0.0, 86_400.0)
    view_agreement: float = limited(0.4, -1.0, 1.0)  # rank correlation of thumbnails that joins such frames
    read_threads: int = limited(4, 1, 64)


@dataclass(frozen=True)
class AlignSettings:
    """How frames are brought into register (alignment.py)."""

    enabled: bool = True  # False: identity, still measured
    scale: float = limited(1.0, 0.01, 1.0)  # build from reduced frames, for a quick trial
    proxy_side: int = limited(1500, 200, 10_000)
    identity_px: float = limited(0.25, 0.0, 10.0)  # all frames within this: nothing is resampled
    min_crop_share: float = limited(0.80, 0.1, 1.0)
    ghost_ev: float = limited(1.0, 0.05, 5.0)  # content that differs by more is a ghost
    # share of the picture; still real scenes have below 0.00001 (a watermark 0.0002), walkers from 0.002
    static_below: float = limited(0.0005, 0.0, 1.0)
    dynamic_above: float = limited(0.001, 0.0, 1.0)


@dataclass(frozen=True)
class FuseSettings:
    """Which algorithms make candidates; an empty list means all of `fusion_algos.ALGORITHMS`."""

    algorithms: tuple[str, ...] = ()
    scale_windows: bool = True  # False: windows keep their published pixels, whatever the size of the photo


@dataclass(frozen=True)
class PreviewSettings:
    """What a rater's browser gets (stages/preview.py)."""

    small_side: int = limited(480, 64, 4096)
    large_side: int = limited(2048, 64, 8192)
    tile_size: int = limited(510, 64, 4096)
    quality: int = limited(95, 50, 100)
    practice_scenes: int = limited(6, 0, 10_000)  # that get damaged copies, for training and checks of raters


@dataclass(frozen=True)
class RunSettings:
    """Where and within which limits the work runs (executor.py)."""

    executor: str = "local"
    timeout_seconds: float = limited(600.0, 0.1, 86_400)  # per algorithm
    memory_gb: float | None = None  # cap of one worker; None: derived from the machine


@dataclass(frozen=True)
class ExportSettings:
    """What a published dataset says about itself (stages/export.py); `license` is required to publish."""

    license: str = ""  # e.g. "CC-BY-4.0": on which terms others may use the photographs
    title: str = "Multi-exposure photographs with reference images"
    version: str = "1.0.0"
    creator: str = ""
    contact: str = ""
    url: str = ""
    description: str = ""
    date: str = ""  # of publication, e.g. "2026-11-22"
    # These decide the splits of scenes that are not frozen yet; what is left of 1 is for training
    salt: str = "contrast-foundry"
    val_share: float = limited(0.1, 0.0, 1.0)
    test_share: float = limited(0.2, 0.0, 1.0)


@dataclass(frozen=True)
class Settings:
    """All tables of `project.toml`."""

    scan: ScanSettings = field(default_factory=ScanSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    fuse: FuseSettings = field(default_factory=FuseSettings)
    preview: PreviewSettings = field(default_factory=PreviewSettings)
    run: RunSettings = field(default_factory=RunSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    algorithms: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # [algorithms.<name>]: parameters

    def replaced(self, table: str, **values: Any) -> Settings:
        """The same settings with some values of one table changed; None values change nothing."""
        given = {key: value for key, value in values.items() if value is not None}
        return dataclasses.replace(self, **{table: dataclasses.replace(getattr(self, table), **given)})


TABLES = ("scan", "align", "fuse", "preview", "run", "export")


def load_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Defaults, then the file, then `FOUNDRY_<TABLE>_<KEY>` variables; raises SettingsError."""
    document = read_toml(path) if path is not None else {}
    where = str(path)
    require_known(document, (*TABLES, "algorithms"), where)
    for table in document:
        if not isinstance(document[table], dict):
            raise SettingsError(f"{where}: [{table}] must be a table, found {document[table]!r}")
    tables = {}
    for name in TABLES:
        table = with_values(getattr(Settings(), name), document.get(name, {}), f"{where}: [{name}]")
        tables[name] = with_environment(table, name, environment)
    return Settings(**tables, algorithms=_algorithm_parameters(document.get("algorithms", {}), where))


def _algorithm_parameters(tables: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    for name, parameters in tables.items():
        if not isinstance(parameters, dict):
            raise SettingsError(f"{where}: [algorithms.{name}] must be a table of parameters")
    return {name: dict(parameters) for name, parameters in tables.items()}
