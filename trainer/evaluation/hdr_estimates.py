"""What networks take for the scene's light, scored against the merged linear picture beside the plain inverse curve.

No light is clipped here at the 64 of the training target: PU21 ends at 10,000 cd/m2, which is 50 times white.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from builder.dataset.finished import Pair
from fusion_algos.color import srgb_to_linear
from trainer.classical.exposure import Exposure
from trainer.dataset.manifest import hdr_path
from trainer.dataset.merged_light import read_light
from trainer.evaluation.methods import Light, NetworkMethod
from trainer.evaluation.scene_views import Protocol, read_views, scenes_of
from trainer.evaluation.scored_scenes import FAILURES, NAMES, Failure, row_names
from trainer.evaluation.scores import Metric
from trainer.evaluation.tables import in_table_order, summary
from trainer.exposure_kinds import ITSELF
from trainer.metrics.per_pixel import HIGHEST_PSNR
from trainer.metrics.pu21 import pu21_psnr, pu21_ssim, scaled_to
from trainer.preprocessing.resize import short_side_resized

EV_GIVEN, EV_NOT_GIVEN = "inverse tone curve, EV given", "inverse tone curve, EV not given"
INVERSE_CURVES = (EV_GIVEN, EV_NOT_GIVEN)
# key in CSV and JSON -> column. Scaled: by one factor for each picture, see `scaled_to`
HDR_METRICS: Mapping[str, Metric] = {
    "pu21_psnr": Metric("PU21-PSNR, dB", 2),
    "pu21_ssim": Metric("PU21-SSIM", 4),
    "scaled_pu21_psnr": Metric("scaled PU21-PSNR, dB", 2),
    "scaled_pu21_ssim": Metric("scaled PU21-SSIM", 4),
}
Estimate = Callable[[Exposure], Light]
Keep = Callable[[Path, Light], Any]
TRUTH = "truth"


@dataclass(frozen=True, eq=False)
class HdrEstimates:
    """images: scores per image. summary: as in tables.py, once for each of INVERSE_CURVES as `against`.

    scenes: how many of the split have a merged picture.
    """

    images: pd.DataFrame
    summary: pd.DataFrame
    scenes: int
    failures: tuple[Failure, ...] = ()


def hdr_estimates(
    pairs: Sequence[Pair],
    lights: Mapping[str, str],
    protocol: Protocol,
    networks: Sequence[NetworkMethod],
    on_scene: Callable[[], Any] = lambda: None,
    keep: Keep = lambda place, light: None,
) -> HdrEstimates | None:
    """Score all networks that give light on the scenes of `lights` (SHA-256 by scene); None if there is nothing to.

    keep: is given each truth and estimate with a place for it: truth/SCENE or METHOD/INPUT without suffix.
    """
    scenes = scenes_of(pair for pair in pairs if pair.scene in lights)
    estimates = _estimates(networks)
    if not scenes or len(estimates) == len(INVERSE_CURVES):
        return None
    scored: list[dict[str, Any] | Failure] = []
    for scene in scenes:
        scored += _scored_scene(protocol, scene, lights[scene[0].scene], estimates, keep)
        on_scene()
    failures = tuple(one for one in scored if isinstance(one, Failure))
    rows = [one for one in scored if not isinstance(one, Failure)]
    images = in_table_order(pd.DataFrame(rows, columns=[*NAMES, *HDR_METRICS]), list(estimates))
    return HdrEstimates(images, _summary(images), len(scenes), failures)


def _summary(images: pd.DataFrame) -> pd.DataFrame:
    if not len(images):
        return pd.DataFrame(columns=["against", "table"])
    parts = [summary(images, name, list(HDR_METRICS)).assign(against=name) for name in INVERSE_CURVES]
    together = pd.concat(parts, ignore_index=True)
    return together[["against", *(name for name in together.columns if name != "against")]]


def inverse_curve(exposure: Exposure, ev: float) -> Light:
    """The input's light as sRGB says, in units of the white of an exposure `ev` stops below: HxWx3 linear."""
    return srgb_to_linear(exposure.picture) / np.float32(2.0**ev)


def _estimates(networks: Sequence[NetworkMethod]) -> dict[str, Estimate]:
    """The rows of the table; the relative EV is 0 where it is not known, here as in all tables."""
    curves: dict[str, Estimate] = {
        EV_GIVEN: lambda exposure: inverse_curve(exposure, exposure.relative_ev or 0.0),
        EV_NOT_GIVEN: lambda exposure: inverse_curve(exposure, 0.0),
    }
    return curves | {one.method.name: _of_network(one.light) for one in networks if one.light is not None}


def _of_network(light: Callable[[Any], Light]) -> Estimate:
    return lambda exposure: light(exposure.picture)


def _scored_scene(
    protocol: Protocol, pairs: tuple[Pair, ...], sha256: str, estimates: Mapping[str, Estimate], keep: Keep
) -> Iterator[dict[str, Any] | Failure]:
    """A row or a failure for each exposure and estimate; one failure if the scene cannot be read."""
    path = hdr_path(pairs[0].split, pairs[0].scene)
    try:
        light = read_light(protocol.folder, path, sha256)
        truth = light if protocol.short_side is None else short_side_resized(light, protocol.short_side)
        views = [view for view in read_views(protocol, pairs) if view.kind != ITSELF]
    except FAILURES as error:
        yield Failure("", path, str(error))
        return
    keep(Path(TRUTH, pairs[0].scene), truth)
    for view in views:
        for name, estimate in estimates.items():
            try:
                light = estimate(view.exposure)
                yield row_names(pairs[0], view, name) | hdr_scores(light, truth)
            except FAILURES as error:
                yield Failure(name, view.input, f"HDR estimate: {type(error).__name__}: {error}")
            else:
                keep(Path(name, view.input).with_suffix(""), light)


def hdr_scores(light: Light, truth: Light) -> dict[str, float]:
    """A value for each of HDR_METRICS, of HxWx3 float32 linear light, reference white = 1."""
    scaled = scaled_to(light, truth)
    return {
        "pu21_psnr": min(pu21_psnr(light, truth), HIGHEST_PSNR),
        "pu21_ssim": pu21_ssim(light, truth),
        "scaled_pu21_psnr": min(pu21_psnr(scaled, truth), HIGHEST_PSNR),
        "scaled_pu21_ssim": pu21_ssim(scaled, truth),
    }
