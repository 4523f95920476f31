"""How far raters agree: with each other, with themselves, and whether position on the screen matters. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

BIAS_P = 0.01  # a smaller p-value warns of position bias


@dataclass(frozen=True)
class RepeatAgreement:
    """How often hidden repeats got the same first pick, and how often blind guessing would."""

    pairs: int
    same: int
    by_chance: float  # expected number of equal pairs

    @property
    def share(self) -> float | None:
        """Share of equal pairs; None without pairs."""
        return self.same / self.pairs if self.pairs else None

    @property
    def is_at_chance(self) -> bool:
        """Whether the pairs agree no more often than guessing; False without pairs."""
        return self.pairs > 0 and self.same <= self.by_chance


@dataclass(frozen=True)
class PositionBias:
    """First picks per screen position against what positions without influence would get."""

    observed: tuple[int, ...]  # by position, the first is letter A
    expected: tuple[float, ...]
    statistic: float  # chi-square
    p_value: float

    @property
    def is_suspect(self) -> bool:
        """Whether to warn."""
        return self.p_value < BIAS_P


def kendall_w(item_count: int, rankings: Sequence[Sequence[int]]) -> float | None:
    """Kendall's coefficient of concordance of one scene, corrected for ties (Kendall and Gibbons 1990, ch. 6).

    rankings: the items each rater ranked, best first; those left unranked share the mean of their ranks.
    0: no agreement, 1: all rank alike. None with fewer than two raters or two items, or where
    nobody ranks anything.
    """
    raters = len(rankings)
    if raters < 2 or item_count < 2:
        return None
    rank_sums = sum((_ranks(item_count, ranking) for ranking in rankings), np.zeros(item_count))
    deviations = float(((rank_sums - rank_sums.mean()) ** 2).sum())
    ties = sum((item_count - len(ranking)) ** 3 - (item_count - len(ranking)) for ranking in rankings)
    most = raters**2 * (item_count**3 - item_count) - raters * ties
    return 12 * deviations / most if most else None


def krippendorff_alpha(units: Sequence[Sequence[Hashable | None]]) -> float | None:
    """Krippendorff's alpha for nominal values (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

    units: the values each unit (scene) got, one per rater; None is a missing one. Values mean the same in all
    units, so give algorithms, not item numbers. 1: full agreement, 0: chance. None where no value varies.
    """
    counts = [Counter(value for value in unit if value is not None) for unit in units]
    pairable = [unit for unit in counts if unit.total() >= 2]
    totals = sum(pairable, Counter[Hashable]())
    n = totals.total()
    unequal_by_chance = n**2 - sum(count**2 for count in totals.values())
    if unequal_by_chance == 0:
        return None
    equal = sum(sum(count * (count - 1) for count in unit.values()) / (unit.total() - 1) for unit in pairable)
    return 1 - (n - 1) * (n - equal) / unequal_by_chance


def repeat_agreement(pairs: Sequence[tuple[int, int, int]]) -> RepeatAgreement:
    """First pick of round 1, first pick of the hidden repeat, number of items: one triple per repeat."""
    return RepeatAgreement(
        pairs=len(pairs),
        same=sum(first == second for first, second, _ in pairs),
        by_chance=sum(1 / item_count for _, _, item_count in pairs),
    )


def position_bias(trials: Sequence[tuple[int, int]]) -> PositionBias | None:
    """Chi-square test of first picks by position; each trial is (0-based position picked, number of items).

    Expected at position p: sum over trials of [p <= K] / K. None without two positions to compare.
    """
    positions = max((item_count for _, item_count in trials), default=0)
    if positions < 2:
        return None
    for position, item_count in trials:
        if not 0 <= position < item_count:
            raise ValueError(f"position {position} of a trial with {item_count} items; 0 is the first")
    observed = np.bincount([position for position, _ in trials], minlength=positions)
    expected = np.zeros(positions)
    for item_count, times in sorted(Counter(item_count for _, item_count in trials).items()):
        expected[:item_count] += times / item_count
    statistic = float(((observed - expected) ** 2 / expected).sum())
    p_value = float(chi2.sf(statistic, positions - 1))
    return PositionBias(tuple(observed.tolist()), tuple(expected.tolist()), statistic, p_value)


def _ranks(item_count: int, ranking: Sequence[int]) -> NDArray[np.float64]:
    if len(set(ranking)) < len(ranking) or not set(ranking) <= set(range(item_count)):
        raise ValueError(f"ranking {tuple(ranking)}: different items from 0 to {item_count - 1} expected")
    ranks = np.full(item_count, (len(ranking) + 1 + item_count) / 2)
    ranks[list(ranking)] = np.arange(1, len(ranking) + 1)
    return ranks
