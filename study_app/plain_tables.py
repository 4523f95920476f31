"""Tables for a terminal: plain columns, figures to the right, never cut."""

from __future__ import annotations

from collections.abc import Sequence


def cell(value: object) -> str:
    """What stands in a column: nothing for None, three decimals for a fraction."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def as_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The table as lines of text; "(none)" where there is no row."""
    if not rows:
        return "(none)"
    texts = [list(header), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(header))]
    right = [
        any(isinstance(row[column], int | float) for row in rows)
        and all(row[column] is None or isinstance(row[column], int | float) for row in rows)
        for column in range(len(header))
    ]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in texts
    )
