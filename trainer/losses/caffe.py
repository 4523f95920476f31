"""The Caffe layers released with SICE (Cai, Gu, Zhang, IEEE TIP 27(4), 2018), as they compute.

All are sums over channels and pixels divided by the batch size N, not means: learning rates do not carry over.
They know no mask: a masked pixel counts as equal to its reference and receives no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.losses.full_precision import in_full_precision
from trainer.losses.ssim_windows import gaussian_taps, similarity, window_moments

NORMS = ("L1", "L2")
BINS = {"Zero": 0, "One": 2, "Two": 4, "Three": 8}  # of the piecewise constant, by method


def masked_equal(output: Tensor, reference: Tensor, mask: Tensor | None) -> Tensor:
    """The output with masked pixels taken from the reference."""
    return output if mask is None else torch.where(mask > 0, output, reference)


class L1Loss(nn.Module):
    """sum |x - y| / N; the gradient is 0 where x = y."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return (masked_equal(output, reference, mask) - reference).abs().sum() / len(output)


class EuclideanLoss(nn.Module):
    """sum (x - y)^2 / (2 N)."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return (masked_equal(output, reference, mask) - reference).square().sum() / (2 * len(output))


class SsimLayer(nn.Module):
    """sum (1 - SSIM) / N over the windows of each channel; the gradient goes to the output only.

    Windows of sigma k/6 are centred at index k/2: half a pixel off for even k. They start at multiples of
    `stride`; those that reach past the right or lower border are cut there *without* renormalising, so their
    weights sum to less than 1 and a constant has a variance. Padding with zeros gives exactly that.
    """

    taps: Tensor

    def __init__(self, kernel_size: int, stride: int, c1: float, c2: float) -> None:
        """All four are needed and > 0, as in the layer; its Readme gives 8, 8, 1e-4, 1e-3."""
        super().__init__()
        for name, value in {"kernel_size": kernel_size, "stride": stride, "c1": c1, "c2": c2}.items():
            if not value > 0:
                raise ValueError(f"ssim: {name} must be > 0, found {value!r}")
        self.kernel_size, self.stride, self.c1, self.c2 = kernel_size, stride, c1, c2
        taps = gaussian_taps(kernel_size, kernel_size / 6, kernel_size / 2)
        self.register_buffer("taps", taps, persistent=False)

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors; ValueError if a side is so small that the layer has no window."""
        output, reference = masked_equal(output, reference, mask), reference.detach()
        below, right = (self._beyond(side) for side in output.shape[2:])
        x, y = (functional.pad(picture, (0, right, 0, below)) for picture in (output, reference))
        moments = window_moments(x, y, self.taps, self.stride)
        return (1 - similarity(moments, self.c1, self.c2)).sum() / len(output)

    def _beyond(self, side: int) -> int:
        """Pixels that the last of the ceil((side - k) / stride) + 1 windows needs beyond the border."""
        windows = math.ceil((side - self.kernel_size) / self.stride) + 1
        if windows < 1:
            least = self.kernel_size - self.stride + 1
            raise ValueError(
                f"ssim: a side of {side} pixels has no window of {self.kernel_size} at stride {self.stride}; "
                f"use pictures of at least {least} pixels or a smaller kernel_size"
            )
        return (windows - 1) * self.stride + self.kernel_size - side


class Regularization(nn.Module):
    """Pulls each output value x to a piecewise constant t(x): sum d^2 / (2 N) or sum |d| / (2 N), d = x - t(x).

    Method Zero: t = `regular`. One, Two, Three: 2, 4, 8 bins of [0, 1]: `values[i]` from `levels[i - 1]` up to
    below `levels[i]`; 0 below 0, 1 above 1. t is a constant to the gradient. The reference is not looked at.
    """

    levels: Tensor
    values: Tensor

    def __init__(
        self,
        norm: str = "L1",
        method: str = "Zero",
        regular: float = 0.5,
        levels: Sequence[float] = (),
        values: Sequence[float] = (),
        compat: bool = False,
    ) -> None:
        """`compat`: L1's gradient is d / N as in the released code, which overwrites the sign that it computed."""
        super().__init__()
        _check_bins(norm, method, levels, values)
        self.norm, self.method, self.regular, self.compat = norm, method, regular, compat
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float64), persistent=False)
        self.register_buffer(
            "values", torch.tensor([0.0, *values, 1.0], dtype=torch.float64), persistent=False
        )

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of an NxCxHxW output."""
        difference = output - self.target(output.detach())
        if mask is not None:
            difference = difference * mask
        half_squares = difference.square().sum() / (2 * len(output))
        if self.norm == "L2":
            return half_squares
        distance = difference.abs().sum() / (2 * len(output))
        # The value of L1 with the gradient of L2.
        return distance.detach() + (half_squares - half_squares.detach()) if self.compat else distance

    def target(self, x: Tensor) -> Tensor:
        """t(x), of the same shape."""
        if self.method == "Zero":
            return torch.full_like(x, self.regular)
        bins = torch.bucketize(x, self.levels.to(x), right=True) + 1
        bins = torch.where(x < 0, 0, torch.where(x > 1, len(self.values) - 1, bins))
        return self.values.to(x)[bins]


def _check_bins(norm: str, method: str, levels: Sequence[float], values: Sequence[float]) -> None:
    if norm not in NORMS:
        raise ValueError(f"regularization: norm must be one of {', '.join(NORMS)}, found {norm!r}")
    if method not in BINS:
        raise ValueError(f"regularization: method must be one of {', '.join(BINS)}, found {method!r}")
    bins = BINS[method]
    if bins and (len(values) != bins or len(levels) != bins - 1 or sorted(levels) != list(levels)):
        raise ValueError(
            f"regularization: method {method} has {bins} bins: give {bins - 1} rising levels between them and "
            f"{bins} values; found levels {list(levels)}, values {list(values)}"
        )
