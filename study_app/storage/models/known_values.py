"""The words and numbers that columns may hold, and the constraint that holds them to it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint

STUDY_STATES = ("draft", "open", "closed", "frozen")
STUDY_MODES = ("posterior", "most-votes")
ROLES = ("real", "training", "gold")
SCENE_STATES = (
    "continue",
    "accept",
    "accept-equivalent",
    "reject",
    "adjudicate",
    "ambiguous",
    "void",
)
RATER_STATES = ("active", "withdrawn", "erasing", "erased")
EXPERIMENTER_ROLES = ("admin", "analyst", "viewer")
VOTE_KINDS = ("choice", "cannot_tell", "technical")
REASONS = (
    "halo",
    "ghost",
    "noise",
    "cast",
    "clipping",
    "dull",
    "other",
)  # why a first pick is not acceptable
FIRST_ROUND, REPEAT_ROUND, ADJUDICATION_ROUND = 1, 2, 3


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """The constraint that a column of words holds one of these."""
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")
