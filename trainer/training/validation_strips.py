"""What the network makes of some validation pictures, to be looked at: input | output | reference | error x 4."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from builder.atomic_files import CannotWrite, replace_file
from builder.dataset.finished import Pair
from builder.images import encode_png
from trainer.inputs import Batch
from trainer.training.data import TrainingData
from trainer.training.validation import psnr

PANEL_SIDE, LABEL_HEIGHT, GAP = 384, 22, 4
ERROR_GAIN = 4
log = logging.getLogger("trainer")
Picture = NDArray[np.uint8]


class Strips:
    """Draws the pictures of the first `scenes` scenes that it is shown, one PNG to a picture."""

    def __init__(self, folder: Path, data: TrainingData, scenes: int) -> None:
        self._folder, self._data, self._limit = folder, data, scenes
        self._scenes: set[str] = set()

    def __call__(self, batch: Batch, output: Tensor) -> None:
        """One validation picture and what became of it."""
        pair = self._data.pair(batch.rows[0])
        if pair.scene not in self._scenes and len(self._scenes) >= self._limit:
            return
        self._scenes.add(pair.scene)
        try:
            replace_file(self._folder / f"{pair.key}.png", encode_png(strip(batch, output, pair)))
        except CannotWrite as error:
            log.warning("%s", error)


def strip(batch: Batch, output: Tensor, pair: Pair) -> Picture:
    """Four labelled panels beside one another, HxWx3 uint8."""
    given, reference = batch.inputs.data, batch.reference
    exposure = "EV unknown" if pair.relative_ev is None else f"EV {pair.relative_ev:+.1f}"
    panels = (
        (f"input {exposure} {psnr(given, reference, batch.mask):.1f} dB", given),
        (f"output {psnr(output, reference, batch.mask):.1f} dB", output),
        ("reference", reference),
        (f"error x {ERROR_GAIN}", (output - reference).abs() * ERROR_GAIN),
    )
    columns = [_panel(_visible(tensor, batch.mask), label) for label, tensor in panels]
    return np.hstack([np.pad(one, ((0, 0), (0, GAP), (0, 0)), constant_values=255) for one in columns])


def _visible(tensor: Tensor, mask: Tensor | None) -> Picture:
    """The first picture without its padding, HxWx3 uint8."""
    pixels = tensor[0].detach().float().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    if mask is not None:
        inside = mask[0, 0].cpu().numpy() > 0
        pixels = pixels[inside.any(axis=1)][:, inside.any(axis=0)]
    return np.ascontiguousarray(pixels)


def _panel(pixels: Picture, label: str) -> Picture:
    """At most PANEL_SIDE wide and high, under a line of text."""
    height, width = pixels.shape[:2]
    scale = min(1.0, PANEL_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    title = np.full((LABEL_HEIGHT, small.shape[1], 3), 255, np.uint8)
    cv2.putText(title, label, (3, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([title, small])
