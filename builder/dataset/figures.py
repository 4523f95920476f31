"""Bar charts as SVG, written by hand: the same numbers give the same bytes, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 640, 150, 90
ROW, BAR, TOP, BOTTOM = 24, 16, 44, 30
PAPER, INK, SOFT, FILL = "#ffffff", "#222222", "#666666", "#3b6ea5"
FONT = "font-family='Helvetica, Arial, sans-serif'"


def bar_chart(title: str, bars: Sequence[tuple[str, int]], note: str = "") -> str:
    """Horizontal bars with their numbers; `note` stands below. An empty list gives a chart that says so."""
    height = TOP + ROW * max(len(bars), 1) + BOTTOM
    largest = max((value for _, value in bars), default=0) or 1
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
        f"viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{_quoted(title)}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='{PAPER}'/>",
        _text(16, 26, title, size=16, color=INK),
    ]
    if not bars:
        parts.append(_text(16, TOP + 16, "no data", size=13, color=SOFT))
    for row, (label, value) in enumerate(bars):
        top = TOP + ROW * row
        length = round((WIDTH - LEFT - RIGHT) * value / largest, 1)
        parts += [
            _text(LEFT - 8, top + 13, label, size=13, color=INK, anchor="end"),
            f"<rect x='{LEFT}' y='{top}' width='{length}' height='{BAR}' fill='{FILL}'/>",
            _text(LEFT + length + 6, top + 13, str(value), size=13, color=INK),
        ]
    if note:
        parts.append(_text(16, height - 10, note, size=12, color=SOFT))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, size: int, color: str, anchor: str = "start") -> str:
    place = f"x='{x:g}' y='{y:g}' text-anchor='{anchor}'"
    return f"<text {place} {FONT} font-size='{size}' fill='{color}'>{escape(text)}</text>"


def _quoted(text: str) -> str:
    return escape(text, {"'": "&apos;"})
