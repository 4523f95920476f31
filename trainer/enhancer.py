"""A trained network applied to whole pictures of any size, in tiles, within bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.checkpoint import TrainedNetwork


class Enhancer:
    """A network with its device and tile size. Safe to use for many pictures one after the other."""

    def __init__(self, trained: TrainedNetwork, *, device: str = "auto", tile: int | None = None) -> None:
        """tile: side in pixels without halo, None = chosen to fit the memory, 0 = the whole picture at once."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """For tables: the network's name and the checkpoint's digest."""
        raise NotImplementedError

    def enhance(self, picture: NDArray[Any], strength: float = 1.0) -> NDArray[np.float32]:
        """HxWx3 RGB uint8, uint16 or float32 in [0, 1] -> HxWx3 float32, clamped to [0, 1]; strength 0 gives the input."""
        raise NotImplementedError


def load_enhancer(run: Path, *, device: str = "auto", tile: int | None = None) -> Enhancer:
    """The enhancer of a run folder; CheckpointError if there is none."""
    raise NotImplementedError
