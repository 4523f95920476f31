"""Summaries as tables in GitHub's Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trainer.evaluation.scores import Metric

UNKNOWN = "–"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def value_table(rows: pd.DataFrame, metrics: Mapping[str, Metric], harm: Mapping[str, str]) -> str:
    """Means and intervals of a table's rows of a summary, one line per method; marked where `harm` says a word."""
    first, lines = next(iter(metrics)), []
    for method, cells in _cells(rows).items():
        mark = " **harms**" if harm.get(method, "") else ""
        counts = [str(cells[first].images), str(cells[first].scenes)]
        values = [
            _interval((cells[key].mean, cells[key].low, cells[key].high), column.digits)
            for key, column in metrics.items()
        ]
        lines.append([f"{method}{mark}", *counts, *values])
    return markdown_table(["method", "images", "scenes", *_columns(metrics)], lines)


def difference_table(rows: pd.DataFrame, metrics: Mapping[str, Metric]) -> str:
    """Paired differences and their intervals; bold where the interval excludes 0."""
    lines = []
    for method, cells in _cells(rows).items():
        values = [
            _difference(
                (cells[key].difference, cells[key].difference_low, cells[key].difference_high), column.digits
            )
            for key, column in metrics.items()
        ]
        lines.append([method, *values])
    return markdown_table(["method", *_columns(metrics)], lines)


def _cells(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """method -> metric -> its row of the summary, methods in order."""
    cells: dict[str, dict[str, Any]] = {}
    for row in rows.itertuples(index=False):
        cells.setdefault(str(row.method), {})[str(row.metric)] = row
    return cells


def _columns(metrics: Mapping[str, Metric]) -> list[str]:
    return [f"{column.title} {'↑' if column.higher_is_better else '↓'}" for column in metrics.values()]


def _interval(values: Sequence[float], digits: int) -> str:
    mean, low, high = values
    if math.isnan(mean):
        return UNKNOWN
    return (
        f"{mean:.{digits}f}"
        if math.isnan(low)
        else f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    )


def _difference(values: Sequence[float], digits: int) -> str:
    mean, low, high = values
    if math.isnan(mean):
        return UNKNOWN
    if math.isnan(low):
        return f"{mean:+.{digits}f}"
    text = f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def number(value: Any, digits: int) -> str:
    """A figure with so many digits behind the point."""
    return UNKNOWN if pd.isna(value) else f"{float(value):,.{digits}f}"
