"""Power functions of the encoded value: the best one of each picture, and the best one of each exposure value.

A power acts on each of the 256 levels alone, so the squared error of a picture follows from two sums per level; every
exponent is tried on those, never on the pixels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from trainer.classical.exposure import Exposure

LOWEST, HIGHEST = 1 / 8, 8.0
GRID = np.linspace(math.log(LOWEST), math.log(HIGHEST), 97)  # a sixteenth of a factor 2 apart
LEVELS = np.arange(256) / 255


@dataclass(frozen=True, eq=False)
class LevelSums:
    """Of the values of a picture at each level: their share, and their references' mean times that share; both 256."""

    share: NDArray[np.float64]
    reference: NDArray[np.float64]

    def __add__(self, other: LevelSums) -> LevelSums:
        return LevelSums(self.share + other.share, self.reference + other.reference)


def level_sums(exposure: Exposure) -> LevelSums:
    """The sums of one picture, all channels together; every picture weighs the same whatever its size."""
    levels, reference = exposure.picture.ravel(), exposure.reference.ravel()
    together = np.bincount(levels.astype(np.int32) * 256 + reference, minlength=65536).reshape(256, 256)
    return LevelSums(together.sum(axis=1) / levels.size, together @ LEVELS / levels.size)


def best_exponent(sums: LevelSums) -> float:
    """The exponent in [1/8, 8] of least squared error: the best of a grid, refined between its neighbours."""

    def error(
        log_exponent: float,
    ) -> float:  # sum_v n_v g^2 - 2 g r_v, g = v^exponent; the rest does not change
        values = LEVELS ** math.exp(log_exponent)
        return float(values @ (sums.share * values - 2 * sums.reference))

    best = int(np.argmin([error(one) for one in GRID]))
    between = (GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)])
    found = minimize_scalar(error, bounds=between, method="bounded", options={"xatol": 1e-5})
    return math.exp(min((float(found.x), float(GRID[best])), key=error))


def powered(picture: NDArray[np.uint8], exponent: float) -> NDArray[np.float32]:
    """v^exponent of HxWx3 uint8, v in [0, 1]."""
    return np.take((LEVELS**exponent).astype(np.float32), picture)


def gamma_oracle(exposure: Exposure) -> NDArray[np.float32]:
    """The power that is best for this picture: it looks at the reference, so it bounds what any power can do."""
    return powered(exposure.picture, best_exponent(level_sums(exposure)))


@dataclass(frozen=True)
class GammaFit:
    """One exponent per EV bin; a bin that was not fitted takes the nearest one's."""

    exponents: Mapping[int, float]

    def __call__(self, exposure: Exposure) -> NDArray[np.float32]:
        wanted = exposure.ev_bin
        nearest = min(self.exponents, key=lambda known: (abs(known - wanted), known))
        return powered(exposure.picture, self.exponents[nearest])


def fit_gamma(exposures: Iterable[Exposure]) -> GammaFit:
    """The exponents of least squared error over pictures with references; ValueError if there is none."""
    nothing = LevelSums(np.zeros(256), np.zeros(256))
    sums: dict[int, LevelSums] = defaultdict(lambda: nothing)
    for exposure in exposures:
        sums[exposure.ev_bin] += level_sums(exposure)
    if not sums:
        raise ValueError("gamma_fit has no pictures to be fitted on: the train split is empty")
    return GammaFit({one: best_exponent(sums[one]) for one in sorted(sums)})
