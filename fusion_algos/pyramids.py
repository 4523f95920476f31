"""Gaussian and Laplacian pyramids, and blending in them one image at a time.

Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Trans. Communications 31(4), 1983: taps
[1 4 6 4 1]/16. Borders are those of the published exposure fusion programs: a half-sample mirror (BORDER_REFLECT)
on the way down, a repeated edge on the way up.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]


def level_count(height: int, width: int, *, spared: int = 0) -> int:
    """Number of levels, the coarsest one included, that a height x width image gives: floor(log2 min) - spared."""
    return max(1, min(height, width).bit_length() - 1 - spared)


def downsample(image: Plane) -> Plane:
    """The next coarser Gaussian level of a float32 HxW or HxWxC image: ceil(H/2) x ceil(W/2)."""
    return cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT)


def upsample(image: Plane, shape: Sequence[int]) -> Plane:
    """The image expanded to the rows and columns of the next finer level, whose `shape` is given."""
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.pyrUp(padded)[2 : 2 + shape[0], 2 : 2 + shape[1]]


def gaussian_pyramid(image: Plane, levels: int) -> list[Plane]:
    """`levels` Gaussian levels of a float32 HxW or HxWxC image, finest first; the first is the image itself."""
    pyramid = [image]
    for _ in range(levels - 1):
        pyramid.append(downsample(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: Plane, levels: int) -> list[Plane]:
    """`levels` - 1 Laplacian levels of a float32 HxW or HxWxC image, finest first, and the Gaussian one that is left."""
    gaussian = gaussian_pyramid(image, levels)
    details = [
        fine - upsample(coarse, fine.shape) for fine, coarse in zip(gaussian, gaussian[1:], strict=False)
    ]
    return [*details, gaussian[-1]]


def add_blended(total: list[Plane], image: Plane, weight: Plane) -> None:
    """Add to the Laplacian pyramid `total` (HxWx3 levels) that of `image` times the Gaussian one of `weight` (HxW)."""
    for level, blended in enumerate(total):
        detail, coarse_image, coarse_weight = image, image, weight
        if level < len(total) - 1:
            coarse_image, coarse_weight = downsample(image), downsample(weight)
            detail = image - upsample(coarse_image, image.shape)
        blended += weight[..., np.newaxis] * detail
        image, weight = coarse_image, coarse_weight


def empty_pyramid(shape: Sequence[int], levels: int) -> list[Plane]:
    """Zeros of the shapes of `levels` pyramid levels of an image of `shape`, finest first."""
    height, width, *channels = shape
    return [np.zeros((-(-height >> n), -(-width >> n), *channels), np.float32) for n in range(levels)]


def collapse(pyramid: Sequence[Plane]) -> Plane:
    """The image of a Laplacian pyramid (finest level first)."""
    image = pyramid[-1]
    for detail in pyramid[-2::-1]:
        image = detail + upsample(image, detail.shape)
    return image
