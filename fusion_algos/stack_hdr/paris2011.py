"""Debevec and Malik's merge, tone-mapped by local Laplacian filters.

It stands in, in the open, for Photomatix Details Enhancer, whose algorithm is unpublished; it is not that
program and makes no claim to give its pictures. The filter follows its papers and is checked against their
definition; the display mapping and the defaults are this project's.
"""

from __future__ import annotations

import math

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.camera_response import named_response
from fusion_algos.highlights import fade_highlights, whiten_clipped
from fusion_algos.pyramids import collapse, downsample, empty_pyramid, gaussian_pyramid, level_count
from fusion_algos.radiance import merge_encoded, merge_linear
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack
from fusion_algos.tone_curves import displayed, log_luminance, percentiles

Plane = NDArray[np.float32]

INTENSITY = np.array([[20, 40, 1]], np.float32) / 61  # weights of R, G, B in the paper's programs
DETAIL_RANGE = math.log(2.5)  # sigma: differences of log intensity up to it are detail, larger ones edges
NOISE = (0.01, 0.02)  # differences below the first are never amplified, above the second always
# Samples of intensity in one sigma. The paper of 2014 needs two for its smooth remapping; this one is so steep at
# faint details that two would amplify them near a sample and not between: rings in smooth light around a lamp.
SAMPLES = 8
SPACING = DETAIL_RANGE / SAMPLES
TABLE_STEPS = 2048  # entries per sigma of the table of the remapping function
DARKEST_SHARE = 0.05  # percentile of intensity below which there is only black
DISPLAY_CONTRAST, LEAST_EXPONENT, LARGEST_EXPONENT = math.log(100), 0.2, 3.0


@algorithm(
    title="HDR merge with local Laplacian tone mapping: open stand-in for Photomatix Details Enhancer",
    cite="Debevec, Malik: Recovering high dynamic range radiance maps from photographs. SIGGRAPH 1997; "
    "Paris, Hasinoff, Kautz: Local Laplacian filters: edge-aware image processing with a Laplacian pyramid. "
    "ACM TOG 30(4), 2011; Aubry, Paris, Hasinoff, Kautz, Durand: Fast local Laplacian filters: theory and "
    "applications. ACM TOG 33(5), 2014. Not Photomatix: its algorithm is unpublished (paris2011)",
    revision=4,
)
def fuse(
    stack: ExposureStack, *, detail: float = 0.7, edges: float = 0.0, response: str = "debevec"
) -> Plane:
    """Picture of the merged radiance whose log intensity went through a fast local Laplacian filter.

    `detail` is the paper's alpha: below 1 enhances detail, above 1 smooths it. `edges` is its beta: the slope
    of differences beyond sigma, 0 to 1. `response`: how images become light, see `camera_response.RESPONSES`; it
    also gives the saturation of the colors, and what even the darkest exposure clips becomes white (`highlights`).
    What moves is shown more than once, and the fringes of color that a lens leaves at edges are detail to it.
    """
    radiance, saturation = _merged(stack, response)
    logarithm = log_luminance(radiance, _intensity, DARKEST_SHARE)
    filtered = local_laplacian(logarithm, detail, edges)
    dark, white = percentiles(filtered, (0.5, 99.5))
    exponent = min(max(DISPLAY_CONTRAST / max(white - dark, 0.5), LEAST_EXPONENT), LARGEST_EXPONENT)

    def compressed(rows: slice) -> Plane:
        display = (filtered[rows] - np.float32(white)) * np.float32(exponent)
        whiten_clipped(display, stack, rows)
        return display

    return displayed(radiance, logarithm, compressed, saturation)


def _merged(stack: ExposureStack, response: str) -> tuple[Plane, float]:
    """Radiance, and the saturation to show it with."""
    if stack.linear_images is not None:
        return merge_linear(stack), 1.0
    curve = named_response(stack, response)
    radiance = merge_encoded(stack, curve)
    fade_highlights(radiance, stack.images[0])
    return radiance, curve.saturation


def _intensity(radiance: Plane) -> Plane:
    return cv2.transform(radiance, INTENSITY)


def local_laplacian(plane: Plane, detail: float, edges: float) -> Plane:
    """Fast local Laplacian filter of an HxW float32 plane of natural log intensities.

    For each sample g of the intensities, the Laplacian pyramid of the plane remapped around g; each output
    coefficient is interpolated between the two samples next to its Gaussian pyramid's value.
    """
    lowest = plane.min()
    levels = level_count(*plane.shape)
    positions = gaussian_pyramid((plane - lowest) * np.float32(1 / SPACING), levels)  # in units of samples
    output = empty_pyramid(plane.shape, levels)
    output[-1][...] = positions[-1] * np.float32(SPACING) + lowest
    table = _remapping(detail)
    for sample in range(math.ceil(float(positions[0].max())) + 1):
        fine = _remapped(positions[0], sample, table, edges)
        for total, position in zip(output[:-1], positions[:-1], strict=True):
            coarse = downsample(fine)
            _add_sample(total, fine, coarse, position, sample)
            fine = coarse
    return collapse(output)


def _remapping(detail: float) -> Plane:
    """r(d) of Paris et al. for |d| <= sigma: sign(d) sigma (|d| / sigma)^detail, 2 TABLE_STEPS + 1 entries."""
    difference = np.linspace(-DETAIL_RANGE, DETAIL_RANGE, 2 * TABLE_STEPS + 1)
    size = np.abs(difference)
    curve = DETAIL_RANGE * (size / DETAIL_RANGE) ** detail
    if detail < 1:
        ramp = np.clip((size - NOISE[0]) / (NOISE[1] - NOISE[0]), 0, 1)
        ramp = ramp**2 * (3 - 2 * ramp)
        curve = ramp * curve + (1 - ramp) * size
    return (np.sign(difference) * curve).astype(np.float32)


def _remapped(position: Plane, sample: int, table: Plane, edges: float) -> Plane:
    """The plane remapped around a sample, HxW, less the sample's own intensity, which no detail depends on."""
    remapped = np.empty_like(position)

    def work(rows: slice) -> None:
        _remap(position[rows], np.float32(sample), table, np.float32(edges), remapped[rows])

    over_strips(position.shape[0], position.shape[1], work)
    return remapped


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _remap(position, sample, table, edges, remapped):  # type: ignore[no-untyped-def]
    """table[d] where |d| <= sigma; beyond it edges (|d| - sigma) more."""
    steps, reach = np.float32(TABLE_STEPS / SAMPLES), np.float32(SAMPLES)  # positions are in units of samples
    for y in range(position.shape[0]):
        for x in range(position.shape[1]):
            difference = position[y, x] - sample
            inner = min(max(difference, -reach), reach)
            entry = np.int32((inner + reach) * steps + np.float32(0.5))
            remapped[y, x] = table[entry] + edges * np.float32(SPACING) * (difference - inner)


def _add_sample(total: Plane, fine: Plane, coarse: Plane, position: Plane, sample: int) -> None:
    """Add the Laplacian level fine - upsampled coarse, times how near each position is to the sample."""

    def work(rows: slice) -> None:
        _add_near(total[rows], fine[rows], coarse, rows.start, position[rows], np.float32(sample))

    over_strips(total.shape[0], total.shape[1], work)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _add_near(total, fine, coarse, first, position, sample):  # type: ignore[no-untyped-def]
    """The arithmetic of `pyramids.upsample`, only at pixels less than one sample away; `first` is even."""
    last = coarse.shape[0] - 1
    between = np.empty(coarse.shape[1] + 2, np.float32)
    for y in range(total.shape[0]):
        i = (first + y) // 2
        above, here, below = coarse[max(i - 1, 0)], coarse[i], coarse[min(i + 1, last)]
        if y % 2 == 0:
            for j in range(here.size):
                between[j + 1] = np.float32(0.125) * (above[j] + below[j]) + np.float32(0.75) * here[j]
        else:
            for j in range(here.size):
                between[j + 1] = np.float32(0.5) * (here[j] + below[j])
        between[0], between[-1] = between[1], between[-2]
        for x in range(total.shape[1]):
            weight = np.float32(1) - abs(position[y, x] - sample)
            if weight > 0:
                j = x // 2 + 1
                if x % 2 == 0:
                    expanded = np.float32(0.125) * (between[j - 1] + between[j + 1])
                    expanded += np.float32(0.75) * between[j]
                else:
                    expanded = np.float32(0.5) * (between[j] + between[j + 1])
                total[y, x] += weight * (fine[y, x] - expanded)
