"""PSNR and SSIM of runs on the scenes of a split: of each scene one picture too dark, one too bright, one well exposed.

All exposures and all metrics are `python -m trainer evaluate`'s; here a Model 2 of SICE takes minutes per seed anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from builder.dataset.finished import Pair
from trainer.classical import BASELINES
from trainer.dataset.manifest import open_dataset
from trainer.evaluation.methods import baseline_methods
from trainer.evaluation.scene_views import Protocol, read_views, scenes_of
from trainer.evaluation.scored_scenes import Failure, Method, enhanced
from trainer.exposure_kinds import KINDS, kind_of
from trainer.metrics.per_pixel import psnr
from trainer.metrics.ssim import ssim_rgb

UNFITTED = ("identity", "gamma_oracle")
WANTED_EV = {"under": -2.0, "well": 0.0, "over": 2.0}  # the exposure nearest to it stands for its scene
SHORT_SIDE = 512  # larger photographs are reduced first


def scored(dataset: Path, runs: list[Path], split: str, jobs: int) -> pd.DataFrame:
    """A row per picture and method, a run or a baseline: scene, input, kind, method, psnr, ssim_rgb_g11."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        tables = pool.map(partial(_scored_run, dataset, split), [*map(str, runs), *UNFITTED])
        return pd.DataFrame([row for table in tables for row in table])


def _scored_run(dataset: Path, split: str, run: str) -> list[dict[str, Any]]:
    method = _method(run)
    protocol = Protocol(dataset, SHORT_SIDE)
    rows = []
    for scene in scenes_of(open_dataset(dataset, splits=(split,)).split(split)):
        chosen = tuple(_one_of_each_kind(scene))
        for view in read_views(protocol, chosen) if chosen else ():
            output, reference = enhanced(method, view), view.exposure.reference
            if isinstance(output, Failure):
                raise RuntimeError(f"{output}")
            rows.append(
                {
                    "scene": scene[0].scene, "input": view.input, "kind": view.kind, "method": method.name,
                    "psnr": min(psnr(output, reference), 100.0), "ssim_rgb_g11": ssim_rgb(output, reference),
                }
            )  # fmt: skip
    return rows


def _one_of_each_kind(scene: tuple[Pair, ...]) -> Iterator[Pair]:
    """Of the exposures of each kind the one nearest to its wanted EV; the darker of two."""
    for kind, wanted in WANTED_EV.items():
        known = [
            pair for pair in scene if pair.relative_ev is not None and kind_of(pair.relative_ev, 0.5) == kind
        ]
        if known:
            yield min(known, key=lambda pair: (abs((pair.relative_ev or 0.0) - wanted), pair.relative_ev))


def _method(run: str) -> Method:
    if run in BASELINES:
        (method,) = baseline_methods([run], tuple)
        return method
    import torch

    from trainer.enhancement.enhancer import load_enhancer

    torch.set_num_threads(1)
    enhancer = load_enhancer(Path(run), device="cpu")
    return Method(Path(run).name, lambda exposure: enhancer.enhance(exposure.picture), KINDS)
