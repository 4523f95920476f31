"""Deghosting with latent exposures, which exposure fusion then blends."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from fusion_algos.algorithm import FusedImage, algorithm
from fusion_algos.exposure_fusion import mertens2009
from fusion_algos.hole_filling import Bytes, Hole, filled
from fusion_algos.latent_images import LatentImages, find_latent_images
from fusion_algos.patch_match import NearestNeighbours, similarity, voted
from fusion_algos.pyramids import add_blended, collapse, empty_pyramid, level_count
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

PATCH = 10
COARSEST = 32  # least side of the coarsest level
LEAST_SIMILARITY = np.float32(0.6065)  # exp(-1/2): less similar patches hardly count
HARDLY = np.float32(1e-6)
FADING, FARTHEST = 1.3, 20.0  # a patch counts 1.3^-distance from what the reference knows, up to 20 pixels
GRADIENT_SHARE = np.float32(0.5)
MARGIN = 16  # pixels around the hole in which the gradients are integrated


@algorithm(
    title="HDR deghosting: how to deal with saturation?",
    cite="Hu, Gallo, Pulli, Sun: HDR deghosting: how to deal with saturation? CVPR 2013, 1163-1170",
    revision=5,
)
def fuse(stack: ExposureStack) -> FusedImage:
    """Exposure fusion (Mertens 2009) of latent images in which all stands as in a reference exposure near the middle.

    Simplified against the paper: an exposure stays as it is where it agrees with the reference, so that a
    static stack gives mertens2009's picture; patches are searched only where, moreover, the reference is
    clipped; intensity mappings are learnt once per exposure, not at each level; gradients are voted and
    integrated during the search at 1 megapixel, not for the full-sized pixels that its offsets fetch.
    The authors' program was not compared.
    """
    latents = find_latent_images(stack, _search)
    return mertens2009.fuse(stack) if latents.are_the_exposures else _blended(latents)


def _blended(latents: LatentImages) -> FusedImage:
    """mertens2009 of the latent images, each composed twice so that they are never in memory together."""
    stack = latents.stack
    total = np.zeros(stack.shape[:2], np.float32)
    for _, image in latents:
        total += mertens2009.quality(image)
        total += mertens2009.SMALLEST_WEIGHT
    blended = empty_pyramid(stack.shape, level_count(stack.height, stack.width))
    for _, image in latents:
        weight = mertens2009.quality(image)
        weight += mertens2009.SMALLEST_WEIGHT
        weight /= total
        add_blended(blended, image, weight)
    fused = collapse(blended)
    fused /= np.float32(255 if stack.is_8_bit else 1)
    return np.clip(fused, 0, 1, out=fused)


def _search(hole: Hole) -> tuple[Bytes, NearestNeighbours]:
    return filled(hole, _rebuilt, patch=PATCH, coarsest=COARSEST, iterations=lambda level: 3 + 2 * level)


def _rebuilt(hole: Hole, field: NearestNeighbours, _: float) -> Bytes:
    """The latent image whose levels and gradients come nearest to those that patches vote for."""
    weights = _patch_weights(hole, field)
    rows, columns = _surroundings(hole.missing)
    missing = hole.missing[rows, columns, np.newaxis]
    known = hole.latent[rows, columns].astype(np.float32)
    levels = np.where(missing, voted(hole.source, field, weights, rows, columns), known)
    source = hole.source.astype(np.float32)
    gradients = [
        np.where(missing, voted(_forward(source, axis), field, weights, rows, columns), _forward(known, axis))
        for axis in (0, 1)
    ]
    rebuilt = hole.latent.copy()
    rebuilt[rows, columns] = np.clip(_integrated(levels, gradients) + np.float32(0.5), 0, 255)
    return rebuilt


def _patch_weights(hole: Hole, field: NearestNeighbours) -> Plane:
    """Similar patches near what is known count most."""
    weights = similarity(field)
    weights[weights < LEAST_SIMILARITY] *= HARDLY
    distance = cv2.distanceTransform(hole.missing.view(np.uint8), cv2.DIST_L2, 3)
    weights *= np.power(np.float32(FADING), -np.minimum(distance, np.float32(FARTHEST)))
    return weights


def _surroundings(missing: NDArray[np.bool_]) -> tuple[slice, slice]:
    sides = []
    for axis in (1, 0):
        places = np.flatnonzero(missing.any(axis=axis))
        sides.append(slice(max(int(places[0]) - MARGIN, 0), int(places[-1]) + 1 + MARGIN))
    height, width = missing.shape
    rows, columns = sides
    return slice(rows.start, min(rows.stop, height)), slice(columns.start, min(columns.stop, width))


def _forward(image: Plane, axis: int) -> Plane:
    """Differences to the next row or column; 0 at the last one."""
    last = np.take(image, [-1], axis=axis)
    return np.diff(image, axis=axis, append=last)


def _integrated(levels: Plane, gradients: list[Plane]) -> Plane:
    """argmin_f |f - levels|^2 + s |grad f - gradients|^2, HxWx3, mirrored at the border.

    (1 + s (|Dy|^2 + |Dx|^2)) F = DCT(levels - s div gradients), |D|^2 = 2 - 2 cos(pi k / n).
    """
    divergence = sum(np.diff(g, axis=axis, prepend=np.float32(0)) for axis, g in enumerate(gradients))
    height, width = levels.shape[:2]
    down = 2 - 2 * np.cos(np.pi * np.arange(height, dtype=np.float32) / height)
    across = 2 - 2 * np.cos(np.pi * np.arange(width, dtype=np.float32) / width)
    denominator = 1 + GRADIENT_SHARE * (down[:, np.newaxis] + across)
    spectrum = dctn(levels - GRADIENT_SHARE * divergence, axes=(0, 1))
    return idctn(spectrum / denominator[..., np.newaxis], axes=(0, 1)).astype(np.float32)
