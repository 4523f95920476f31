"""A comparison as files: scores per image and summaries as CSV, everything as JSON, tables as Markdown, a figure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from builder.atomic_files import replace_file
from trainer.evaluation.comparison import Evaluation
from trainer.evaluation.hdr_report import hdr_document, hdr_section
from trainer.evaluation.markdown_tables import difference_table, markdown_table, number, value_table
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


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """images.csv, summary.csv, evaluation.json and evaluation.md in a folder; what is there is replaced.

    With HDR estimates hdr_images.csv and hdr_summary.csv, too. CannotWrite if the disk or the folder refuses.
    """
    frames = {"images": evaluation.images, "summary": evaluation.summary}
    if evaluation.hdr is not None:
        frames |= {"hdr_images": evaluation.hdr.images, "hdr_summary": evaluation.hdr.summary}
    contents = {
        **{f"{name}.csv": frame.to_csv(index=False, lineterminator="\n") for name, frame in frames.items()},
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
    hdr = None if evaluation.hdr is None else hdr_document(evaluation.hdr)
    failures = [asdict(one) for one in evaluation.failures]
    return {"header": evaluation.header, **records, "hdr": hdr, "failures": failures}


def markdown(evaluation: Evaluation) -> str:
    """The whole report as GitHub's Markdown."""
    against, gate = evaluation.header["against"], evaluation.gate
    harm = {str(method): str(words) for method, words in zip(gate["method"], gate["harm"], strict=True)}
    parts = ["# Comparison of methods", *_header_lines(evaluation.header)]
    for name, rows in evaluation.summary.groupby("table", sort=False):
        marks = harm if name in ("well", ITSELF) else {}
        parts += [f"## {TITLES.get(str(name), f'Input at {name}')}", value_table(rows, METRICS, marks)]
        if name in TITLES and rows["difference"].notna().any():
            parts += [
                f"Paired differences with {against}; bold: the interval excludes 0.",
                difference_table(rows, METRICS),
            ]
    parts += ["## Do-no-harm gate", _gate_sentence(), _gate_table(evaluation.gate)]
    parts += ["## Cost", _cost_table(evaluation.costs)]
    if evaluation.hdr is not None:
        parts += hdr_section(evaluation.hdr)
    if evaluation.failures:
        parts += ["## Failures", _failure_table(evaluation.failures)]
    return "\n\n".join(parts) + "\n"


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
        lines.append([str(method), *(number(figure, 2) for figure in figures), harm or without_harm])
    columns = ["method", "itself, mean dB", "itself, 5th percentile dB", "well-exposed, change dB", "verdict"]
    return markdown_table(columns, lines)


def _cost_table(costs: pd.DataFrame) -> str:
    lines = [
        [str(row.method), number(row.parameters, 0), *(number(value, 3) for value in row[2:])]
        for row in costs.itertuples(index=False)
    ]
    return markdown_table(["method", "parameters", "kMAC/px", "s/Mpx"], lines)


def _failure_table(failures: Sequence[Failure]) -> str:
    lines = [[one.input, one.method or "all methods", one.reason] for one in failures]
    return markdown_table(["input", "method", "reason"], lines)
