"""`python -m tests.benchmarks [NAME...]`: measure, print a table each, write runs/bench/<name>.json."""

from __future__ import annotations

from pathlib import Path

import click

from tests.benchmarks import (
    enhance_memory,
    enhance_speed,
    every_algorithm,
    mertens_and_enfuse,
    mertens_and_opencv,
    published_scores,
    study_latency,
    training_throughput,
    weighted_least_squares,
    whole_scene,
)
from tests.benchmarks.report import Settings, print_report, write_report

# A benchmark is a file with `run(settings) -> Report`, and its name here. In the order in which they run.
BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module.run
    for module in (
        mertens_and_opencv,
        mertens_and_enfuse,
        every_algorithm,
        whole_scene,
        published_scores,
        study_latency,
        training_throughput,
        weighted_least_squares,
        enhance_memory,
        enhance_speed,
    )
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(BENCHMARKS)))
@click.option("--megapixels", multiple=True, type=click.IntRange(1, 100), help="Image size; may be repeated.")
@click.option(
    "--runs", default=3, show_default=True, type=click.IntRange(1), help="The median of these counts."
)
@click.option("--output", default="runs/bench", show_default=True, type=click.Path(path_type=Path))
def main(names: tuple[str, ...], megapixels: tuple[int, ...], runs: int, output: Path) -> None:
    """Run the named benchmarks, or all."""
    for name in names or BENCHMARKS:
        report = BENCHMARKS[name](Settings(megapixels, runs))
        print_report(report)
        write_report(report, output / f"{name}.json")


if __name__ == "__main__":
    main()
