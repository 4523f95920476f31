"""Checkpoints that are whole or not there: temporary file, fsync, rename, SHA-256 beside; loaded as weights only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class CheckpointError(ValueError):
    """No usable checkpoint; the message says which files were looked at and what is wrong with each."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network ready for use (averaged weights where there are), and where it is from."""

    network: nn.Module  # in eval mode, float32, on CPU
    name: str  # in NETWORKS
    run: Path
    sha256: str  # of the checkpoint file
    step: int
    settings: Mapping[str, Any]  # as stored; {} for imported weights


def save_weights(
    run: Path, name: str, parameters: Mapping[str, Any], weights: Mapping[str, Tensor], source: str
) -> Path:
    """A run folder holding only a network's weights, as `import-caffe` makes it; FileExistsError if one is there."""
    raise NotImplementedError


def load_network(run: Path, *, which: str = "best") -> TrainedNetwork:
    """The network of a run folder (or a checkpoint file): "best" by validation, else "last". CheckpointError if damaged."""
    raise NotImplementedError
