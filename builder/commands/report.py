"""What a command tells at its end: tables for people and programs, lines, and whether something failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from builder.catalog import Candidate, Exposure, Scene

pd.options.mode.string_storage = "python"  # Arrow's strings would refuse file names that are no UTF-8


@dataclass(frozen=True)
class Report:
    """Tables by title, then lines; `failed` makes the exit code 1."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    failed: bool = False


def scene_table(session: Session) -> pd.DataFrame:
    """One row per scene: status, frames, size, candidates done, motion, reason."""
    is_done = case((Candidate.status == "done", 1), else_=0)
    current = Candidate.status != "superseded"
    of_scene = Candidate.scene_id == Scene.id
    query = select(
        Scene,
        select(func.count()).where(Exposure.scene_id == Scene.id).scalar_subquery(),
        select(func.coalesce(func.sum(is_done), 0)).where(of_scene, current).scalar_subquery(),
        select(func.count()).where(of_scene, current).scalar_subquery(),
    ).order_by(Scene.name)
    rows = [
        {
            "scene": scene.name,
            "status": scene.status,
            "frames": frames,
            "size": f"{scene.width}x{scene.height}" if scene.width else "",
            "candidates": f"{done}/{candidates}",
            "ghosts": "" if scene.ghost_score is None else f"{scene.ghost_score:.2%}",
            "flags": " ".join(scene.flags),
            "reason": scene.reason,
        }
        for scene, frames, done, candidates in session.execute(query)
    ]
    return pd.DataFrame(
        rows,
        columns=["scene", "status", "frames", "size", "candidates", "ghosts", "flags", "reason"],
    )


def failure_table(session: Session) -> pd.DataFrame:
    """One row per candidate that could not be made: scene, algorithm, reason."""
    query = (
        select(Scene.name, Candidate.algorithm, Candidate.status, Candidate.error)
        .join(Candidate.scene)
        .where(Candidate.status.in_(("failed", "quarantined")))
        .order_by(Scene.name, Candidate.algorithm)
    )
    return pd.DataFrame(session.execute(query).all(), columns=["scene", "algorithm", "status", "reason"])


def as_text(table: pd.DataFrame) -> str:
    """The table in plain columns; a sentence is never cut, because it says what to do."""
    if not len(table):
        return "(none)"
    short = table.map(lambda value: value.splitlines()[0] if isinstance(value, str) and value else value)
    texts = [str(column) for column in short if not pd.api.types.is_numeric_dtype(short[column])]
    left: Mapping[str, Callable[..., str]] = {
        column: f"{{:<{int(short[column].astype(str).str.len().max())}}}".format for column in texts
    }
    with pd.option_context("display.max_colwidth", None):
        lines = short.to_string(index=False, justify="left", formatters=left).splitlines()
    return "\n".join(line.rstrip() for line in lines)
