"""One auto-encoder of DRHT: twelve layers, each convolution > batch norm > ELU, with skips at every size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# kernel sizes: (conv1, conv2, conv3, deconv4, deconv5). The rest is 3; channels and strides are the same in both.
LAYOUTS = {"paper": (9, 5, 3, 5, 9), "release": (1, 7, 5, 5, 7)}
SKIPS = ("mix", "sum", "concat")
STATISTICS = ("running", "batch")
OUTPUTS = ("normalised", "plain")
ENCODER = (64, 64, 128, 256, 256, 512)
DECODER = (256, 256, 128, 64, 64)
NORM_EPSILON = 1e-3


class ShiftNorm(nn.Module):
    """Batch norm with a learnt shift and no scale: the released one.

    statistics, in evaluation: "running" averages, or those of the "batch" at hand: then a photograph's result depends
    on what else is in its batch, as in the release.
    """

    scale: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, decay: float, statistics: str) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        # not learnt; the fast kernels of batch norm want both a scale and a shift
        self.register_buffer("scale", torch.ones(channels), persistent=False)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.decay = decay
        self.statistics = statistics

    def forward(self, features: Tensor) -> Tensor:
        """NxCxHxW."""
        of_batch = self.training or self.statistics == "batch"
        kept = self.training or self.statistics == "running"
        return functional.batch_norm(
            features,
            self.running_mean if kept else None,
            self.running_var if kept else None,
            weight=self.scale,
            bias=self.shift,
            training=of_batch,
            momentum=1 - self.decay,
            eps=NORM_EPSILON,
        )


class Layer(nn.Module):
    """Convolution, or with `up` transposed convolution, with TensorFlow's 'SAME' padding, then ShiftNorm; no ELU yet.

    At stride 2 and even size 'SAME' pads k - 2 pixels: (k - 2) // 2 before, the rest behind; transposed ones crop so.
    """

    def __init__(
        self, before: int, after: int, kernel: int, stride: int, norm: nn.Module, *, up: bool = False
    ) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if up else nn.Conv2d
        self.convolution = kind(before, after, kernel, stride=stride)
        self.norm = norm
        self.up = up
        self.before = (kernel - stride) // 2
        self.behind = max(kernel - stride, 0) - self.before
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out" if up else "fan_in")
        if self.convolution.bias is not None:
            nn.init.zeros_(self.convolution.bias)

    def forward(self, features: Tensor) -> Tensor:
        """NxCxHxW -> H / stride, or H * stride with `up`."""
        if self.up:
            grown = self.convolution(features)
            height, width = grown.shape[2] - self.behind, grown.shape[3] - self.behind
            return self.norm(grown[:, :, self.before : height, self.before : width])
        around = (self.before, self.behind, self.before, self.behind)
        return self.norm(self.convolution(functional.pad(features, around)))


class AutoEncoder(nn.Module):
    """3 channels -> 3 channels through a 512-channel latent at 1/32 of the size; height and width multiples of 32.

    output: whether the last layer is batch-normalised too, or "plain": then it starts at 0 and the result as `added`.
    """

    def __init__(self, layout: str, skip: str, *, bn_decay: float, bn_eval: str, output: str) -> None:
        super().__init__()
        conv1, conv2, conv3, deconv4, deconv5 = LAYOUTS[layout]

        def norm(channels: int) -> nn.Module:
            return ShiftNorm(channels, bn_decay, bn_eval)

        kernels = (conv1, conv2, conv3, 3, 3, 3)
        strides = (1, 2, 2, 2, 2, 2)
        sources = (3, *ENCODER[:-1])
        self.encoder = nn.ModuleList(
            Layer(a, b, kernel, stride, norm(b))
            for a, b, kernel, stride in zip(sources, ENCODER, kernels, strides, strict=True)
        )
        widened = 2 if skip == "concat" else 1
        widths = (ENCODER[-1], *(widened * width for width in DECODER[:-1]))
        self.decoder = nn.ModuleList(
            Layer(a, b, kernel, 2, norm(b), up=True)
            for a, b, kernel in zip(widths, DECODER, (3, 3, 3, deconv4, deconv5), strict=True)
        )
        plain = output == "plain"
        self.output = Layer(widened * DECODER[-1], 3, 1, 1, nn.Identity() if plain else norm(3))
        if plain:
            nn.init.zeros_(self.output.convolution.weight)
        self.skip = skip

    def forward(self, picture: Tensor, added: Tensor) -> Tensor:
        """Nx3xHxW, with `added` (the same shape) joined before the last ELU."""
        features, skipped = picture, []
        for layer in self.encoder:
            features = functional.elu(layer(features))
            skipped.append(features)
        skipped.pop()  # the latent is no skip
        for layer in self.decoder:
            features = _joined(functional.elu(layer(features)), skipped.pop(), self.skip)
        return functional.elu(self.output(features).float() + added)


def _joined(decoded: Tensor, encoded: Tensor, rule: str) -> Tensor:
    """deconv_i with conv_(6-i)."""
    if rule == "concat":
        return torch.cat([decoded, encoded], dim=1)
    total = decoded + encoded
    return total + decoded * encoded if rule == "mix" else total
