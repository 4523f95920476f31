"""Summaries of the scores per image: one table for each kind of input and each exposure value, all in long form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from trainer.evaluation.bootstrap import mean_intervals
from trainer.evaluation.scores import METRICS
from trainer.exposure_kinds import ITSELF

# the do-no-harm gate: what a method may cost pictures that need nothing
GATE = {"itself_mean": 32.0, "itself_p5": 28.0, "well_change": -0.1}  # least dB, see `do_no_harm`
PERCENTILE = 5
KEYS = list(METRICS)
OVERVIEW = {"psnr": "dB", "ssim_rgb_g11": "SSIM"}
TABLES = ("under", "over", "well", ITSELF)  # and one per EV bin


def in_table_order(images: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Rows per image by method as they are listed, then by scene and input."""
    rank = images["method"].map({method: place for place, method in enumerate(methods)})
    ordered = images.assign(rank=rank).sort_values(["rank", "scene", "kind", "input"], ignore_index=True)
    return ordered.drop(columns="rank")


def ev_table(ev_bin: int) -> str:
    """The name of an EV bin's table."""
    return f"EV {ev_bin:+d}" if ev_bin else "EV 0"


def tables_of(images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows per image of each table that has any: by kind, then by whole EV from dark to bright."""
    by_kind = {kind: images[images["kind"] == kind] for kind in TABLES}
    exposures = images[images["kind"] != ITSELF]
    bins = sorted(int(one) for one in exposures["ev_bin"].unique())
    by_ev = {ev_table(one): exposures[exposures["ev_bin"] == one] for one in bins}
    return {name: rows for name, rows in (by_kind | by_ev).items() if len(rows)}


def summary(images: pd.DataFrame, against: str, metrics: Sequence[str] = KEYS) -> pd.DataFrame:
    """One row per table, method and metric: images, scenes, mean, low, high, and the paired difference with `against`.

    metrics: columns of `images`. Images are averaged in their scene, scenes weigh alike. A difference is over the
    images that both methods have.
    """
    parts = [
        _summary_of(rows, against, metrics).assign(table=name, order=order)
        for order, (name, rows) in enumerate(tables_of(images).items())
    ]
    together = pd.concat(parts, ignore_index=True)
    rank = {name: place for place, name in enumerate(images["method"].unique())}
    together["rank"] = together["method"].map(rank)
    together["column"] = together["metric"].map(list(metrics).index)
    ordered = together.sort_values(["order", "rank", "column"], ignore_index=True)
    first = ["table", "method", "metric", "images", "scenes", "mean", "low", "high"]
    return ordered[[*first, "difference", "difference_low", "difference_high"]]


def _summary_of(rows: pd.DataFrame, against: str, metrics: Sequence[str]) -> pd.DataFrame:
    """The summary of one table's rows, in no special order."""
    by_scene = rows.pivot_table(
        values=list(metrics), index="scene", columns="method", aggfunc="mean", dropna=False
    )
    table = mean_intervals(by_scene)
    table["images"] = rows.groupby("method").size().reindex(table.index.get_level_values("method")).to_numpy()
    names = {"mean": "difference", "low": "difference_low", "high": "difference_high"}
    differences = mean_intervals(scene_differences(rows, against, metrics)).rename(columns=names)
    joined = table.join(differences[list(names.values())])
    return joined.rename_axis(["metric", "method"]).reset_index()


def scene_differences(rows: pd.DataFrame, against: str, metrics: Sequence[str] = KEYS) -> pd.DataFrame:
    """Mean difference with `against` of each scene: scenes x (metric, method); NaN where nothing can be compared."""
    by_image = rows.pivot(index=["scene", "input"], columns="method", values=list(metrics))
    if against not in rows["method"].to_numpy():
        return (by_image * np.nan).groupby(level="scene").mean()
    others = pd.DataFrame({column: by_image[(column[0], against)] for column in by_image.columns})
    return (by_image - others).groupby(level="scene").mean()


def overview(summary: pd.DataFrame, titles: Mapping[str, str] = OVERVIEW) -> pd.DataFrame:
    """Methods x (kind of input, means of the metrics of `titles`): for a terminal; the report has the rest."""
    shown = summary[summary["table"].isin(TABLES) & summary["metric"].isin(titles)]
    wide = shown.pivot_table(index="method", columns=["table", "metric"], values="mean", sort=False)
    wide.columns = pd.Index([f"{column[0]} {titles[column[1]]}" for column in wide.columns])
    return wide.rename_axis(None)


def do_no_harm(images: pd.DataFrame) -> pd.DataFrame:
    """The gate, one row per method that is meant for well exposed pictures: figures in dB, and in `harm` which failed.

    itself_mean and itself_p5: PSNR of references given as input. well_change: paired change of PSNR on well exposed
    input against identity. NaN where there are no such pictures: that is no pass and no harm.
    """
    rows = images[images["kind"].isin(("well", ITSELF))]
    methods = rows["method"].unique()
    itself = rows[rows["kind"] == ITSELF].pivot(index="scene", columns="method", values="psnr")
    well = rows[rows["kind"] == "well"]
    change = pd.Series(scene_differences(well, "identity")["psnr"].mean() if len(well) else None, dtype=float)
    gate = pd.DataFrame(
        {
            "itself_mean": itself.mean().reindex(methods),
            "itself_p5": itself.quantile([PERCENTILE / 100]).iloc[0].reindex(methods),
            "well_change": change.reindex(methods),
        },
        index=pd.Index(methods, name="method"),
    )
    gate["harm"] = [
        "; ".join(
            f"{name} {figure:.2f} < {lowest:g} dB"
            for (name, lowest), figure in zip(GATE.items(), figures, strict=True)
            if figure < lowest
        )
        for figures in gate[list(GATE)].to_numpy()
    ]
    return gate.reset_index()
