"""`python -m tests.benchmarks.paper_size`: the whole way at the size of SICE; an hour and a half on two cores.

Each part writes its table to DATA/figures/<part>.json; a part whose table is there is not done again.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click

from tests.benchmarks.paper_size.building import measure_build
from tests.benchmarks.paper_size.pages import measure_pages
from tests.benchmarks.paper_size.photographs import FRAMES, SCENES, take_photographs
from tests.benchmarks.paper_size.queries import look_at_queries
from tests.benchmarks.paper_size.rating import measure_study
from tests.benchmarks.report import Report, print_report, write_report

SIZE = (288, 192)


@click.command()
@click.option("--folder", default="runs/paper_size", show_default=True, type=click.Path(path_type=Path))
@click.option("--scenes", default=SCENES, show_default=True, type=click.IntRange(20))
def main(folder: Path, scenes: int) -> None:
    """Photographs, build, study, pages, queries."""
    photos, data = folder.resolve() / "photos", folder.resolve() / "data"
    frames = take_photographs(photos, scenes, SIZE, os.cpu_count() or 1)
    click.echo(f"{scenes} scenes, {frames:,} frames of {SIZE[0]}x{SIZE[1]} (SICE: {SCENES}, {FRAMES:,})")

    def built() -> Report:
        report = measure_build(photos, data, scenes)
        shutil.copyfile(data / "catalog.sqlite", data / "before-study.sqlite")
        return report

    parts = {
        "build": built,
        "study": lambda: measure_study(data),
        "pages": lambda: measure_pages(data),
        "queries": lambda: look_at_queries(data),
    }
    for name, measure in parts.items():
        figures = folder / "figures" / f"{name}.json"
        if not figures.exists():
            report = measure()
            print_report(report)
            write_report(report, figures)
        click.echo(json.dumps(json.loads(figures.read_text()), indent=1))


if __name__ == "__main__":
    main()
