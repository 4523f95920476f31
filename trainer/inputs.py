"""What a network sees of pictures: the one type between data, networks, training, evaluation and photographs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

THUMBNAIL_SIDE = 256  # of the whole frame, area-resized, whatever its shape


@dataclass(frozen=True)
class Inputs:
    """N crops of pictures, float32. A field that the network does not name in `needs` may be None.

    data: Nx3xHxW, RGB, sRGB-encoded, in [0, 1].
    base, detail: Nx1xHxW, the WLS base of the luminance of the whole picture and what it leaves
    (preprocessing/base_detail.py).
    thumbnail: Nx3x256x256, the whole picture that the crop is from, however small the crop.
    place: Nx4, of the crop in its picture: top, left, and the picture's height and width, in pixels.
    strength: N, 1 = as trained, 0 = the input; networks without a strength of their own ignore it.
    lines: Nx2Chxw, what the network painted on the whole picture at the size of its training, as lines along its
    brightness (networks/guided_lines.py); None: it paints on the crop.
    """

    data: Tensor
    base: Tensor | None = None
    detail: Tensor | None = None
    thumbnail: Tensor | None = None
    place: Tensor | None = None
    strength: Tensor | None = None
    lines: Tensor | None = None

    def to(self, *arguments: Any, **keywords: Any) -> Inputs:
        """All tensors moved as `Tensor.to` does."""
        moved = {one.name: _moved(getattr(self, one.name), arguments, keywords) for one in fields(self)}
        return replace(self, **moved)


@dataclass(frozen=True)
class Batch:
    """Inputs with what they should become.

    reference: Nx3xHxW float32 in [0, 1]. relative_ev: N. rows: index of each sample's pair in the manifest.
    hdr: Nx3xHxW linear light, reference white = 1, only for networks that need it.
    mask: Nx1xHxW, 0 where a pixel says nothing (padding), None = everywhere 1.
    """

    inputs: Inputs
    reference: Tensor
    relative_ev: Tensor
    rows: tuple[int, ...]
    hdr: Tensor | None = None
    mask: Tensor | None = None

    def to(self, *arguments: Any, **keywords: Any) -> Batch:
        """All tensors moved as `Tensor.to` does."""
        names = ("inputs", "reference", "relative_ev", "hdr", "mask")
        moved = {name: _moved(getattr(self, name), arguments, keywords) for name in names}
        return replace(self, **moved)


def _moved(value: Tensor | Inputs | None, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return None if value is None else value.to(*arguments, **keywords)


def picture_tensor(picture: Any) -> Tensor:
    """HxWx3 float32 array -> 1x3xHxW tensor of the same values."""
    return torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0)
