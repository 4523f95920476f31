"""The original files of one scene as pixels: verified, decoded at most once each, counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.atomic_files import sha256_hex
from builder.images import as_8_bit, decode_image, develop_raw, raw_white_balance, read_bytes
from builder.scene_record import ExposureRecord, SceneRecord
from builder.settings import Settings

Frame = NDArray[np.uint8]
LinearFrame = NDArray[np.uint16]
WhiteBalance = tuple[float, float, float, float]


class ChangedOriginal(ValueError):
    """An original no longer has the bytes that were ingested."""


class Originals:
    """Decodes the originals of one scene; RAW frames share one white balance."""

    def __init__(self, data: Path, scene: SceneRecord, settings: Settings) -> None:
        self.decoded = 0  # frames decoded so far, shown in the summary of a build
        self._data = data
        self._scene = scene
        self._scale = settings.align.scale
        self._limits = settings.scan
        self._white_balance: WhiteBalance | None = None

    def display(self, position: int) -> Frame:
        """One original that is not RAW: HxWx3 uint8, sRGB, upright."""
        exposure = self._scene.exposures[position]
        frame = decode_image(self._read(exposure), name=exposure.path, limits=self._limits)
        self.decoded += 1
        return as_8_bit(self._resized(frame))

    def linear(self, position: int) -> LinearFrame:
        """One RAW original: HxWx3 uint16, linear, 65535 = white, upright."""
        exposure = self._scene.exposures[position]
        frame = develop_raw(
            self._read(exposure),
            white_balance=self._shared_white_balance(),
            name=exposure.path,
            limits=self._limits,
        )
        self.decoded += 1
        return self._resized(frame)

    def _shared_white_balance(self) -> WhiteBalance:
        """The as-shot balance of the middle RAW frame: a camera's own choice varies within a bracket."""
        if self._white_balance is None:
            raw = [exposure for exposure in self._scene.exposures if exposure.kind == "raw"]
            middle = min(raw, key=lambda exposure: abs(exposure.relative_ev or 0.0))
            self._white_balance = raw_white_balance(self._read(middle), name=middle.path)
        return self._white_balance

    def _read(self, exposure: ExposureRecord) -> bytes:
        data = read_bytes(self._data / exposure.path, self._limits)
        if sha256_hex(data) != exposure.sha256:
            raise ChangedOriginal(
                f"scene {self._scene.name!r}: {exposure.path} is not the file that was ingested (its SHA-256 "
                f"differs); put the original back, or delete originals/{self._scene.name} and ingest again"
            )
        return data

    def _resized(self, frame: NDArray[Any]) -> NDArray[Any]:
        if self._scale == 1.0:
            return frame
        return cv2.resize(frame, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_AREA)
