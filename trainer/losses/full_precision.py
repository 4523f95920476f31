"""Losses are measured in float32 or wider, whatever precision the network runs in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Forward = Callable[[Any, Tensor, Tensor, Tensor | None], Tensor]


def in_full_precision(forward: Forward) -> Callable[..., Tensor]:
    """Makes a loss's `forward(self, output, reference, mask)` run outside autocast, on float32 or wider tensors.

    The mask may be left out. bfloat16 has 8 bits: a variance as a difference of means would be lost in it.
    ValueError unless output and reference are NxCxHxW of one shape: broadcasting would hide a wrong batch.
    """

    @functools.wraps(forward)
    def widened(self: Any, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        if output.shape != reference.shape or output.ndim != 4:
            raise ValueError(
                f"a loss compares NxCxHxW tensors of one shape, found output {tuple(output.shape)} "
                f"and reference {tuple(reference.shape)}"
            )
        wide = torch.promote_types(torch.promote_types(output.dtype, reference.dtype), torch.float32)
        with torch.autocast(output.device.type, enabled=False):
            given = None if mask is None else mask.to(wide)
            return forward(self, output.to(wide), reference.to(wide), given)

    return widened
