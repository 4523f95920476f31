"""Plots as SVG that may stand inside a page, each with its numbers as a table.

Drawn on matplotlib's `Figure` (pyplot keeps global state and leaks in threads). The same numbers give the same
bytes: fixed hash salt, no date. Style attributes become plain SVG attributes, because the pages' security policy
refuses inline styles; text stays text, so that it is sharp, can be searched, and takes the page's own font.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, VERMILION, INK, GRID = (
    "#0072b2",
    "#e69f00",
    "#c04a00",
    "#2b2f33",
    "#d9dcdf",
)  # after Okabe and Ito
PALE = "#a9b7c0"
WIDTH = (
    7.2  # inches, 72 units each: labels of 10 are as large as the page's text where a plot is 720 pixels wide
)
CACHED = 64  # plots kept: pages ask again every few seconds, mostly for the same numbers
# Shares of the figure's sides: room for counts up to 99,999 and the last tick.
COUNT_MARGINS = {"left": 0.115, "right": 0.98, "bottom": 0.2, "top": 0.97}
SVG = "http://www.w3.org/2000/svg"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a label is text, also with a dollar in it
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
}

_drawing = threading.Lock()  # matplotlib's settings are one set for the whole process

Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class Plot:
    """A drawing and the numbers in it."""

    title: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, one line of an interval plot."""

    label: str
    value: float
    low: float
    high: float
    marked: bool = False  # drawn strong: the leader


@dataclass(frozen=True)
class LookPoint:
    """What one look said."""

    votes: int
    p_best: float
    p_near: float


@lru_cache(CACHED)
def intervals(title: str, quantity: str, estimates: tuple[Estimate, ...], digits: int = 2) -> Plot:
    """Dots with 95 % intervals, the first estimate on top."""

    def draw(axes: Axes) -> None:
        for row, estimate in enumerate(estimates):
            color = BLUE if estimate.marked else INK
            width = 3.2 if estimate.marked else 1.8
            axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=width, alpha=0.55)
            axes.plot([estimate.value], [row], "o", color=color, markersize=7 if estimate.marked else 5.5)
        axes.set_yticks(range(len(estimates)), [estimate.label for estimate in estimates])
        axes.set_ylim(len(estimates) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel(quantity)

    rows = tuple(
        (e.label, *(_signed(number, digits) for number in (e.value, e.low, e.high))) for e in estimates
    )
    svg = _svg(title, draw, height=0.9 + 0.27 * len(estimates))
    return Plot(title, svg, ("", quantity, "2.5 %", "97.5 %"), rows)


@lru_cache(CACHED)
def certainty_over_looks(title: str, points: tuple[LookPoint, ...], asked: float, cap: int) -> Plot:
    """How certain the leader was after each counted vote, against the probability that the rule asks for."""

    def draw(axes: Axes) -> None:
        votes = [point.votes for point in points]
        best, near = [point.p_best for point in points], [point.p_near for point in points]
        axes.axhline(asked, color=VERMILION, linewidth=1.2, linestyle=(0, (5, 3)))
        axes.annotate(
            f"asked: {asked:g}", (0, asked), (4, -4), textcoords="offset points", va="top", color=VERMILION
        )
        axes.plot(votes, near, color=ORANGE, linewidth=1.6, marker="s", markersize=4, label="P near-best")
        axes.plot(votes, best, color=BLUE, linewidth=2, marker="o", markersize=4.5, label="P best")
        axes.set_xlim(0, max(cap, *votes) + 0.5)
        axes.legend(loc="lower right", frameon=False)
        _probability_axis(axes)
        axes.set_xlabel("counted votes")

    rows = tuple((str(p.votes), f"{p.p_best:.3f}", f"{p.p_near:.3f}") for p in points)
    return Plot(title, _svg(title, draw, height=2.9), ("Counted votes", "P best", "P near-best"), rows)


@lru_cache(CACHED)
def certainty_histogram(title: str, certainties: tuple[float, ...], asked: float) -> Plot:
    """How many scenes are how certain of their leader: twenty bins of 0.05."""
    bins = 20
    counts = [0] * bins
    for certainty in certainties:
        counts[min(bins - 1, int(certainty * bins + 1e-9))] += 1

    def draw(axes: Axes) -> None:
        edges = [index / bins for index in range(bins)]
        colors = [BLUE if edge + 1e-9 >= asked else PALE for edge in edges]
        axes.bar(edges, counts, width=0.92 / bins, align="edge", color=colors)
        axes.axvline(asked, color=VERMILION, linewidth=1.2, linestyle=(0, (5, 3)))
        axes.set_xlim(0, 1)
        axes.set_xlabel("probability that the leader is best, or near-best")
        _count_axis(axes, "scenes")

    rows = tuple(
        (f"{index / bins:.2f} to {(index + 1) / bins:.2f}", str(count)) for index, count in enumerate(counts)
    )
    return Plot(title, _svg(title, draw, height=2.6, margins=COUNT_MARGINS), ("Certainty", "Scenes"), rows)


@lru_cache(CACHED)
def bars(title: str, columns: tuple[str, str], labels: tuple[str, ...], counts: tuple[int, ...]) -> Plot:
    """Counts over time or place; where labels are many, some are left out on the axis and none in the table."""

    def draw(axes: Axes) -> None:
        axes.bar(range(len(counts)), counts, width=0.86, color=BLUE)
        every = max(1, -(-len(labels) // 8))
        axes.set_xticks(range(0, len(labels), every), labels[::every])
        axes.set_xlim(-0.7, len(labels) - 0.3)
        axes.set_xlabel(columns[0])
        _count_axis(axes, columns[1])

    rows = tuple((label, str(count)) for label, count in zip(labels, counts, strict=True))
    return Plot(title, _svg(title, draw, height=2.6, margins=COUNT_MARGINS), columns, rows)


@lru_cache(CACHED)
def against_expected(
    title: str, columns: tuple[str, str, str], labels: tuple[str, ...], seen: tuple[float, ...],
    expected: tuple[float, ...],
) -> Plot:  # fmt: skip
    """Bars of what was seen with a line across each for what chance would give."""

    def draw(axes: Axes) -> None:
        places = range(len(labels))
        axes.bar(places, seen, width=0.8, color=PALE, label=columns[1])
        for place, level in zip(places, expected, strict=True):
            axes.plot([place - 0.45, place + 0.45], [level, level], color=VERMILION, linewidth=2)
        axes.plot([], [], color=VERMILION, linewidth=2, label=columns[2])
        axes.set_xticks(places, labels)
        axes.set_xlim(-0.7, len(labels) - 0.3)
        axes.set_ylim(0, 1.25 * max(1.0, *seen, *expected))
        axes.legend(loc="upper right", frameon=False, ncols=2)
        axes.set_xlabel(columns[0])
        _count_axis(axes, "")

    rows = tuple(
        (label, f"{found:g}", f"{level:.1f}")
        for label, found, level in zip(labels, seen, expected, strict=True)
    )
    return Plot(title, _svg(title, draw, height=2.7), columns, rows)


def _signed(number: float, digits: int) -> str:
    """With a true minus sign, and none before a rounded zero."""
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "−")


def _probability_axis(axes: Axes) -> None:
    axes.set_ylim(0, 1.06)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.grid(axis="y")


def _count_axis(axes: Axes, quantity: str) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.grid(axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(quantity)


def _svg(title: str, draw: Draw, *, height: float, margins: dict[str, float] | None = None) -> str:
    """margins: shares of the figure; None finds them, which takes as long again as the drawing."""
    with _drawing, matplotlib.rc_context({**STYLE, "svg.hashsalt": f"contrast-foundry {title}"}):
        figure = Figure(figsize=(WIDTH, height), layout=None if margins else "constrained")
        if margins:
            figure.subplots_adjust(**margins)
        draw(figure.add_subplot())
        written = BytesIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(written.getvalue(), title)


def _for_page(svg: bytes, title: str) -> str:
    """The drawing without what a page refuses or repeats: inline styles, meta data, names nobody refers to."""
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        if element.tag == f"{{{SVG}}}g":
            element.attrib.pop("id", None)
        for name, value in _attributes(element.attrib.pop("style", "")):
            element.set(name, value)
    _, _, wide, high = root.attrib["viewBox"].split()
    root.attrib.update(
        {"class": "plot", "role": "img", "aria-label": title, "width": wide, "height": high}
        | {"font-family": "DejaVu Sans, Verdana, sans-serif", "stroke-linejoin": "round"}
    )
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(style: str) -> list[tuple[str, str]]:
    """A style's declarations as SVG attributes of the same names."""
    found = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = declaration.partition(":")
        if name not in ("font-family", "font"):  # the page has its own, said once at the top
            found.append((name, value.strip()))
    return found
