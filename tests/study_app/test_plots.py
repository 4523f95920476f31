"""Plots: the same bytes each time, nothing a page refuses, all numbers in the table."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import pytest

from study_app.outcomes import plots
from study_app.outcomes.plots import Estimate, LookPoint, Plot

ESTIMATES = (Estimate("li2013", 1.0, 0.5, 1.6, marked=True), Estimate("a < b & $c$", -0.25, -1.0, 0.5))
LOOKS = tuple(LookPoint(votes, votes / 40, votes / 30) for votes in range(8, 20))


def every_plot() -> list[Plot]:
    return [
        plots.intervals("Strength", "log scale", ESTIMATES),
        plots.certainty_over_looks("Looks", LOOKS, 0.95, 30),
        plots.certainty_histogram("Certainty", (0.1, 0.5, 0.5, 0.97, 1.0), 0.95),
        plots.bars("Pace", ("hour", "answers"), tuple("abcdefghij"), tuple(range(10))),
        plots.against_expected("Bias", ("position", "seen", "expected"), ("A", "B"), (3.0, 1.0), (2.0, 2.0)),
    ]


def drawn_anew() -> list[Plot]:
    """Drawn anew, not remembered."""
    for made in (
        plots.intervals,
        plots.certainty_over_looks,
        plots.certainty_histogram,
        plots.bars,
        plots.against_expected,
    ):
        made.cache_clear()
    return every_plot()


def digest_of_all() -> str:
    return hashlib.sha256(repr(every_plot()).encode()).hexdigest()


def test_the_same_numbers_give_the_same_bytes_here_and_in_another_process() -> None:
    first = drawn_anew()
    assert drawn_anew() == first
    code = "from tests.study_app.test_plots import digest_of_all; print(digest_of_all())"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == digest_of_all()


def test_threads_draw_the_same_and_leave_the_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    expected = drawn_anew()
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: drawn_anew(), range(2)))
    assert all(one == expected for one in found)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("plot", every_plot(), ids=lambda plot: plot.title)
def test_a_drawing_may_stand_in_a_page(plot: Plot) -> None:
    root = ElementTree.fromstring(plot.svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == plot.title
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"style", "script", "metadata", "image", "foreignObject"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert "style" not in attributes, "the pages' policy refuses inline styles"
    assert not re.search(r"https?://(?!www\.w3\.org)", plot.svg)
    assert not re.search(r"\d{4}-\d\d-\d\d", plot.svg), "no date"


@pytest.mark.parametrize("plot", every_plot(), ids=lambda plot: plot.title)
def test_names_within_a_drawing_are_its_own(plot: Plot) -> None:
    ids = re.findall(r'\bid="([^"]+)"', plot.svg)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', plot.svg))
    assert used <= set(ids)
    others = "".join(other.svg for other in every_plot() if other.title != plot.title)
    assert not any(f'id="{one}"' in others for one in ids), "two drawings of a page must not share names"


def test_the_table_holds_every_number() -> None:
    strength, looks, histogram, pace, bias = every_plot()
    assert strength.rows == (("li2013", "1.00", "0.50", "1.60"), ("a < b & $c$", "−0.25", "−1.00", "0.50"))
    assert looks.rows[0] == ("8", "0.200", "0.267")
    assert [row[1] for row in histogram.rows] == ["0"] * 2 + ["1"] + ["0"] * 7 + ["2"] + ["0"] * 8 + ["2"]
    assert len(pace.rows) == 10, "labels left out on the axis are in the table"
    assert bias.rows == (("A", "3", "2.0"), ("B", "1", "2.0"))
    for plot in (strength, looks, histogram, pace, bias):
        assert all(len(row) == len(plot.columns) for row in plot.rows)


def test_labels_are_text() -> None:
    assert "a &lt; b &amp; $c$" in plots.intervals("Strength", "log scale", ESTIMATES).svg
