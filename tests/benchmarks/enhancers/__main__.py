"""`python -m tests.benchmarks.enhancers DATASET`: train all with some seeds, score them on unseen scenes, compare."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pandas as pd

from tests.benchmarks.enhancers.differences import differences, means, with_preset_and_seed
from tests.benchmarks.enhancers.scoring import scored
from tests.benchmarks.enhancers.training import OURS, PRESETS, SICE, Budget, runs_of, train

FIGURES = "{:.4g}".format


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--unseen",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Further datasets: their test split too.",
)
@click.option("--steps", default=1500, show_default=True, type=click.IntRange(20))
@click.option("--crop", default=96, show_default=True, type=click.IntRange(32))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--preset", "presets", multiple=True, default=PRESETS, show_default=True)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    type=(str, float),
    metavar="PRESET RATE",
    help="Instead of the preset's.",
)
@click.option("--split", default="test", show_default=True, type=click.Choice(["val", "test"]))
@click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(1), help="Trainings at once, a thread each."
)
@click.option("--output", default="runs/enhancers", show_default=True, type=click.Path(path_type=Path))
def main(
    dataset: Path, unseen: tuple[Path, ...], steps: int, crop: int, seeds: int, presets: tuple[str, ...],
    rates: tuple[tuple[str, float], ...], split: str, jobs: int, output: Path,
) -> None:  # fmt: skip
    """Train on DATASET's train split; the tables are of scenes that no network has seen."""
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    budget = Budget(steps, crop)
    with ThreadPoolExecutor(jobs) as pool:
        wanted = list(runs_of(presets, seeds, dict(rates)))
        folders = list(pool.map(lambda run: train(dataset, run, budget, output), wanted))
    for place, tested in enumerate((dataset, *unseen), start=1):
        tables = output / f"{split}-{place}"
        click.echo(f"\n{tables}: {tested}")
        tables.mkdir(exist_ok=True)
        images = with_preset_and_seed(scored(tested, folders, split, jobs))
        images.to_csv(tables / "images.csv", index=False)
        _show(images, presets, tables)


def _show(images: pd.DataFrame, presets: tuple[str, ...], output: Path) -> None:
    """Print and keep the two tables."""
    pairs = [(ours, theirs) for ours in OURS for theirs in SICE if {ours, theirs} <= set(presets)]
    tables = {"means": means(images)}
    if pairs:
        tables["differences"] = pd.concat([differences(images, ours, theirs) for ours, theirs in pairs])
    for name, table in tables.items():
        click.echo(f"\n{output.name}: {name}\n{table.to_string(index=False, float_format=FIGURES)}")
        table.to_csv(output / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
