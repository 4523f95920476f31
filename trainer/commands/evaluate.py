"""The command `evaluate`: one table over trained networks and classical baselines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from tqdm import tqdm

from builder.atomic_files import replace_file
from builder.images import LinearPicture, encode_exr
from trainer.dataset.manifest import Dataset, open_dataset
from trainer.dataset.merged_light import lights_of
from trainer.evaluation.comparison import Comparison, Evaluation, evaluate, fitted_baselines
from trainer.evaluation.hdr_estimates import hdr_estimates
from trainer.evaluation.hdr_report import hdr_overview
from trainer.evaluation.methods import Light, NetworkMethod, network_method, split_names
from trainer.evaluation.report import write_report
from trainer.evaluation.report_figure import comparison_figure, missing_for_figure
from trainer.evaluation.scene_views import Protocol, scenes_of
from trainer.evaluation.tables import overview
from trainer.exit_codes import SOMETHING_FAILED

TEST_LOG = "test_log.jsonl"
SMALLEST_SIDE = 32


class Size(click.ParamType):
    """Pixels of the short side, or `native`, which is None inside."""

    name = "pixels|native"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value is None or value == "native":
            return None
        try:
            side = int(str(value))
        except ValueError:
            side = 0
        if side < SMALLEST_SIDE:
            self.fail(
                f"{value!r}: give pixels of the short side (at least {SMALLEST_SIDE}), or native", param, ctx
            )
        return side


@click.command(short_help="One table over trained networks and classical baselines.")
@click.argument("dataset", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", metavar="RUN|BASELINE...", nargs=-1, required=True)
@click.option("--split", type=click.Choice(["val", "test"]), default="val", show_default=True)
@click.option("--size", type=Size(), default="1024", show_default=True, help="Short side; never enlarged.")
@click.option("--against", default="identity", show_default=True, help="Row that differences refer to.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder  [default: runs/evaluation-SPLIT]")
@click.option(
    "--well-ev",
    type=click.FloatRange(0, 5),
    default=0.5,
    show_default=True,
    help="Well exposed: |EV| up to this.",
)
@click.option("--device", default="auto", show_default=True, help="Of the networks: auto, cpu, cuda.")
@click.option("--tile", type=click.IntRange(0), help="Side of a tile, 0: none  [default: fits the memory]")
@click.option(
    "--jobs", type=click.IntRange(1), default=lambda: os.cpu_count() or 1, help="Processes  [default: all]"
)
@click.option(
    "--dump-hdr",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for EXR files of all HDR estimates and their truths, for metrics of other programs.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out damaged pairs and list them.")
@click.pass_context
def command(
    ctx: click.Context,
    dataset: Path,
    names: Sequence[str],
    split: str,
    size: int | None,
    against: str,
    output: Path | None,
    well_ev: float,
    device: str,
    tile: int | None,
    jobs: int,
    dump_hdr: Path | None,
    skip_bad: bool,
) -> None:
    """Score networks (folders of runs) and baselines (or `all`) on a split of an exported DATASET."""
    folder = output or Path("runs") / f"evaluation-{split}"
    _require_outside("--output", folder, dataset)
    if dump_hdr is not None:
        _require_outside("--dump-hdr", dump_hdr, dataset)
    baselines, runs = split_names(names)
    opened = open_dataset(dataset, splits=_splits(split, baselines), skip_bad=skip_bad)
    networks = tuple(network_method(run, device=device, tile=tile) for run in runs)
    row = _row(against, baselines, dict(zip(map(str, runs), networks, strict=True)))
    protocol = Protocol(dataset, size, well_ev)
    fitted = fitted_baselines(opened, baselines, protocol, jobs=jobs)
    if split == "test":
        _log_test_runs(networks, opened, size)
    comparison = Comparison(opened, split, protocol, fitted, networks, row)
    evaluation = _with_hdr(_with_progress(comparison, jobs), comparison, dump_hdr)
    _write(evaluation, folder)
    if evaluation.failures:
        click.echo(
            f"{len(evaluation.failures)} outputs could not be made or scored; the report lists them", err=True
        )
        ctx.exit(SOMETHING_FAILED)


def _require_outside(option: str, folder: Path, dataset: Path) -> None:
    if folder.resolve().is_relative_to(dataset.resolve()):
        raise click.UsageError(
            f"{option} {folder} lies in the dataset, which is never written to; name another"
        )


def _splits(split: str, baselines: Sequence[str]) -> tuple[str, ...]:
    return (split, "train") if "gamma_fit" in baselines else (split,)


def _row(against: str, baselines: Sequence[str], networks: dict[str, NetworkMethod]) -> str:
    """The name in the table of what the user calls by its baseline, its folder or that name."""
    names = {name: name for name in baselines}
    for run, network in networks.items():
        names |= {run: network.method.name, network.method.name: network.method.name}
    if against not in names:
        raise click.UsageError(f"--against {against!r} is not compared here; name one of {', '.join(names)}")
    return names[against]


def _log_test_runs(networks: Sequence[NetworkMethod], dataset: Dataset, size: int | None) -> None:
    """One line per look at the test split, before it is taken: whoever chooses by the test split leaves a trace."""
    for network in networks:
        path = network.run / TEST_LOG
        line = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "checkpoint_sha256": network.checkpoint_sha256,
            "manifest_sha256": dataset.sha256,
            "short_side": size or "native",
        }
        before = path.read_bytes() if path.exists() else b""
        replace_file(path, before + json.dumps(line).encode() + b"\n")


def _with_progress(comparison: Comparison, jobs: int) -> Evaluation:
    scenes = scenes_of(comparison.dataset.split(comparison.split))
    # on a terminal only; elsewhere a bar is noise
    with tqdm(total=len(scenes), desc="evaluate", unit="scene", disable=None) as bar:
        return evaluate(comparison, jobs=min(jobs, len(scenes)), on_scene=bar.update)


def _with_hdr(evaluation: Evaluation, comparison: Comparison, dump: Path | None) -> Evaluation:
    """With the table of HDR estimates, if a network gives any and the dataset has the truth."""

    def keep(place: Path, light: Light) -> None:
        if dump is not None:
            replace_file(dump / f"{place}.exr", encode_exr(LinearPicture(light, {"scale": "1.0 = white"})))

    if all(one.light is None for one in comparison.networks):
        return evaluation
    pairs = comparison.dataset.split(comparison.split)
    try:
        lights = lights_of(comparison.dataset, pairs)
    except ValueError as error:  # the pictures that were compared are no less worth
        click.echo(f"No table of HDR estimates: {error}", err=True)
        return evaluation
    with tqdm(total=len(lights), desc="HDR estimates", unit="scene", disable=None) as bar:
        hdr = hdr_estimates(pairs, lights, comparison.protocol, comparison.networks, bar.update, keep)
    failures = evaluation.failures + (hdr.failures if hdr is not None else ())
    return replace(evaluation, hdr=hdr, failures=failures)


def _write(evaluation: Evaluation, folder: Path) -> None:
    written = write_report(evaluation, folder)
    missing = missing_for_figure()
    if missing:
        click.echo(f"No figure: {missing}", err=True)
    else:
        replace_file(folder / "evaluation.png", comparison_figure(evaluation.summary))
        written.append(folder / "evaluation.png")
    click.echo(overview(evaluation.summary).to_string(float_format=_three_digits, na_rep="-"))
    if evaluation.hdr is not None and len(evaluation.hdr.images):
        click.echo(f"\n{hdr_overview(evaluation.hdr).to_string(float_format=_three_digits, na_rep='-')}")
    click.echo("\nWith intervals, more metrics, every EV and the costs:")
    click.echo("\n".join(f"  {path}" for path in written))


def _three_digits(value: float) -> str:
    return f"{value:.3g}"
