"""Our losses: means over unmasked pixels, whatever the size of batch and crop."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from trainer.losses.full_precision import in_full_precision
from trainer.losses.ssim_windows import Moments, gaussian_taps, similarity, window_moments


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of NxCxHxW values where the Nx1xHxW mask is 1; 0 where it is nowhere."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp_min(1)


class L1Mean(nn.Module):
    """mean |x - y|."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean((output - reference).abs(), mask)


class MeanSquaredError(nn.Module):
    """mean (x - y)^2."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean((output - reference).square(), mask)


class Charbonnier(nn.Module):
    """mean sqrt((x - y)^2 + eps^2): an L1 that is smooth at 0 (Charbonnier et al., ICIP 1994)."""

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        if not eps > 0:
            raise ValueError(f"charbonnier: eps must be > 0, found {eps!r}")
        self.eps = eps

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean(((output - reference).square() + self.eps**2).sqrt(), mask)


class StandardSsim(nn.Module):
    """mean (1 - SSIM) as published (Wang et al. 2004): 11x11 Gaussian, sigma 1.5, whole windows at every pixel.

    Windows that touch a masked pixel are left out.
    """

    WINDOW, SIGMA, C1, C2 = 11, 1.5, 0.01**2, 0.03**2
    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(
            "taps", gaussian_taps(self.WINDOW, self.SIGMA, self.WINDOW // 2), persistent=False
        )

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors of at least 11x11 pixels, else ValueError."""
        if min(output.shape[2:]) < self.WINDOW:
            raise ValueError(f"ssim_std: pictures need at least 11x11 pixels, found {tuple(output.shape)}")
        # Variances do not depend on the mean; about .5 the squares are smaller and float32 loses less.
        centred = window_moments(output - 0.5, reference - 0.5, self.taps)
        moments = Moments(centred.mean_x + 0.5, centred.mean_y + 0.5, centred.variances, centred.covariance)
        whole = None if mask is None else -functional.max_pool2d(-mask, self.WINDOW, stride=1)
        return masked_mean(1 - similarity(moments, self.C1, self.C2), whole)
