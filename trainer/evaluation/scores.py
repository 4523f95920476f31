"""The figures of merit of one picture: the columns of every table, each with the name of its variant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion_algos.mef_ssim import mef_ssim
from fusion_algos.stack import ExposureStack
from trainer.metrics.fsim import Features, features, similarity_of
from trainer.metrics.per_pixel import HIGHEST_PSNR, angular_error, clipped_share, psnr
from trainer.metrics.ssim import ssim_gray, ssim_rgb


@dataclass(frozen=True)
class Metric:
    """A column: what readers see, and how many digits behind the point are worth printing."""

    title: str
    digits: int
    higher_is_better: bool = True


# key in CSV and JSON -> column. The only list.
METRICS: Mapping[str, Metric] = {
    "psnr": Metric("PSNR, dB", 2),
    "ssim_rgb_g11": Metric("SSIM rgb-g11", 4),
    "ssim_gray_u7": Metric("SSIM gray-u7", 4),
    "fsim": Metric("FSIM", 4),
    "fsimc": Metric("FSIMc", 4),
    "mef_ssim": Metric("MEF-SSIM", 4),
    "angular_error": Metric("angular error, deg", 2, higher_is_better=False),
    "clipped_share": Metric("clipped share", 4, higher_is_better=False),
}


@dataclass(frozen=True, eq=False)
class Target:
    """What outputs are compared with: HxWx3 RGB uint8, and the exposures of its scene if there are at least two."""

    reference: NDArray[np.uint8]
    features: Features
    stack: ExposureStack | None


def target(reference: NDArray[np.uint8], exposures: Sequence[NDArray[np.uint8]]) -> Target:
    """Asked once for each scene, since what is found in the reference does not depend on the outputs."""
    stack = ExposureStack(exposures) if len(exposures) > 1 else None
    return Target(reference, features(reference), stack)


def scores(output: NDArray[np.uint8], target: Target) -> dict[str, float]:
    """A value for each of METRICS, NaN where there is none. ValueError if sizes differ."""
    reference = target.reference
    signal = psnr(output, reference)
    similarity = similarity_of(features(output), target.features)
    structure = None if target.stack is None else mef_ssim(target.stack, output)
    return {
        "psnr": min(signal, HIGHEST_PSNR),
        "ssim_rgb_g11": ssim_rgb(output, reference),
        "ssim_gray_u7": ssim_gray(output, reference),
        "fsim": similarity.fsim,
        "fsimc": similarity.fsimc,
        "mef_ssim": math.nan if structure is None else structure,
        "angular_error": angular_error(output, reference),
        "clipped_share": clipped_share(output),
    }
