"""The classical methods that networks are compared with. Methods without a usable definition are not here:
semantic and deep joint filters need trained parts, CAPE needs detectors that were never released.

Of the trainer it imports exposure_kinds alone; evaluation imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.classical.equalization import clahe, hist_eq
from trainer.classical.exposure import Enhance, Exposure
from trainer.classical.gamma import fit_gamma, gamma_oracle
from trainer.classical.lime import lime
from trainer.classical.naturalness import npe_like
from trainer.exposure_kinds import KINDS


def identity(exposure: Exposure) -> NDArray[np.uint8]:
    """The input itself: what doing nothing scores."""
    return exposure.picture


@dataclass(frozen=True)
class Baseline:
    """A method without weights: `enhance` is it, or `fit` finds it from the pairs of the train split.

    source: the publication, or what the method is. kinds: the exposures that it is meant for.
    """

    source: str
    enhance: Enhance | None = None
    fit: Callable[[Iterable[Exposure]], Enhance] | None = None
    kinds: tuple[str, ...] = KINDS


# name -> baseline. The only list.
BASELINES: Mapping[str, Baseline] = {
    "identity": Baseline("the input", identity),
    "gamma_oracle": Baseline(
        "per picture the power in [1/8, 8] nearest to its reference: an oracle", gamma_oracle
    ),
    "gamma_fit": Baseline("one power per whole EV, fitted on the train split", fit=fit_gamma),
    "hist_eq": Baseline("equalised luma (Gonzalez, Woods, Digital Image Processing)", hist_eq),
    "clahe": Baseline("Zuiderveld, Graphics Gems IV, 1994: CIELAB L, clip 2, 8x8 tiles", clahe),
    "lime": Baseline(
        "Guo, Li, Ling, IEEE TIP 26(2), 2017, without denoising; under only", lime, kinds=("under",)
    ),
    "npe_like": Baseline("in the manner of Wang, Zheng, Hu, Li, IEEE TIP 22(9), 2013", npe_like),
}
