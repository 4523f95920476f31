"""Settings of a training run: frozen tables from a preset, a file, FOUNDRY_* variables and --set, in that order."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from builder.settings_tables import (
    SettingsError,
    chosen,
    limited,
    parsed,
    read_toml,
    require_known,
    with_environment,
    with_values,
)

__all__ = [
    "DataSettings",
    "OptimizationSettings",
    "RunSettings",
    "Settings",
    "SettingsError",
    "as_document",
    "as_toml",
    "differences",
    "from_document",
    "load_settings",
    "preset_names",
]


@dataclass(frozen=True)
class DataSettings:
    """Which crops are seen (dataset/)."""

    resize: str = chosen("short_side", "short_side", "third", "none")
    short_side: int = limited(512, 32, 16384)
    crop: int = limited(320, 16, 4096)  # side of a training crop
    patch_stride: int = limited(0, 0, 4096)  # crops start at multiples of this; 0: anywhere
    well_ev: float = limited(0.5, 0.0, 5.0)  # |relative_ev| up to this is well exposed
    # shares of the samples; a class that the split lacks leaves its share to the others
    under: float = limited(0.45, 0.0, 1.0)
    well: float = limited(0.15, 0.0, 1.0)
    over: float = limited(0.35, 0.0, 1.0)
    itself: float = limited(0.05, 0.0, 1.0)  # the reference as input: do no harm
    augment: bool = True  # flips and quarter turns
    max_residual: float = limited(2.0, 0.0, 1000.0)  # pairs misplaced by more pixels are left out


@dataclass(frozen=True)
class OptimizationSettings:
    """How weights are found (training/optimization.py)."""

    optimizer: str = chosen("adamw", "adamw", "adam", "sgd", "adam_tensorflow")
    rate: float = limited(4e-4, 1e-9, 100.0)
    final_rate: float = limited(0.0, 0.0, 100.0)
    schedule: str = chosen("cosine", "cosine", "constant", "exponential")
    warmup: int = limited(1000, 0, 10**9)
    steps: int = limited(60_000, 1, 10**9)
    batch: int = limited(16, 1, 65_536)  # of all processes together
    weight_decay: float = limited(1e-4, 0.0, 10.0)
    momentum: float = limited(0.9, 0.0, 1.0)  # of sgd
    epsilon: float = limited(1e-8, 0.0, 1.0)  # of adam and its kin
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
    tensorboard: bool = False  # its log beside metrics.jsonl; needs the extra train-extras


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


TABLES = ("data", "optimization", "run")
MAPPINGS = ("network_parameters", "losses", "loss_parameters")


def preset_names() -> list[str]:
    """The presets that come with the package."""
    return sorted(
        one.name.removesuffix(".toml") for one in _presets().iterdir() if one.name.endswith(".toml")
    )


def load_settings(
    preset: str | None,
    file: Path | None,
    environment: Mapping[str, str],
    assignments: Sequence[str] = (),
    network: str | None = None,
) -> Settings:
    """Preset, then file, then `FOUNDRY_<TABLE>_<KEY>` variables, then `network` and assignments `a.b=c`."""
    settings = Settings()
    if preset is not None:
        require_known([preset], preset_names(), "--preset")
        settings = with_document(
            settings, read_toml(Path(str(_presets() / f"{preset}.toml"))), f"preset {preset}"
        )
    if file is not None:
        settings = with_document(settings, read_toml(file), str(file))
    tables = {name: with_environment(getattr(settings, name), name, environment) for name in TABLES}
    settings = dataclasses.replace(settings, **tables)
    if network is not None:
        settings = with_document(settings, {"network": network}, "--network")
    for text in assignments:
        settings = with_document(settings, _assignment(text), f"--set {text}")
    _require_consistent(settings)
    return settings


def with_document(settings: Settings, document: Mapping[str, Any], where: str) -> Settings:
    """Settings with the values of a document on top, key by key.

    Another network starts without the parameters of the one before; a loss of weight 0 is left out.
    """
    require_known(document, [one.name for one in dataclasses.fields(Settings)], where)
    for name in (*TABLES, *MAPPINGS):
        if not isinstance(document.get(name, {}), Mapping):
            raise SettingsError(f"{where}: [{name}] must be a table, found {document[name]!r}")
    network = document.get("network", settings.network)
    if not isinstance(network, str):
        raise SettingsError(f"{where}: network must be a name, found {network!r}")
    parameters = settings.network_parameters if network == settings.network else {}
    weights = {**settings.losses, **_loss_weights(document.get("losses", {}), where)}
    return Settings(
        network=network,
        network_parameters={**parameters, **document.get("network_parameters", {})},
        losses={name: weight for name, weight in weights.items() if weight != 0},
        loss_parameters=_merged(settings.loss_parameters, document.get("loss_parameters", {}), where),
        **{
            name: with_values(getattr(settings, name), document.get(name, {}), f"{where}: [{name}]")
            for name in TABLES
        },
    )


def as_document(settings: Settings) -> dict[str, Any]:
    """Plain values, as stored in checkpoints; `from_document` reads them."""
    return dataclasses.asdict(settings)


def from_document(document: Mapping[str, Any], where: str) -> Settings:
    """Settings as they were stored; SettingsError if this version knows other keys."""
    without_losses = dataclasses.replace(Settings(), losses={})
    return with_document(without_losses, document, where)


def as_toml(settings: Settings) -> str:
    """A file for --config that gives these settings."""
    document = as_document(settings)
    losses = document.pop("loss_parameters")
    lines = [f"network = {_toml_value(document.pop('network'))}"]
    # the defaults' losses would come back if they were not named
    document["losses"] = {**dict.fromkeys(Settings().losses, 0.0), **document["losses"]}
    tables = {**document, **{f"loss_parameters.{name}": table for name, table in losses.items()}}
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def differences(one: Settings, other: Settings) -> list[str]:
    """What two settings would learn differently: "data.crop: 320 -> 64"; where and how the work runs does not count."""
    before, after = _learning_keys(one), _learning_keys(other)
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _learning_keys(settings: Settings) -> dict[str, Any]:
    document = as_document(settings)
    document["run"] = {key: document["run"][key] for key in ("seed", "precision")}
    flat = {"network": document.pop("network")}
    return flat | {
        f"{table}.{key}": value for table, values in document.items() for key, value in values.items()
    }


def _presets() -> Any:
    return files("trainer") / "presets"


def _assignment(text: str) -> dict[str, Any]:
    """`data.crop=64` as {"data": {"crop": 64}}."""
    path, equals, value = text.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise SettingsError(f"--set {text}: expected table.key=value, for example data.crop=320")
    document: Any = parsed(value.strip())
    for key in reversed(keys):
        document = {key: document}
    return dict(document)


def _loss_weights(weights: Mapping[str, Any], where: str) -> dict[str, float]:
    for name, weight in weights.items():
        if type(weight) not in (int, float) or not weight >= 0:
            raise SettingsError(f"{where}: [losses] {name}: expected a weight of 0 or more, found {weight!r}")
    return {name: float(weight) for name, weight in weights.items()}


def _merged(known: Mapping[str, Any], added: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    for name, table in added.items():
        if not isinstance(table, Mapping):
            raise SettingsError(
                f"{where}: [loss_parameters.{name}] must be a table of parameters, found {table!r}"
            )
    return {name: {**known.get(name, {}), **added.get(name, {})} for name in (*known, *added)}


def _require_consistent(settings: Settings) -> None:
    optimization, data = settings.optimization, settings.data
    if optimization.warmup >= optimization.steps:
        raise SettingsError(
            f"optimization.warmup: {optimization.warmup} steps of warm-up in a run of {optimization.steps}; "
            f"set it below optimization.steps"
        )
    if optimization.schedule == "exponential" and optimization.final_rate == 0:
        raise SettingsError("optimization.final_rate: an exponential schedule never reaches 0; set it above")
    if not settings.losses:
        raise SettingsError("[losses]: none is left; name at least one with a weight above 0")
    if data.under + data.well + data.over + data.itself <= 0:
        raise SettingsError("[data]: under, well, over and itself are all 0; nothing would be seen")


def _toml_value(value: Any) -> str:
    """Texts, numbers, truth values and lists of them are written alike in JSON and TOML."""
    return json.dumps(value)
