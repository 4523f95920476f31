"""How large a tile may be: the memory that is free against what the network was seen to need per pixel."""

from __future__ import annotations

import math
import weakref
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainer.enhancement.tiling import up_to_multiple
from trainer.inputs import THUMBNAIL_SIDE, Inputs

PROBE_SIDE = 128
CPU_BUDGET = 192 * 2**20  # bytes: larger tiles are hardly faster there, but for their smaller share of halo
HALOS = 6  # a core of so many halos costs at most 1.8 times its own area
UNSEEN = 1.25  # share for what convolution libraries allocate by themselves
AROUND = 40  # bytes per pixel of inputs and result, as arrays and as tensors
SMALLEST_SIDE = 64


class LiveTensors(TorchFunctionMode):
    """While it is entered: the largest number of bytes that results of PyTorch's functions held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        if storage not in self._known:
            self._known.add(storage)
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._gone, storage.nbytes())

    def _gone(self, count: int) -> None:
        self._now -= count


def bytes_per_pixel(network: nn.Module, device: torch.device) -> float:
    """What one pixel of a window costs, from one run on a small noise picture."""
    side = up_to_multiple(PROBE_SIDE, int(network.multiple))  # type: ignore[arg-type]
    probe = _probe(side, device)
    with torch.inference_mode(), LiveTensors() as live:
        network(probe)
    return AROUND + UNSEEN * live.peak / side**2


def _probe(side: int, device: torch.device) -> Inputs:
    generator = torch.Generator().manual_seed(0)

    def plane(channels: int, length: int) -> Tensor:
        noise = torch.rand(1, channels, length, length, generator=generator).to(device)
        return noise.contiguous(memory_format=torch.channels_last)

    return Inputs(
        data=plane(3, side),
        base=plane(1, side),
        detail=plane(1, side),
        thumbnail=plane(3, THUMBNAIL_SIDE),
        place=torch.tensor([[0.0, 0.0, side, side]], device=device),
        strength=torch.ones(1, device=device),
    )


def free_bytes(device: torch.device) -> float:
    """What tiles may take: on a GPU half of what is free, on CPU a quarter."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 2
    return psutil.virtual_memory().available / 4


def fitting_side(network: nn.Module, device: torch.device) -> int:
    """The side of a tile's core whose window fits into the free memory; never below SMALLEST_SIDE.

    On CPU no larger than pays: CPU_BUDGET, or more where the halo would else cost more than the core.
    """
    multiple, halo = int(network.multiple), int(network.halo)  # type: ignore[arg-type]
    around, cost = 2 * up_to_multiple(halo, multiple), bytes_per_pixel(network, device)
    core = math.isqrt(int(free_bytes(device) / cost)) - around
    if device.type == "cpu":
        core = min(core, max(math.isqrt(int(CPU_BUDGET / cost)) - around, HALOS * halo))
    return max(core // multiple * multiple, up_to_multiple(SMALLEST_SIDE, multiple))
