"""The figure of a comparison: means with their intervals, a column of panels for each kind of input."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO

import pandas as pd

PANELS = ("psnr", "ssim_rgb_g11", "fsimc")  # one row each
KINDS_DRAWN = ("under", "over", "well")
BLUE, INK = "#0072b2", "#2b2f33"


def missing_for_figure() -> str:
    """What to do about a missing library, "" if it is there."""
    if find_spec("matplotlib") is None:
        return (
            "matplotlib is not installed; install the extra 'train' (pip install 'contrast-foundry[train]')"
        )
    return ""


def comparison_figure(summary: pd.DataFrame) -> bytes:
    """A PNG of the kinds and metrics that `summary` (tables.py) has; ModuleNotFoundError without matplotlib."""
    from matplotlib.figure import Figure  # an extra; pyplot would keep global state

    from trainer.evaluation.scores import METRICS

    kinds = [kind for kind in KINDS_DRAWN if (summary["table"] == kind).any()]
    methods = list(dict.fromkeys(summary["method"]))
    figure = Figure(
        figsize=(3.6 * len(kinds) + 1.6, (0.28 * len(methods) + 0.9) * len(PANELS)), layout="constrained"
    )
    axes = figure.subplots(len(PANELS), len(kinds), squeeze=False, sharey=True, sharex="row")
    for row, metric in zip(axes, PANELS, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            of_panel = summary[(summary["table"] == kind) & (summary["metric"] == metric)].set_index("method")
            known = of_panel.reindex(methods)
            for place, (mean, low, high) in enumerate(known[["mean", "low", "high"]].to_numpy()):
                panel.plot([low, high], [place, place], color=BLUE, linewidth=2)
                panel.plot([mean], [place], "o", color=INK, markersize=4)
            panel.set_title(f"{kind}: {METRICS[metric].title}", fontsize=9)
            panel.grid(axis="x", linewidth=0.4)
    axes[0][0].set_yticks(range(len(methods)), methods)
    axes[0][0].invert_yaxis()
    content = BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    return content.getvalue()
