"""DRHT: Yang, Xu, Song, Zhang, Wei, Lau, "Image correction via deep reciprocating HDR transformation", CVPR 2018.

LDR picture -> estimate of the scene's light (HDR) -> link -> corrected LDR picture, by two auto-encoders of one layout.
The HDR network speaks a gamma-compressed language: G = alpha S^gamma with S = k E and k = (1 / alpha)^(1 / gamma), so
G = E^gamma, where E is linear with reference white 1. That makes both losses distances between LDR-like pictures.

Layouts: "paper" has the kernel sizes of the text, with strides and output layer of the release (inferred); "release"
those of the released checkpoint, whose first stage is another project's network (HDRCNN, which alters pixels near
white only). Here `hdr_network=False` stands for that: the picture is its own estimate.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from trainer.inputs import Batch, Inputs
from trainer.networks.drht_layers import LAYOUTS, OUTPUTS, SKIPS, STATISTICS, AutoEncoder

BRIGHTEST = 2.0**6  # of the HDR target, reference white = 1
CLIPPED_ERROR = 0.07


class Drht(nn.Module):
    """Two auto-encoders of 4.86 M ("paper") or 4.94 M ("release") parameters each, trained jointly.

    skip: how a decoder's features d and the encoder's e of the same size meet: "mix" d + e + d e, "sum" or "concat".
    bn_eval: statistics in evaluation, "running" or "batch" (a batch's own, as released: tiles then differ).
    output: "normalised", the output layers like all others, as released: without a learnt scale they keep unit variance
    over a batch, and training pays for that with a few pixels far below 0, where ELU ends at -1. "plain" is ours: no
    norm there, and a start at 0, so that both estimates begin as the picture itself.
    loss: "mse", or "clipped_l1", the release's mean absolute error held at .07, where its gradient is 0; the clip
    begins when the error first falls below that, or nothing would ever be learnt.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"hdr"})
    multiple: ClassVar[int] = 32
    halo: ClassVar[int] = 160  # each network 70, measured by gradients
    clipping: Tensor

    def __init__(
        self,
        layout: str = "paper",
        skip: str = "mix",
        output: str = "normalised",
        alpha: float = 0.03,
        gamma: float = 0.45,
        delta: float = 1 / 255,
        hdr_network: bool = True,
        hdr_weight: float = 1.0,
        bn_eval: str = "running",
        bn_decay: float = 0.999,
        loss: str = "mse",
    ) -> None:
        super().__init__()
        _one_of("layout", layout, tuple(LAYOUTS))
        _one_of("skip", skip, SKIPS)
        _one_of("output", output, OUTPUTS)
        _one_of("bn_eval", bn_eval, STATISTICS)
        _one_of("loss", loss, ("mse", "clipped_l1"))
        self.alpha, self.gamma, self.delta = alpha, gamma, delta
        self.hdr_weight, self.loss = hdr_weight, loss

        def auto_encoder() -> AutoEncoder:
            return AutoEncoder(layout, skip, bn_decay=bn_decay, bn_eval=bn_eval, output=output)

        self.hdr_encoder = auto_encoder() if hdr_network else None
        self.ldr_encoder = auto_encoder()
        self.needs = frozenset({"hdr"} if hdr_network else ())  # type: ignore[misc]
        self.register_buffer("clipping", torch.zeros((), dtype=torch.bool))  # part of the checkpoint
        self._rendering: Tensor | None = None  # of the last training batch, for its losses

    def forward(self, inputs: Inputs) -> Tensor:
        """The corrected picture, Nx3xHxW, not clamped, float32."""
        rendering = self.rendering(inputs)
        if self.training and self.hdr_encoder is not None:
            self._rendering = rendering
        logarithm, added = self.link(rendering)
        return self.ldr_encoder(logarithm, added)

    def rendering(self, inputs: Inputs) -> Tensor:
        """G, the scene's light as alpha S^gamma = E^gamma; above 1 beyond white, a little below 0 possible."""
        picture = inputs.data.float()
        return picture if self.hdr_encoder is None else self.hdr_encoder(picture, picture)

    def hdr(self, inputs: Inputs) -> Tensor:
        """The estimated scene: Nx3xHxW linear, reference white = 1, not negative."""
        return self.light(self.rendering(inputs))

    def light(self, rendering: Tensor) -> Tensor:
        """E = G^(1 / gamma)."""
        return rendering.float().clamp(min=0.0) ** (1 / self.gamma)

    def rendered(self, light: Tensor) -> Tensor:
        """G = E^gamma of light clipped to [0, 64]."""
        return light.float().clamp(0.0, BRIGHTEST) ** self.gamma

    def link(self, rendering: Tensor) -> tuple[Tensor, Tensor]:
        """(ln(S + delta), alpha S^gamma) with S = (max(G, 0) / alpha)^(1 / gamma), float32.

        The second is max(G, 0) exactly; written as a power, its gradient at 0 would be infinity times 0.
        """
        with torch.autocast(rendering.device.type, enabled=False):
            positive = rendering.float().clamp(min=0.0)
            scaled = (positive / self.alpha) ** (1 / self.gamma)
            return torch.log(scaled + self.delta), positive

    def losses(self, batch: Batch, output: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(loss_ldr + w loss_hdr, each term detached) of the `output` of forward on this batch."""
        error = output.float() - batch.reference
        terms = {"ldr": self._distance(error, batch.mask)}
        total = terms["ldr"]
        if self.hdr_encoder is not None:
            assert batch.hdr is not None
            rendering = self.rendering(batch.inputs) if self._rendering is None else self._rendering
            self._rendering = None
            terms["hdr"] = _mean((rendering - self.rendered(batch.hdr)).square(), batch.mask)
            total = total + self.hdr_weight * terms["hdr"]
        return total, {name: term.detach() for name, term in terms.items()}

    def _distance(self, error: Tensor, mask: Tensor | None) -> Tensor:
        if self.loss == "mse":
            return _mean(error.square(), mask)
        distance = _mean(error.abs(), mask)
        if self.training:
            self.clipping |= distance.detach() < CLIPPED_ERROR
        return torch.where(self.clipping, distance.clamp(max=CLIPPED_ERROR), distance)


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over what the mask keeps; Nx3xHxW and Nx1xHxW."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp(min=1)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"drht: {name} is {value!r}; it can be {', '.join(known)}")
