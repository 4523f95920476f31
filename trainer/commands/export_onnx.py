"""`export-onnx`: a trained network for runtimes without PyTorch."""

from __future__ import annotations

from pathlib import Path

import click

from builder.atomic_files import replace_file
from trainer.checkpoint import load_network
from trainer.exchange.onnx_export import LARGEST_DIFFERENCE, export_onnx, input_names, largest_difference


@click.command("export-onnx")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The ONNX file to make."
)
@click.option("--check", is_flag=True, help="Compare with onnxruntime on pictures of several sizes.")
def command(run: Path, output: Path, check: bool) -> None:
    """Write the network of RUN as ONNX: batch, height and width free, `strength` an input."""
    trained = load_network(run)
    description = f"{trained.name}, step {trained.step}, checkpoint SHA-256 {trained.sha256}"
    file = export_onnx(trained.network, description)
    if check:
        difference = largest_difference(trained.network, file)
        if difference > LARGEST_DIFFERENCE:
            raise ValueError(
                f"{trained.name}: the ONNX file differs from the network by {difference:.2g}, more than "
                f"{LARGEST_DIFFERENCE:g}; {output} is not written"
            )
        click.echo(f"agrees with onnxruntime within {difference:.2g}")
    replace_file(output, file)
    click.echo(f"{output}: {len(file):,} bytes, inputs {', '.join(input_names(trained.network))}")
