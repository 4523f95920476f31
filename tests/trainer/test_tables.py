"""Summaries: scenes weigh alike, differences are paired, the gate marks what harms, Markdown as readers see it."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainer.evaluation.comparison import Evaluation
from trainer.evaluation.markdown_tables import markdown_table
from trainer.evaluation.report import document, markdown
from trainer.evaluation.report_figure import comparison_figure
from trainer.evaluation.scored_scenes import Failure
from trainer.evaluation.scores import METRICS
from trainer.evaluation.tables import do_no_harm, overview, summary, tables_of


def row(method, scene, kind, psnr, *, picture=1, ev=-2.0):
    """A row per image: all other metrics follow from the PSNR so that they differ, MEF-SSIM is not known."""
    others = dict.fromkeys(METRICS, psnr / 100)
    ev = {"under": ev, "over": -ev, "well": 0.0, "itself": 0.0}[kind]
    names = {
        "scene": scene,
        "group": scene,
        "input": f"{scene}/{kind}{picture}",
        "kind": kind,
        "relative_ev": ev,
        "ev_bin": int(ev),
        "method": method,
    }
    return names | others | {"psnr": psnr, "mef_ssim": math.nan}


def cell(table, name, method, metric="psnr"):
    chosen = table[(table["table"] == name) & (table["method"] == method) & (table["metric"] == metric)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_scenes_with_more_images_weigh_no_more():
    images = pd.DataFrame(
        [row("identity", "a", "under", psnr, picture=n) for n, psnr in enumerate((10, 12, 14))]
        + [row("identity", "b", "under", 20)]
    )
    found = cell(summary(images, "identity"), "under", "identity")
    assert (found["images"], found["scenes"]) == (4, 2)
    assert found["mean"] == pytest.approx((12 + 20) / 2)  # a mean over images would be 14
    assert (found["low"], found["high"]) == (12, 20)
    assert found["difference"] == 0


def test_differences_are_over_the_images_that_both_have():
    """The method failed on the hard image of a; its own mean is higher for that, its difference is not."""
    images = pd.DataFrame(
        [row("identity", "a", "under", 10, picture=1), row("identity", "a", "under", 30, picture=2)]
        + [
            row("identity", "b", "under", 20),
            row("net", "b", "under", 23),
            row("net", "a", "under", 31, picture=2),
        ]
    )
    found = cell(summary(images, "identity"), "under", "net")
    assert found["images"] == 2
    assert found["difference"] == pytest.approx((1 + 3) / 2)
    assert (found["difference_low"], found["difference_high"]) == (1, 3)
    assert math.isnan(cell(summary(images, "nobody"), "under", "net")["difference"])


def test_kinds_and_stops_have_tables_of_their_own():
    images = pd.DataFrame(
        [row("identity", "a", kind, 10) for kind in ("under", "over", "well", "itself")]
        + [row("identity", "a", "under", 5, picture=2, ev=-4.0)]
    )
    found = {name: len(rows) for name, rows in tables_of(images).items()}
    assert found == {
        "under": 2, "over": 1, "well": 1, "itself": 1, "EV -4": 1, "EV -2": 1, "EV 0": 1, "EV +2": 1,
    }  # fmt: skip
    table = summary(images, "identity")
    assert list(dict.fromkeys(table["table"])) == list(found)
    assert len(table) == len(found) * len(METRICS)
    assert math.isnan(cell(table, "over", "identity", "mef_ssim")["mean"])


@pytest.mark.parametrize(
    ("itself", "well", "harm"),
    [
        ((40, 40, 40), 19.95, ""),
        ((31, 32, 32), 20, "itself_mean 31.67 < 32 dB"),
        ((20, 45, 45), 20, "itself_p5 22.50 < 28 dB"),
        ((40, 40, 40), 19.85, "well_change -0.15 < -0.1 dB"),
        ((40, 40, 40), None, ""),
    ],
)
def test_the_gate_marks_what_harms(itself, well, harm):
    rows = [row("net", f"s{n}", "itself", psnr) for n, psnr in enumerate(itself)]
    rows += [row("identity", f"s{n}", "itself", 100) for n in range(3)] + [row("identity", "s0", "well", 20)]
    if well is not None:
        rows.append(row("net", "s0", "well", well))
    gate = do_no_harm(pd.DataFrame(rows)).set_index("method")
    assert gate.loc["net", "harm"] == harm
    assert gate.loc["identity", "harm"] == ""


def test_without_well_exposed_pictures_the_gate_is_neither_passed_nor_failed():
    gate = do_no_harm(pd.DataFrame([row("identity", "a", "itself", 100)]))
    assert gate["harm"].tolist() == [""]
    assert gate["well_change"].isna().all()
    assert do_no_harm(pd.DataFrame([row("identity", "a", "under", 100)])).empty


def evaluation():
    """Two scenes, one failure, one method that harms."""
    images = pd.DataFrame(
        [
            row(method, scene, kind, psnr + gain + offset)
            for method, gain in (("identity", 0), ("net 12ab", 3))
            for kind, psnr in (("under", 15), ("well", 25 - 2 * gain))
            for scene, offset in (("a", 0), ("b", 2 + gain / 3))
        ]
        + [row("identity", "a", "itself", 100)]
    )
    costs = pd.DataFrame(
        [["identity", None, None, 0.0], ["net 12ab", 560323, 559.296, 1.5]],
        columns=["method", "parameters", "kmac_per_pixel", "seconds_per_megapixel"],
    )
    header = {
        "dataset": "demo-1.0",
        "manifest_sha256": "0123456789abcdef",
        "split": "val",
        "short_side": 1024,
        "well_ev": 0.5,
        "scenes": 2,
        "images": {"under": 3, "well": 2, "over": 0},
        "skipped": ["line 7: a/2.png was altered"],
        "against": "identity",
        "bootstrap": {"resamples": 10000, "seed": 2018, "level": 0.95, "unit": "scene"},
        "networks": {"net 12ab": {"checkpoint_sha256": "12ab" * 16, "config_sha256": "cd" * 32, "step": 300}},
        "versions": {"numpy": "2.0"},
    }
    failures = (Failure("net 12ab", "a/2.png", "RuntimeError: out of memory | bad\nluck"),)
    return Evaluation(header, images, summary(images, "identity"), do_no_harm(images), costs, failures)


def test_the_report_is_as_it_was_read_and_found_good():
    golden = Path(__file__).with_name("evaluation_golden.md")
    assert markdown(evaluation()) == golden.read_text(encoding="utf-8")


def test_the_document_has_null_where_a_figure_is_not_known():
    found = document(evaluation())
    assert found["summary"][0]["method"] == "identity"
    assert {one["mean"] for one in found["summary"] if one["metric"] == "mef_ssim"} == {None}
    assert found["costs"][0]["parameters"] is None
    assert found["costs"][1]["parameters"] == 560323
    assert found["failures"][0]["input"] == "a/2.png"


def test_a_cell_cannot_break_the_table():
    assert markdown_table(["a", "b"], [["x|y", "1\n2"]]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 2 |"


def test_the_figure_is_a_picture():
    import cv2

    drawn = cv2.imdecode(np.frombuffer(comparison_figure(evaluation().summary), np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape[0] > 200
    assert drawn.shape[1] > 300
    assert (drawn == 255).all(axis=2).mean() < 0.99


def test_overview_has_a_row_per_method_and_says_where_one_has_no_figure():
    rows = [
        ("under", "identity", "psnr", 8.0),
        ("under", "lime", "psnr", 14.0),
        ("over", "identity", "psnr", 11.0),
        ("over", "identity", "fsim", 0.5),
        ("EV +2", "identity", "psnr", 12.0),
    ]
    shown = overview(pd.DataFrame(rows, columns=["table", "method", "metric", "mean"]))
    assert list(shown.columns) == ["under dB", "over dB"]
    assert shown.loc["identity"].tolist() == [8.0, 11.0]
    assert math.isnan(shown.loc["lime", "over dB"])
