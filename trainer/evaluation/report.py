"""A comparison as files: scores per image and summaries as CSV, everything as JSON, tables as Markdown, a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from builder.atomic_files import replace_file
from trainer.evaluation.comparison import Evaluation
from trainer.evaluation.scored_scenes import Failure
from trainer.evaluation.scores import METRICS
from trainer.evaluation.tables import GATE
from trainer.exposure_kinds import ITSELF

TITLES = {
    "under": "Under-exposed input",
    "over": "Over-exposed input",
    "well": "Well-exposed input: do no harm",
    ITSELF: "References as input: do no harm",
}
UNKNOWN = "–"


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """images.csv, summary.csv, evaluation.json and evaluation.md in a folder; what is there is replaced.

    CannotWrite if the disk or the folder refuses.
    """
    contents = {
        "images.csv": evaluation.images.to_csv(index=False, lineterminator="\n"),
        "summary.csv": evaluation.summary.to_csv(index=False, lineterminator="\n"),
        "evaluation.json": json.dumps(document(evaluation), indent=1, ensure_ascii=False) + "\n",
        "evaluation.md": markdown(evaluation),
    }
    for name, content in contents.items():
        replace_file(folder / name, content.encode())
    return [folder / name for name in contents]


def document(evaluation: Evaluation) -> dict[str, Any]:
    """All but the scores per image, for json.dumps; a figure that there is not is null."""
    frames = {"summary": evaluation.summary, "do_no_harm": evaluation.gate, "costs": evaluation.costs}
    records = {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}
    return {"header": evaluation.header, **records, "failures": [asdict(one) for one in evaluation.failures]}


def markdown(evaluation: Evaluation) -> str:
    """The whole report as GitHub's Markdown."""
    against, harm = evaluation.header["against"], evaluation.gate.set_index("method")["harm"]
    parts = ["# Comparison of methods", *_header_lines(evaluation.header)]
    for name, rows in evaluation.summary.groupby("table", sort=False):
        marks = harm if name in ("well", ITSELF) else harm[:0]
        parts += [f"## {TITLES.get(str(name), f'Input at {name}')}", _value_table(rows, marks)]
        if name in TITLES and rows["difference"].notna().any():
            parts += [
                f"Paired differences with {against}; bold: the interval excludes 0.",
                _difference_table(rows),
            ]
    parts += ["## Do-no-harm gate", _gate_sentence(), _gate_table(evaluation.gate)]
    parts += ["## Cost", _cost_table(evaluation.costs)]
    if evaluation.failures:
        parts += ["## Failures", _failure_table(evaluation.failures)]
    return "\n\n".join(parts) + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _header_lines(header: dict[str, Any]) -> Iterator[str]:
    images = ", ".join(f"{count} {kind}" for kind, count in header["images"].items())
    yield (
        f"Dataset {header['dataset']}, split {header['split']}, manifest `{header['manifest_sha256'][:12]}`: "
        f"{header['scenes']} scenes, images: {images}. Short side {header['short_side']}; "
        f"well exposed is |EV| <= {header['well_ev']:g}."
    )
    bootstrap = header["bootstrap"]
    yield (
        f"Images are averaged in their scene, scenes weigh alike; in brackets {bootstrap['level']:.0%} intervals of "
        f"{bootstrap['resamples']:,} bootstrap resamples of scenes, seed {bootstrap['seed']}. "
        "An output equal to its reference counts as 100 dB."
    )
    for name, one in header["networks"].items():
        yield (
            f"{name}: step {one['step']}, checkpoint `{one['checkpoint_sha256'][:12]}`, "
            f"config `{one['config_sha256'][:12]}`."
        )
    if header["skipped"]:
        yield "\n".join(["Skipped:", "", *(f"- {sentence}" for sentence in header["skipped"])])
    yield "Made with " + ", ".join(f"{name} {number}" for name, number in header["versions"].items()) + "."


def _value_table(rows: pd.DataFrame, harm: pd.Series[str]) -> str:
    lines = []
    for method, cells in _cells(rows).items():
        mark = " **harms**" if harm.get(method, "") else ""
        counts = [str(cells["psnr"].images), str(cells["psnr"].scenes)]
        values = [
            _interval((cells[key].mean, cells[key].low, cells[key].high), column.digits)
            for key, column in METRICS.items()
        ]
        lines.append([f"{method}{mark}", *counts, *values])
    return markdown_table(["method", "images", "scenes", *_columns()], lines)


def _difference_table(rows: pd.DataFrame) -> str:
    lines = []
    for method, cells in _cells(rows).items():
        values = [
            _difference(
                (cells[key].difference, cells[key].difference_low, cells[key].difference_high), column.digits
            )
            for key, column in METRICS.items()
        ]
        lines.append([method, *values])
    return markdown_table(["method", *_columns()], lines)


def _cells(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """method -> metric -> its row of the summary, methods in order."""
    cells: dict[str, dict[str, Any]] = {}
    for row in rows.itertuples(index=False):
        cells.setdefault(str(row.method), {})[str(row.metric)] = row
    return cells


def _columns() -> list[str]:
    return [f"{column.title} {'↑' if column.higher_is_better else '↓'}" for column in METRICS.values()]


def _interval(values: Sequence[float], digits: int) -> str:
    mean, low, high = values
    if math.isnan(mean):
        return UNKNOWN
    return (
        f"{mean:.{digits}f}"
        if math.isnan(low)
        else f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    )


def _difference(values: Sequence[float], digits: int) -> str:
    mean, low, high = values
    if math.isnan(mean):
        return UNKNOWN
    if math.isnan(low):
        return f"{mean:+.{digits}f}"
    text = f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def _gate_sentence() -> str:
    return (
        f"Passed: references given as input come back with a mean PSNR >= {GATE['itself_mean']:g} dB and a 5th "
        f"percentile >= {GATE['itself_p5']:g} dB, and PSNR on well-exposed input changes by "
        f">= {GATE['well_change']:g} dB against identity."
    )


def _gate_table(gate: pd.DataFrame) -> str:
    lines = []
    for method, harm, figures in zip(gate["method"], gate["harm"], gate[list(GATE)].to_numpy(), strict=True):
        without_harm = "not all measured" if pd.isna(figures).any() else "passed"
        lines.append([str(method), *(_number(figure, 2) for figure in figures), harm or without_harm])
    columns = ["method", "itself, mean dB", "itself, 5th percentile dB", "well-exposed, change dB", "verdict"]
    return markdown_table(columns, lines)


def _cost_table(costs: pd.DataFrame) -> str:
    lines = [
        [str(row.method), _number(row.parameters, 0), *(_number(value, 3) for value in row[2:])]
        for row in costs.itertuples(index=False)
    ]
    return markdown_table(["method", "parameters", "kMAC/px", "s/Mpx"], lines)


def _number(value: Any, digits: int) -> str:
    return UNKNOWN if pd.isna(value) else f"{float(value):,.{digits}f}"


def _failure_table(failures: Sequence[Failure]) -> str:
    lines = [[one.input, one.method or "all methods", one.reason] for one in failures]
    return markdown_table(["input", "method", "reason"], lines)
