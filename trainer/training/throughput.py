"""How fast a training is: megapixels per second, the share of time without data, the use of the GPU's arithmetic."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainer.inputs import Inputs

MATRIX_SIDE, MATRIX_RUNS = 8192, 50


@dataclass(frozen=True)
class Throughput:
    """Of some steps of one process. `utilisation`: model FLOPs over those of the matrix rate; None without a GPU."""

    seconds: float
    megapixels: float
    waiting_seconds: float
    utilisation: float | None

    @property
    def megapixels_per_second(self) -> float:
        return self.megapixels / self.seconds if self.seconds else 0.0

    @property
    def waiting_share(self) -> float:
        return self.waiting_seconds / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Arithmetic:
    """What a training step costs and what the device can do."""

    flops_per_pixel: float  # forward and backward: three times the forward convolutions
    matrix_flops_per_second: float  # bfloat16 matrix product, measured in this process

    def utilisation(self, pixels_per_second: float) -> float:
        """Model FLOP utilisation, a share."""
        return self.flops_per_pixel * pixels_per_second / self.matrix_flops_per_second


class Stopwatch:
    """Counts pixels and waiting from the first lap on; the device's own clock measures waiting on a GPU.

    There, waiting is the time in which the GPU has nothing to do between two marks set around a fetch: none, while
    it still computes what was given to it before.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self.arithmetic: Arithmetic | None = None  # known with the first batch
        self._marks: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._pixels, self._waiting, self._began = 0, 0.0, time.perf_counter()  # since the last lap
        self._total_seconds = self._total_pixels = self._total_waiting = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around whatever fetches data."""
        if self._on_gpu:
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            yield
            after.record()
            self._marks.append((before, after))
        else:
            began = time.perf_counter()
            yield
            self._waiting += time.perf_counter() - began

    def count(self, pixels: int) -> None:
        """The pixels of one step."""
        self._pixels += pixels

    def lap(self) -> Throughput:
        """Since the last lap."""
        self._settle()
        seconds, pixels, waiting = time.perf_counter() - self._began, self._pixels, self._waiting
        self._total_seconds += seconds
        self._total_pixels += pixels
        self._total_waiting += waiting
        self._pixels, self._waiting, self._began = 0, 0.0, time.perf_counter()
        return self._throughput(seconds, pixels, waiting)

    def total(self) -> Throughput:
        """Of all laps together."""
        return self._throughput(self._total_seconds, self._total_pixels, self._total_waiting)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Around work that is no training: validation, checkpoints, the start of a loader."""
        self._settle()
        began, waiting = time.perf_counter(), self._waiting
        yield
        self._settle()
        self._began += time.perf_counter() - began
        self._waiting = waiting

    def _settle(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize()
            self._waiting += sum(before.elapsed_time(after) for before, after in self._marks) / 1000
            self._marks.clear()

    def _throughput(self, seconds: float, pixels: float, waiting: float) -> Throughput:
        used = None
        if self.arithmetic is not None and seconds:
            used = self.arithmetic.utilisation(pixels / seconds)
        return Throughput(seconds, pixels / 1e6, waiting, used)


def measured_arithmetic(network: nn.Module, inputs: Inputs) -> Arithmetic | None:
    """Costs of a network on such inputs, and the GPU's matrix rate; None on a CPU."""
    if inputs.data.device.type != "cuda":
        return None
    return Arithmetic(3 * forward_flops_per_pixel(network, inputs), matrix_rate(inputs.data.device))


def forward_flops_per_pixel(network: nn.Module, inputs: Inputs) -> float:
    """Floating-point operations of all convolutions and matrix products (two per MAC), per pixel of `data`."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs)
    count, _, height, width = inputs.data.shape
    return counter.get_total_flops() / (count * height * width)


def matrix_rate(device: torch.device, side: int = MATRIX_SIDE, runs: int = MATRIX_RUNS) -> float:
    """FLOP per second of a bfloat16 matrix product: the median of some runs on a GPU."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        left @ right
    return 2 * side**3 / statistics.median(_gpu_seconds(lambda: left @ right) for _ in range(runs))


def _gpu_seconds(work: Callable[[], object]) -> float:
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    work()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1000


def memory_mib(device: torch.device) -> int:
    """The peak on a GPU, else what the process holds now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return int(psutil.Process().memory_info().rss) >> 20


def report(throughput: Throughput, device: torch.device, arithmetic: Arithmetic | None) -> str:
    """The closing lines of a training."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    lines = [
        f"throughput on {name}: {throughput.megapixels_per_second:.3g} Mpx/s over {throughput.seconds:.1f} s",
        f"waiting for data: {throughput.waiting_share:.1%} of the time",
    ]
    if throughput.utilisation is None or arithmetic is None:
        lines.append("model FLOP utilisation: not available without a GPU")
    else:
        lines.append(
            f"model FLOP utilisation: {throughput.utilisation:.1%} of {arithmetic.matrix_flops_per_second / 1e12:.0f} "
            f"TFLOP/s (bfloat16 matrix product of side {MATRIX_SIDE}, median of {MATRIX_RUNS}, this process)"
        )
    return "\n".join(lines)
