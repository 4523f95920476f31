"""What the table compares: baselines by name, and networks by the folder of their run; with what they cost."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.classical import BASELINES
from trainer.classical.exposure import Exposure
from trainer.evaluation.scene_views import Picture8
from trainer.evaluation.scored_scenes import FAILURES, Method
from trainer.exposure_kinds import KINDS

ALL = "all"  # stands for every baseline
TIMED_RUNS = 3  # after one to warm up
Light = NDArray[np.float32]  # HxWx3, linear, reference white = 1


@dataclass(frozen=True)
class NetworkMethod:
    """A trained network, and where it is from. config_sha256: of its settings as sorted JSON.

    light: its HDR estimate of a picture, HxWx3 float32 linear, reference white = 1; None if it gives none.
    """

    method: Method
    run: Path
    checkpoint_sha256: str
    config_sha256: str
    step: int
    parameters: int
    light: Callable[[Picture8], Light] | None = None


@dataclass(frozen=True)
class Cost:
    """None: not known, or not of this kind."""

    method: str
    parameters: int | None
    kmac_per_pixel: float | None
    seconds_per_megapixel: float | None


def split_names(names: Sequence[str]) -> tuple[list[str], list[Path]]:
    """(baselines with identity first, run folders), each once. ValueError for what is neither."""
    baselines, runs = {"identity": None}, dict[Path, None]()
    for name in names:
        if name == ALL:
            baselines |= dict.fromkeys(BASELINES)
        elif name in BASELINES:
            baselines[name] = None
        elif Path(name).exists():
            runs[Path(name)] = None
        else:
            known = ", ".join((ALL, *BASELINES))
            raise ValueError(f"{name!r} is neither a baseline ({known}) nor a folder of a run")
    return list(baselines), list(runs)


def baseline_methods(names: Iterable[str], training: Callable[[], Iterable[Exposure]]) -> list[Method]:
    """The baselines, fitted on `training()` where they need it."""
    methods = []
    for name in names:
        baseline = BASELINES[name]
        enhance = baseline.enhance if baseline.fit is None else baseline.fit(training())
        assert enhance is not None, name
        methods.append(Method(name, enhance, baseline.kinds))
    return methods


def network_method(run: Path, *, device: str, tile: int | None) -> NetworkMethod:
    """The network of a run folder or checkpoint file; CheckpointError if there is none."""
    from trainer.checkpoint import load_network  # PyTorch takes seconds, and baselines do without it
    from trainer.enhancement.enhancer import Enhancer

    trained = load_network(run)
    enhancer = Enhancer(trained, device=device, tile=tile)
    config = json.dumps(trained.settings, sort_keys=True, default=str)
    return NetworkMethod(
        Method(enhancer.name, lambda exposure: enhancer.enhance(exposure.picture), KINDS),
        trained.run,
        trained.sha256,
        hashlib.sha256(config.encode()).hexdigest(),
        trained.step,
        sum(parameter.numel() for parameter in trained.network.parameters()),
        enhancer.light if enhancer.gives_light else None,
    )


def costs(
    baselines: Iterable[Method], networks: Iterable[NetworkMethod], picture: Picture8, ev: float | None
) -> list[Cost]:
    """What each method costs on one picture; measured one by one, while nothing else runs here."""
    exposure = Exposure(picture, picture, ev)
    found = [Cost(one.name, None, None, _seconds_per_megapixel(one, exposure)) for one in baselines]
    for network in networks:
        seconds = _seconds_per_megapixel(network.method, exposure)
        kmac = None if seconds is None else _kmac_per_pixel(network.method, exposure)
        found.append(Cost(network.method.name, network.parameters, kmac, seconds))
    return found


def _seconds_per_megapixel(method: Method, exposure: Exposure) -> float | None:
    """The median of some runs, decoding and scoring left out; None for a method that fails."""
    seconds = []
    for _ in range(1 + TIMED_RUNS):
        start = time.perf_counter()
        try:
            method.enhance(exposure)
        except FAILURES:
            return None
        seconds.append(time.perf_counter() - start)
    megapixels = exposure.picture.shape[0] * exposure.picture.shape[1] / 1e6
    return statistics.median(seconds[1:]) / megapixels


def _kmac_per_pixel(method: Method, exposure: Exposure) -> float:
    """Multiplications and additions of convolutions and matrices as PyTorch counts them, overlaps of tiles included."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        method.enhance(exposure)
    height, width = exposure.picture.shape[:2]
    return counter.get_total_flops() / 2 / (height * width) / 1000


def described(networks: Iterable[NetworkMethod]) -> dict[str, Mapping[str, Any]]:
    """For the header of a table: which checkpoint stands behind a name."""
    return {
        one.method.name: {
            "checkpoint_sha256": one.checkpoint_sha256,
            "config_sha256": one.config_sha256,
            "step": one.step,
        }
        for one in networks
    }
