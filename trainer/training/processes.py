"""The processes of one training: alone, or as `torchrun` started them; and the device that this one computes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainer.settings import RunSettings, SettingsError


@dataclass(frozen=True)
class Processes:
    """This process among `ranks` equal ones; rank 0 alone writes."""

    device: torch.device
    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def joined(self, network: nn.Module) -> nn.Module:
        """The network whose backward averages gradients over all processes."""
        return network if self.ranks == 1 else DistributedDataParallel(network)

    def largest(self, *numbers: float) -> tuple[float, ...]:
        """The largest of each number among the processes: how they agree to stop."""
        if self.ranks == 1:
            return numbers
        values = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return tuple(values.tolist())

    def mean(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The mean of each number over the processes."""
        every = self.gathered(dict(numbers))
        return {name: sum(one[name] for one in every) / len(every) for name in numbers}

    def gathered(self, value: Any) -> list[Any]:
        """A plain value of every process, by rank."""
        if self.ranks == 1:
            return [value]
        every: list[Any] = [None] * self.ranks
        dist.all_gather_object(every, value)
        return every

    def wait(self) -> None:
        """Until all processes are here."""
        if self.ranks > 1:
            dist.barrier()


@contextmanager
def started_processes(
    settings: RunSettings, environment: Mapping[str, str] = os.environ
) -> Iterator[Processes]:
    """Join the others that torchrun started, if any; leave them at the end."""
    ranks = int(environment.get("WORLD_SIZE", "1"))
    device = _device(settings.device, int(environment.get("LOCAL_RANK", "0")))
    if ranks == 1:
        yield Processes(device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(device, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


@contextmanager
def reproducible(settings: RunSettings, device: torch.device) -> Iterator[None]:
    """On a CPU: the same bits in every run, with a fixed number of threads. On a GPU: the fastest kernels."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(device.type == "cpu")
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = benchmark


def _device(name: str, local_rank: int) -> torch.device:
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SettingsError("run.device: cuda asked for, but PyTorch finds no GPU; use auto or cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
