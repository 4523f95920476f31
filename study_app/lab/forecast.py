"""When the study will end at the present pace. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ENOUGH_SETTLED = 5  # scenes, before their mean says what the others will need
SHORTEST = timedelta(hours=1)  # a pace over minutes says nothing about days


@dataclass(frozen=True)
class Forecast:
    """Expected end, and the latest: every open scene goes to its cap."""

    answers_left: float
    most_left: int
    per_hour: float
    expected: datetime
    latest: datetime


def forecast(
    open_answers: Sequence[int],
    settled_answers: Sequence[int],
    *,
    minimum: int,
    cap: int,
    recent: int,
    over: timedelta,
    at: datetime,
) -> Forecast | None:
    """The end by the pace of the `recent` answers that came in the time `over`; None without pace or open scenes.

    An open scene is expected to need what the settled ones needed on average, or, before there are enough of
    them, the middle between the rule's minimum and cap; in any case one answer more than it has.
    """
    if not open_answers or not recent:
        return None
    enough = len(settled_answers) >= ENOUGH_SETTLED
    typical = sum(settled_answers) / len(settled_answers) if enough else (minimum + cap) / 2
    left = sum(max(1.0, typical - answers) for answers in open_answers)
    most = sum(max(1, cap - answers) for answers in open_answers)
    per_hour = recent / (max(over, SHORTEST) / timedelta(hours=1))
    return Forecast(
        left, most, per_hour, at + timedelta(hours=left / per_hour), at + timedelta(hours=most / per_hour)
    )
