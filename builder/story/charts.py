"""Charts of the page: bars, curves over steps, means with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from builder.story.markup import element

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 34
LABELS, ROW = 128, 28  # of the interval chart


@dataclass(frozen=True)
class Curve:
    """A line through (x, y); `kind` is its class in page.css."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str


@dataclass(frozen=True)
class Interval:
    """A mean and, where there is one, its interval."""

    name: str
    mean: float
    low: float
    high: float
    kind: str


def bars(rows: Sequence[tuple[str, float, str, str]]) -> Element:
    """(label, value, what stands beside the bar, class): horizontal bars of one scale."""
    largest = max((value for _, value, _, _ in rows), default=0) or 1
    lines = [
        element(
            "div",
            element("span", label, class_="label"),
            element(
                "span",
                element("span", class_="bar", style=f"width:{100 * value / largest:.1f}%"),
                class_="track",
            ),
            element("span", beside, class_="value"),
            class_=f"row {kind}".strip(),
        )
        for label, value, beside, kind in rows
    ]
    return element("div", *lines, class_="bars")


def curves(lines: Sequence[Curve], *, title: str, unit: str) -> Element:
    """Lines over the training step with a legend; the vertical axis shows what is there, not zero."""
    points = [point for line in lines for point in line.points]
    last = max(x for x, _ in points) or 1
    low, high = _span([y for _, y in points])

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / last
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    parts = []
    for value in _ticks(low, high):
        across, down = at(last, value)
        parts += [
            element("line", x1=LEFT, x2=f"{across:.1f}", y1=f"{down:.1f}", y2=f"{down:.1f}", class_="rule"),
            _text(LEFT - 6, down + 4, f"{value:g}", "end"),
        ]
    parts += [_text(at(step, low)[0], HEIGHT - 14, f"{step:g}", "middle") for step in _ticks(0, last * 0.999)]
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 1, "step", "end"))
    for line in lines:
        shape = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line.points)
        parts.append(element("polyline", points=shape, class_=f"curve {line.kind}"))
    svg = _svg(WIDTH, HEIGHT, f"{title}, {unit}, over the training steps", parts)
    legend = [
        element("span", f"{line.name} {line.points[-1][1]:.4g}", class_=f"key {line.kind}") for line in lines
    ]
    caption = element("figcaption", element("strong", title), f" {unit} ", *legend)
    return element("figure", svg, caption)


def intervals(rows: Sequence[Interval], *, title: str) -> Element:
    """A dot per mean on one scale, with its interval as a line."""
    known = [row for row in rows if not math.isnan(row.mean)]
    ends = [value for row in known for value in (row.mean, row.low, row.high) if not math.isnan(value)]
    low, high = _span(ends or [0, 1])
    height = TOP + ROW * len(rows) + BOTTOM

    def across(value: float) -> float:
        return LABELS + (WIDTH - LABELS - RIGHT) * (value - low) / (high - low)

    parts = []
    for value in _ticks(low, high):
        x = f"{across(value):.1f}"
        parts.append(element("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM, class_="rule"))
        parts.append(_text(across(value), height - 14, f"{value:g}", "middle"))
    for place, row in enumerate(rows):
        down = TOP + ROW * (place + 0.5)
        parts.append(_text(LABELS - 10, down + 4, row.name, "end", row.kind))
        parts += _mark(row, across, down) if row in known else []
    return _svg(WIDTH, height, title, parts)


def _mark(row: Interval, place: Callable[[float], float], down: float) -> list[Element]:
    dot = element("circle", cx=f"{place(row.mean):.1f}", cy=f"{down:.1f}", r=5, class_=f"dot {row.kind}")
    if math.isnan(row.low):
        return [dot]
    x1, x2, y = f"{place(row.low):.1f}", f"{place(row.high):.1f}", f"{down:.1f}"
    return [element("line", x1=x1, x2=x2, y1=y, y2=y, class_=f"whisker {row.kind}"), dot]


def _svg(width: float, height: float, title: str, parts: Sequence[Element]) -> Element:
    return element("svg", *parts, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=title)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> Element:
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=f"tick {kind}".strip()
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Room around all values."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers in [low, high]."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
    return [round(step * k, 10) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
