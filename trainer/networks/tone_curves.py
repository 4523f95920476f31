"""What the thumbnail networks share: pooling of a picture, curves, places, no tint on clipped pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KNOTS = 17  # of a curve, at equal distances
BLACK, WHITE = 8 / 255, 229 / 255  # from here on the colour fades out: of the brightest and of the second
SMALLEST_VARIANCE = 1e-5  # the gradient of a root at 0 is infinite


def mean_and_deviation(features: Tensor) -> Tensor:
    """NxCxHxW -> Nx2C: the mean and the standard deviation of each channel over the picture."""
    mean = features.mean(dim=(2, 3))
    variance = (features - mean[:, :, None, None]).square().mean(dim=(2, 3))
    return torch.cat([mean, (variance + SMALLEST_VARIANCE).sqrt()], dim=1)


def monotone_knots(logits: Tensor) -> Tensor:
    """Nx3xK -> Nx3x(K+1): rising from 0 to 1 in steps softmax(logits); logits of 0 give the identity."""
    steps = torch.softmax(logits.float(), dim=2)
    return functional.pad(torch.cumsum(steps, dim=2), (1, 0))


def apply_curves(picture: Tensor, knots: Tensor) -> Tensor:
    """Nx3xHxW in [0, 1] through piecewise linear curves with Nx3x(K+1) knots at 0, 1/K, ..., 1; float32."""
    samples, channels, height, width = picture.shape
    pieces = knots.shape[2] - 1
    position = picture.float().clamp(0.0, 1.0).reshape(samples, channels, height * width) * pieces
    piece = position.detach().clamp(max=pieces - 1).long()  # truncation is floor: nothing is negative
    rise = knots[:, :, 1:] - knots[:, :, :-1]
    value = knots[:, :, :-1].gather(2, piece) + rise.gather(2, piece) * (position - piece)
    return value.reshape(samples, channels, height, width)


def neutral_where_clipped(painted: Tensor, picture: Tensor) -> Tensor:
    """What a network adds to Nx3xHxW in [0, 1], or its gain, made grey where that is black or two channels white.

    There the file does not know the colour. A network's best guess is the mean over its training scenes, and a
    burnt-out sky comes out beige.
    """
    brightest, darkest = picture.amax(dim=1, keepdim=True), picture.amin(dim=1, keepdim=True)
    middle = picture.sum(dim=1, keepdim=True) - brightest - darkest
    known = torch.minimum(brightest / BLACK, (1 - middle) / (1 - WHITE)).clamp(0.0, 1.0)
    grey = painted.mean(dim=1, keepdim=True)
    return grey + known * (painted - grey)


def positions(picture: Tensor, place: Tensor | None) -> tuple[Tensor, Tensor]:
    """NxH and NxW: where the rows and columns of a crop lie in its picture, 0 and 1 at the picture's borders.

    place: Nx4 top, left, and the picture's height and width in pixels; None: the crop is the picture.
    """
    samples, _, height, width = picture.shape
    rows = torch.arange(height, device=picture.device, dtype=torch.float32) + 0.5
    columns = torch.arange(width, device=picture.device, dtype=torch.float32) + 0.5
    if place is None:
        return (rows / height).expand(samples, -1), (columns / width).expand(samples, -1)
    top, left, full_height, full_width = (place.float()[:, k : k + 1] for k in range(4))
    return (rows + top) / full_height, (columns + left) / full_width


def sample_strength(strength: Tensor | None, like: Tensor) -> Tensor:
    """Nx1x1x1 of a batch's strengths, 1 where none is given."""
    if strength is None:
        return torch.ones(1, 1, 1, 1, dtype=torch.float32, device=like.device)
    return strength.float().reshape(-1, 1, 1, 1)


def he_normal(network: nn.Module) -> None:
    """Weights N(0, 2 / fan in), biases 0 (He et al., ICCV 2015).

    With PyTorch's default the thumbnail's features fade to a hundredth over six layers; the heads then learn a mean
    first, and 200 steps reached 20 dB where they reach 32 with this.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
