"""A trained network applied to whole pictures of any size, in tiles, within bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.checkpoint import TrainedNetwork, load_network
from trainer.enhancement.tile_size import fitting_side
from trainer.enhancement.tiling import Span, cut, tile_rows
from trainer.inputs import THUMBNAIL_SIDE, Inputs, picture_tensor
from trainer.preprocessing.base_detail import BaseDetail, base_detail
from trainer.preprocessing.eight_bits import eight_bits
from trainer.preprocessing.resize import area_resized, short_side_resized

STRENGTHS = (0.0, 1.5)
PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}
DIGEST_LETTERS = 8
PIECE_SIDE = 512  # of tiles in which no pixel asks another: small ones stay in a processor's cache
MARGIN = 64  # pixels of the reduced picture
LARGER = 1.5  # times the short side of its training: from there on a network paints on a reduced picture


@dataclass(frozen=True)
class Piece:
    """A part of an enhanced picture: rows x columns x 3 float32 in [0, 1], a new array; top, left: where it goes."""

    top: int
    left: int
    pixels: NDArray[np.float32]

    def put_into(self, picture: NDArray[Any]) -> None:
        """Write it at its place in HxWx3."""
        height, width = self.pixels.shape[:2]
        picture[self.top : self.top + height, self.left : self.left + width] = self.pixels


@dataclass(frozen=True)
class _Whole:
    """A picture and what networks see of all of it, computed once."""

    pixels: NDArray[Any]  # HxWx3
    planes: BaseDetail | None = None
    thumbnail: Tensor | None = None
    lines: Tensor | None = None  # of a network that paints at the size of its training


class Enhancer:
    """A network with its device and tile size. Safe to use for many pictures one after the other."""

    def __init__(self, trained: TrainedNetwork, *, device: str = "auto", tile: int | None = None) -> None:
        """tile: side in pixels without halo, None = chosen to fit the memory, 0 = the whole picture at once.

        A tile's side is rounded down to the network's `multiple`. ValueError for a device that is not there.
        """
        self._trained = trained
        self._device = _device(device)
        self._network: Any = trained.network.to(self._device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._asked_side = tile

    @property
    def name(self) -> str:
        """For tables: the network's name and the checkpoint's digest."""
        return f"{self._trained.name} {self._trained.sha256[:DIGEST_LETTERS]}"

    @cached_property
    def tile(self) -> int:
        """Side of the tiles in pixels without halo, 0 = the whole picture; found once if automatic."""
        if self._asked_side is None:
            return fitting_side(self._network, self._device)
        multiple = int(self._network.multiple)
        return max(self._asked_side // multiple, 1) * multiple if self._asked_side else 0

    def enhance(self, picture: NDArray[Any], strength: float = 1.0) -> NDArray[np.float32]:
        """HxWx3 RGB uint8, uint16 or float32 in [0, 1] -> HxWx3 float32, clamped to [0, 1]; strength 0 gives the input.

        Raises as `pieces` does.
        """
        enhanced = np.empty(np.shape(picture), np.float32)
        for piece in self.pieces(picture, strength):
            piece.put_into(enhanced)
        return enhanced

    def pieces(self, picture: NDArray[Any], strength: float = 1.0) -> Iterator[Piece]:
        """The same tile by tile, from the top, each row from the left: the whole result is never held.

        ValueError for other shapes, types or strengths, and for a network that gives values that are no numbers.
        """
        _check(picture, strength)
        whole = self._whole(picture) if strength else _Whole(picture)
        tiles = self._tiles(picture, self.tile) if strength and whole.lines is None else _pieces(picture)
        for rows, columns in tiles:
            for span in columns:
                if strength:
                    yield Piece(rows.start, span.start, self._tile(whole, rows, span, strength))
                else:
                    core = picture[rows.start : rows.stop, span.start : span.stop]
                    yield Piece(rows.start, span.start, _unit(core.copy()))

    @property
    def gives_light(self) -> bool:
        """Whether the network was taught to estimate the scene's light."""
        return "hdr" in self._network.needs and hasattr(self._network, "hdr")

    def light(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """A picture as for `enhance` -> its HDR estimate, HxWx3 linear, reference white = 1, in the tiles of `pieces`.

        ValueError as from `pieces`, and for a network that does not give light.
        """
        _check(picture, 1.0)
        if not self.gives_light:
            raise ValueError(f"{self.name} gives no estimate of the scene's light")
        light = np.empty(picture.shape, np.float32)
        whole = self._whole(picture)
        for rows, columns in self._tiles(picture, self.tile):
            for span in columns:
                Piece(rows.start, span.start, self._light_tile(whole, rows, span)).put_into(light)
        return light

    def _tiles(self, picture: NDArray[Any], side: int) -> Iterator[tuple[Span, list[Span]]]:
        height, width = picture.shape[:2]
        multiple, halo = int(self._network.multiple), int(self._network.halo)
        return tile_rows(height, width, side, multiple=multiple, halo=halo)

    def _whole(self, picture: NDArray[Any]) -> _Whole:
        needs = self._network.needs
        # the base is made of 8-bit grey levels anyway
        planes = base_detail(eight_bits(picture)) if needs & {"base", "detail"} else None
        if "thumbnail" not in needs:
            return _Whole(picture, planes, None)
        small = area_resized(picture, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        whole = _Whole(picture, planes, self._tensor(_unit(small)))
        return replace(whole, lines=self._lines(whole)) if self._is_too_large(picture) else whole

    def _is_too_large(self, picture: NDArray[Any]) -> bool:
        """Whether the network should paint on a reduced picture, because it was taught on much smaller ones."""
        side = self._trained.short_side
        return side is not None and hasattr(self._network, "lines") and min(picture.shape[:2]) > LARGER * side

    @torch.inference_mode()
    def _lines(self, whole: _Whole) -> Tensor:
        """What the network paints on the reduced picture, continued by a margin: at a border it sees an edge."""
        assert self._trained.short_side is not None
        pixels = short_side_resized(whole.pixels, self._trained.short_side)
        height, width = pixels.shape[:2]
        edge = min(MARGIN, height - 1, width - 1)
        around = np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), mode="reflect")
        maps = self._painted(replace(whole, pixels=around))[:, edge : edge + height, edge : edge + width]
        ((rows, (columns,)),) = tile_rows(height, width, 0, multiple=1, halo=0)
        inputs = self._inputs(replace(whole, pixels=pixels), rows, columns, 1.0)
        lines: Tensor = self._network.lines(maps[None], inputs)
        return lines

    def _painted(self, whole: _Whole) -> Tensor:
        """CxHxW."""
        bands = []
        for rows, columns in self._tiles(whole.pixels, self.tile):
            tiles = [
                self._core(self._network.painted(self._inputs(whole, rows, span, 1.0)), rows, span)
                for span in columns
            ]
            bands.append(torch.cat(tiles, dim=2))
        return torch.cat(bands, dim=1)

    @torch.inference_mode()
    def _tile(self, whole: _Whole, rows: Span, columns: Span, strength: float) -> NDArray[np.float32]:
        """The core of a tile, rows x columns x 3, in [0, 1]."""
        inputs = self._inputs(whole, rows, columns, strength)
        output = self._network(inputs)
        if "strength" not in self._network.needs and strength != 1:
            output = inputs.data + strength * (output - inputs.data)
        return _pixels(self._core(output, rows, columns).clamp(0, 1))

    @torch.inference_mode()
    def _light_tile(self, whole: _Whole, rows: Span, columns: Span) -> NDArray[np.float32]:
        """The core of a tile of the HDR estimate, rows x columns x 3."""
        light = self._network.hdr(self._inputs(whole, rows, columns, 1.0))
        return _pixels(self._core(light, rows, columns))

    def _core(self, output: Tensor, rows: Span, columns: Span) -> Tensor:
        """1x3xHxW of a window -> its core, 3 x rows x columns; ValueError for values that are no numbers."""
        core = output[0, :, rows.core_in_window, columns.core_in_window]
        if not bool(torch.isfinite(core).all()):
            raise ValueError(
                f"{self.name} gives values that are no numbers; train it again, or take an earlier checkpoint"
            )
        return core

    def _inputs(self, whole: _Whole, rows: Span, columns: Span, strength: float) -> Inputs:
        height, width = whole.pixels.shape[:2]
        place = [[rows.window_start, columns.window_start, height, width]]
        base = detail = None
        if whole.planes is not None:
            base, detail = (
                self._tensor(cut(plane, rows, columns)[..., None])
                for plane in (whole.planes.base, whole.planes.detail)
            )
        return Inputs(
            data=self._tensor(_unit(cut(whole.pixels, rows, columns))),
            base=base,
            detail=detail,
            thumbnail=whole.thumbnail,
            place=torch.tensor(place, dtype=torch.float32, device=self._device),
            strength=torch.full((1,), strength, device=self._device),
            lines=whole.lines,
        )

    def _tensor(self, pixels: NDArray[np.float32]) -> Tensor:
        # HxWxC in memory is what channels_last means: no copy
        return picture_tensor(np.ascontiguousarray(pixels)).to(self._device)


def load_enhancer(run: Path, *, device: str = "auto", tile: int | None = None) -> Enhancer:
    """The enhancer of a run folder; CheckpointError if there is none."""
    return Enhancer(load_network(run), device=device, tile=tile)


def _pieces(picture: NDArray[Any]) -> Iterator[tuple[Span, list[Span]]]:
    """Tiles in which no pixel asks another."""
    return tile_rows(picture.shape[0], picture.shape[1], PIECE_SIDE, multiple=1, halo=0)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: PyTorch finds no GPU here; use 'auto' or 'cpu'")
    return torch.device(name)


def _check(picture: NDArray[Any], strength: float) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape or picture.dtype.name not in PEAKS:
        found = f"{picture.shape} {picture.dtype}"
        raise ValueError(f"a picture is HxWx3 uint8, uint16 or float32 in [0, 1], got {found}")
    low, high = STRENGTHS
    if not low <= strength <= high:
        raise ValueError(
            f"strength {strength:g}: it lies in [{low:g}, {high:g}]; 1 is as trained, 0 the input"
        )


def _pixels(core: Tensor) -> NDArray[np.float32]:
    """3xHxW -> HxWx3."""
    return core.float().permute(1, 2, 0).cpu().numpy()


def _unit(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Any accepted type -> float32 in [0, 1]."""
    peak = PEAKS[pixels.dtype.name]
    return pixels if peak == 1 else np.divide(pixels, peak, dtype=np.float32)
