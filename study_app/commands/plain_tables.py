"""Tables for a terminal: plain columns, figures to the right, never cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

FIGURE = re.compile(r"-?[\d,]*\.?\d+ ?%?")


def cell(value: object) -> str:
    """What stands in a column: nothing for None, three decimals for a fraction."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def as_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The table as lines of text; "(none)" where there is no row."""
    if not rows:
        return "(none)"
    body = [[cell(value) for value in row] for row in rows]
    columns = range(len(header))
    widths = [max(len(line[column]) for line in (header, *body)) for column in columns]
    to_right = [_holds_figures([line[column] for line in body]) for column in columns]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()
        for line in (header, *body)
    )


def _holds_figures(texts: Sequence[str]) -> bool:
    filled = [text for text in texts if text]
    return bool(filled) and all(FIGURE.fullmatch(text) for text in filled)
