"""How close a picture is to its reference. One number each; arrays HxWx3, RGB, float32 in [0, 1] or uint8."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Picture = NDArray[Any]


def psnr(picture: Picture, reference: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all channels, peak 1; inf for equal pictures."""
    raise NotImplementedError


def ssim_rgb(picture: Picture, reference: Picture) -> float:
    """`rgb-g11`: mean over channels, Gaussian 11x11 sigma 1.5, valid windows (Wang et al. 2004)."""
    raise NotImplementedError


def ssim_gray(picture: Picture, reference: Picture) -> float:
    """`gray-u7`: scikit-image's default, 7x7 uniform window, on BT.601 luma."""
    raise NotImplementedError
