"""Exposures of frames whose files state none or false ones: by a given step, or estimated from pixels."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from scipy.stats import kendalltau

from builder.exposure_values import SAME_EV, same_exposure
from builder.grouping.by_hand import Views
from builder.grouping.pieces import Piece
from builder.grouping.shots import Shot

# Kendall's tau of brightness: with capture order, above which the order was a ramp of exposures; with stated
# exposures, below which they are no bracket's (accepted real sets have 0.98 and more).
RAMP_CONCORDANCE = 0.8
LEAST_CONCORDANCE = 0.5


def pixels_contradict(shots: Sequence[Shot], views: Views, least_span_ev: float) -> bool:
    """Whether frames that claim one exposure differ in brightness as much as a bracket does."""
    levels = [views.brightness(shot.facts) for shot in shots]
    lit = [level for level in levels if level]
    return len(lit) > 1 and math.log2(max(lit) / min(lit)) >= least_span_ev


def pixels_ignore_exposure(piece: Piece, views: Views) -> bool:
    """Whether brightness does not follow the stated exposures: light or metering changed, not the bracket."""
    dark_to_bright = sorted(piece.shots, key=lambda shot: -(shot.ev or 0.0))
    levels = [views.brightness(shot.facts) for shot in dark_to_bright]
    known = [level for level in levels if level is not None]
    return len(known) == len(levels) and concordance(known) < LEAST_CONCORDANCE


def with_explicit_exposures(piece: Piece, views: Views, ev_step: float | None, least_span_ev: float) -> Piece:
    """The piece with exposures for frames that state none, or false ones if `ev_step` can replace them.

    EV are relative then, the darkest frame at 0; the piece is unchanged where exposures are known or where
    the pixels cannot be read.
    """
    stated = len(piece.evs) == len(piece.shots)
    if stated and (ev_step is None or not _are_false(piece, views, least_span_ev)):
        return piece
    ordered = _dark_to_bright(piece.shots, views)
    if ordered is None:
        return piece
    if ev_step is None:
        steps, flag = _estimated_steps(ordered, views), "estimated-exposures"
    else:
        steps, flag = [ev_step] * (len(ordered) - 1), "given-ev-step"
    brightness = [sum(steps[:position]) for position in range(len(ordered))]
    shots = tuple(replace(shot, ev=-ev) for shot, ev in zip(ordered, brightness, strict=True))
    return replace(piece, shots=shots, flags=(*piece.flags, flag))


def _are_false(piece: Piece, views: Views, least_span_ev: float) -> bool:
    equal = all(same_exposure(piece.evs[0], ev) for ev in piece.evs)
    return equal and pixels_contradict(piece.shots, views, least_span_ev)


def _dark_to_bright(shots: Sequence[Shot], views: Views) -> list[Shot] | None:
    """Shots from dark to bright: in capture order where that is a ramp, as noise cannot disturb it."""
    levels = [views.brightness(shot.facts) for shot in shots]
    known = [level for level in levels if level is not None]
    if len(known) < len(shots):
        return None
    tau = concordance(known)
    if abs(tau) >= RAMP_CONCORDANCE:
        return list(shots) if tau > 0 else list(reversed(shots))
    return [shot for _, shot in sorted(zip(known, shots, strict=True), key=lambda pair: pair[0])]


def concordance(values: Sequence[float]) -> float:
    """Kendall's tau of values with their positions: 1 if they only rise, -1 if they only fall, 0 if equal."""
    tau = float(kendalltau(range(len(values)), values).statistic) if len(values) > 1 else 0.0
    return 0.0 if math.isnan(tau) else tau


def _estimated_steps(ordered: Sequence[Shot], views: Views) -> list[float]:
    """EV between neighbours; the median of the other steps where the pixels tell none, 1 EV without any."""
    steps = [views.ev_between(darker.facts, brighter.facts) for darker, brighter in pairwise(ordered)]
    known = [step for step in steps if step is not None and step >= SAME_EV]
    usual = statistics.median(known) if known else 1.0
    return [usual if step is None or step < SAME_EV else step for step in steps]
