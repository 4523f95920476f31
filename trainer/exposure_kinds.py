"""The kinds of exposure that samples, baselines and tables are told apart by."""

from __future__ import annotations

KINDS = ("under", "well", "over")  # exposures by relative_ev
ITSELF = "itself"  # the reference given as input


def kind_of(relative_ev: float | None, well_ev: float) -> str:
    """under, well or over: |relative_ev| <= well_ev is well exposed; unknown EV counts as well."""
    if relative_ev is None or abs(relative_ev) <= well_ev:
        return "well"
    return "under" if relative_ev < 0 else "over"
