"""Tensors for the tests of losses."""

from __future__ import annotations

import torch
from torch import Tensor

SEED_PARAMETERS = {"kernel_size": 8, "stride": 8, "c1": 1e-4, "c2": 1e-3}


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2018)
    x, y = torch.rand(2, *shape, generator=generator, dtype=torch.float64).to(dtype)
    return x, y


def value_and_gradient(
    loss: torch.nn.Module, x: Tensor, y: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = loss(x, y, mask)
    value.backward()
    return value.detach(), x.grad
