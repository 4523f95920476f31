"""`import-caffe`: a run folder of the weights that the SICE authors released, for `evaluate` and `enhance`."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import click

from trainer.checkpoint import save_weights
from trainer.exchange.caffe_weights import read_caffe_weights


@click.command("import-caffe")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The run folder to make.")
def command(file: Path, output: Path) -> None:
    """Make a run folder of FILE, a .caffemodel of SICE; which of the three it is, its layers tell."""
    name, weights = read_caffe_weights(file)
    digest = sha256(file.read_bytes()).hexdigest()
    saved = save_weights(output, name, {}, weights, f"{file.name} (SHA-256 {digest})")
    click.echo(f"{name}, {sum(value.numel() for value in weights.values()):,} numbers: {saved}")
