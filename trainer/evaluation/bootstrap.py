"""Means over scenes and their bootstrap intervals (Efron, 1979): scenes are drawn, since pictures of one are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESAMPLES, SEED, LEVEL = 10_000, 2018, 0.95
BLOCK = 500  # resamples drawn at once, so that 10,000 scenes take 40 MB


def mean_intervals(scenes: pd.DataFrame, *, seed: int = SEED) -> pd.DataFrame:
    """Mean and 95 % interval of each column over scenes, each scene once: columns scenes, mean, low, high.

    `scenes`: one row per scene, NaN where a scene has no value; rows of the result are the columns given. All columns
    with values for the same scenes see the same resamples. One scene alone has no interval: NaN.
    """
    known = scenes.notna().to_numpy()
    values = scenes.to_numpy(np.float64)
    result = np.full((scenes.shape[1], 3), np.nan)
    for pattern in np.unique(known, axis=1).T:
        alike = (known == pattern[:, np.newaxis]).all(axis=0)
        if pattern.any():
            result[alike] = _intervals(values[np.ix_(pattern, alike)], seed)
    table = pd.DataFrame(result, index=scenes.columns, columns=["mean", "low", "high"])
    table.insert(0, "scenes", known.sum(axis=0))
    return table


def _intervals(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Columns mean, low, high for each column of n x k values without gaps: k x 3."""
    means = values.mean(axis=0)
    if len(values) < 2:
        return np.stack([means, np.full_like(means, np.nan), np.full_like(means, np.nan)], axis=1)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(bootstrap_means(values, seed=seed), tails, axis=0)
    return np.stack([means, low, high], axis=1)


def bootstrap_means(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """Means of n scenes drawn with replacement from n x k values, the same scenes for all columns: resamples x k."""
    generator = np.random.default_rng(seed)
    count = len(values)
    means = np.empty((resamples, values.shape[1]))
    for first in range(0, resamples, BLOCK):
        rows = min(BLOCK, resamples - first)
        drawn = generator.integers(count, size=(rows, count)) + np.arange(rows)[:, np.newaxis] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        means[first : first + rows] = times @ values / count
    return means
