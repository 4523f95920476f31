"""Ours minus theirs, scene by scene, over seeds and for each seed, with intervals over scenes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trainer.evaluation.bootstrap import mean_intervals

METRICS = ("psnr", "ssim_rgb_g11")
KINDS = ("under", "over", "well", "itself")


def with_preset_and_seed(images: pd.DataFrame) -> pd.DataFrame:
    """The rows of `evaluate`'s images.csv with the columns preset and seed; a baseline is its own preset, seed 0."""
    parts = images["method"].str.extract(r"^(?P<preset>.+?)-(?P<seed>\d+)(?:-rate.*)?$")
    table = images.assign(
        preset=parts["preset"].fillna(images["method"]), seed=parts["seed"].fillna(0).astype(int)
    )
    return table[table["kind"].isin(KINDS)]


def means(images: pd.DataFrame) -> pd.DataFrame:
    """Rows preset x kind: mean over seeds and scenes of each metric, with 95 % intervals over scenes."""
    rows = []
    for (preset, kind), part in images.groupby(["preset", "kind"], sort=False):
        by_scene = part.groupby("scene")[list(METRICS)].mean()
        found = mean_intervals(by_scene)
        rows.append(
            {"preset": preset, "kind": kind, "scenes": len(by_scene), "seeds": part["seed"].nunique()}
            | _flat(found)
        )
    return pd.DataFrame(rows)


def differences(images: pd.DataFrame, ours: str, theirs: str) -> pd.DataFrame:
    """Rows kind x seed ("all": the mean over seeds first): ours - theirs on the same images of the same seed."""
    rows = []
    for kind in KINDS:
        both = images[(images["kind"] == kind) & images["preset"].isin((ours, theirs))]
        paired = both.pivot_table(
            index=["scene", "input", "seed"], columns="preset", values=list(METRICS)
        ).dropna()
        if paired.empty:
            continue
        change = pd.DataFrame({name: paired[name, ours] - paired[name, theirs] for name in METRICS})
        by_seed: Sequence[tuple[object, pd.DataFrame]] = [("all", change), *change.groupby(level="seed")]
        for seed, part in by_seed:
            by_scene = part.groupby(level="scene").mean()
            rows.append(
                {"ours": ours, "theirs": theirs, "kind": kind, "seed": seed, "scenes": len(by_scene)}
                | _flat(mean_intervals(by_scene))
            )
    return pd.DataFrame(rows)


def _flat(intervals: pd.DataFrame) -> dict[str, float]:
    return {
        f"{name}{ending}": float(intervals.loc[name, column])
        for name in METRICS
        for ending, column in (("", "mean"), ("_low", "low"), ("_high", "high"))
    }
