"""Rank minimisation finds what moved between the exposures; the rest is merged and shown by Durand's curve.

Reconstructed from the paper's formulas: no program of the authors was compared, and the alignment that is
part of the paper is left out, because stacks arrive aligned. Two things are this project's own. Every pixel's
exposures are divided by its merged radiance, which leaves rank 1 and lets shadows count as much as highlights;
and clipped or black values are missing ones, which only contradict what they cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.algorithm import algorithm
from fusion_algos.bidirectional_similarity import search
from fusion_algos.camera_response import CameraResponse, image_levels, named_response
from fusion_algos.color import linear_to_srgb, luma_601
from fusion_algos.edge_filters import LocalLine, box_mean, guided_lines
from fusion_algos.highlights import fade_highlights
from fusion_algos.latent_images import LatentImages, find_latent_images, reference_exposure
from fusion_algos.low_rank import low_rank_part
from fusion_algos.radiance import LevelWeights, Trust, merge_encoded, merge_linear, unsaturated_weight
from fusion_algos.row_windows import enlarged_rows
from fusion_algos.stack import WHOLE, ExposureStack, Image
from fusion_algos.tone_curves import durand2002

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

SOLVED_VALUES = 1_200_000  # pixels x exposures of the images that the rank is minimised on
SOLVED_PIXELS = 400_000
BLACK, CLIPPED = 0.1, 0.97  # of white: sRGB-encoded values outside are missing
NOISE = 2 / 255 / 12.92  # of white, two levels of 8 bits: so much light may be missing or too much
GUIDE_RADIUS, GUIDE_EPS = 2, 1e-3
FAINTEST = np.float32(0.2)  # channels fainter than this share of the largest one are as uncertain as it is
LEAST_LOW_RANK = np.float32(0.5)  # of the merged radiance
BIAS_GROUPS, BIAS_PIXELS, LARGEST_BIAS = 32, 20, 2.0
LARGEST_MISFIT = 4.0
LEAST_EXPOSURES = 5  # of fewer the rank cannot tell which one differs
CONTRADICTION = 0.75  # share of the larger of two ratios by which they differ for sure
CERTAIN = 3.0  # times the noise
RED, GREEN, BLUE = 0, 1, 2
LEAST_TRUST = np.float32(1e-3)
CONTRADICTED = 0.05  # of the largest weight: what has less trusted weight takes the one nearest to its median


@algorithm(
    title="Robust high dynamic range imaging by rank minimization, with the Durand 2002 tone curve",
    cite="Oh, Lee, Tai, Kweon: Robust high dynamic range imaging by rank minimization. IEEE TPAMI 37(6), "
    "1219-1232, 2015; Durand, Dorsey: Fast bilateral filtering for the display of high-dynamic-range images. "
    "ACM TOG 21(3), 2002",
    revision=5,
)
def fuse(
    stack: ExposureStack, *, tolerance: float = 0.3, contrast: float = 20.0, response: str = "debevec"
) -> Plane:
    """Picture of the radiance merged with the trust q_k = exp(-(E_k / (tolerance A_k))^2).

    O = A + E: radiance of the exposures, its low-rank part and the sparse rest. In fewer than five exposures the
    rank does not tell which one differs: if something moved, they become latent images that show all as it stands
    in one of them (`latent_images`, `bidirectional_similarity`), merged without trust; and so do images where fewer
    than five of more exposures can be read and contradict each other strongly. `contrast`: of the base layer
    on the display. `response`: how images become light, see `camera_response.RESPONSES`; it also gives the
    saturation of the colors.
    """
    curve = named_response(stack, response)
    few = len(stack) < LEAST_EXPOSURES
    stack = _as_in_the_reference(stack) if few else stack
    trust, votes = (None, None) if few else _trust(stack, curve, tolerance)
    if stack.linear_images is not None:
        return durand2002(merge_linear(stack, trust), contrast)
    radiance = merge_encoded(stack, curve, trust)
    if votes is not None and votes.undecided.any():
        _show_once(radiance, stack, curve, votes)
    fade_highlights(radiance, stack.images[0])
    return durand2002(radiance, contrast, curve.saturation)


def _as_in_the_reference(stack: ExposureStack) -> ExposureStack:
    """The stack if nothing moved in it, else its latent images (see `latent_images`), without linear planes."""
    latents = find_latent_images(stack, search)
    if latents.are_the_exposures:
        return stack
    return _stack_of(latents, WHOLE, WHOLE)


def _stack_of(latents: LatentImages, rows: slice, columns: slice) -> ExposureStack:
    """A part of the latent images."""
    images = {k: np.ascontiguousarray(image[rows, columns]) for k, image in latents}
    seconds = _strictly_rising(latents.stack.relative_seconds)
    return ExposureStack([images[k] for k in range(len(images))], seconds)


def _show_once(radiance: Plane, stack: ExposureStack, response: CameraResponse, votes: _Votes) -> None:
    """Take the radiance of the latent images, in place, where what moved is mostly undecided."""
    latents = find_latent_images(stack, search)
    if latents.are_the_exposures:
        return
    share = _undecided_pieces(latents.replaced, votes)
    if not share.any():
        return
    rows, columns = (_extent(share, axis, stack.shape[axis]) for axis in (0, 1))
    once = merge_encoded(_stack_of(latents, rows, columns), response)
    weight = enlarged_rows(share, rows, stack.shape[:2])[:, columns, np.newaxis]
    radiance[rows, columns] += weight * (once - radiance[rows, columns])


def _extent(share: Plane, axis: int, length: int) -> slice:
    """The rows (axis 0) or columns of an image of `length` that the small plane reaches when it is enlarged."""
    places = np.flatnonzero(share.any(axis=1 - axis))
    scale = length / share.shape[axis]
    return slice(max(0, int((places[0] - 1) * scale)), min(length, math.ceil((places[-1] + 2) * scale)))


def _undecided_pieces(replaced: Plane, votes: _Votes) -> Plane:
    """The connected pieces of `replaced` above 0 of whose contradicted pixels most are undecided; else 0."""
    count, labels = cv2.connectedComponents((replaced > 0).view(np.uint8), connectivity=8)

    def counts(mask: Mask) -> NDArray[np.intp]:
        places = cv2.resize(mask.view(np.uint8), labels.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return np.bincount(labels[places > 0], minlength=count)

    held = 2 * counts(votes.undecided) > counts(votes.contradicted)
    held[0] = False
    return np.where(held[labels], replaced, np.float32(0))


def _trust(stack: ExposureStack, response: CameraResponse, tolerance: float) -> tuple[Trust, _Votes]:
    """How far each exposure is trusted, and where the rank cannot tell, at reduced size."""
    small = _reduced(stack)
    trusts, votes = _coarse_trust(small, response, tolerance)
    guides = [luma_601(small.image(k)) for k in range(len(small))]
    lines = [
        guided_lines(guide, np.ascontiguousarray(trusts[:, k]).reshape(guide.shape), GUIDE_RADIUS, GUIDE_EPS)
        for k, guide in enumerate(guides)
    ]

    def trust_of(k: int, rows: slice) -> Plane:
        slope = enlarged_rows(lines[k].slope, rows, stack.shape[:2])
        offset = enlarged_rows(lines[k].offset, rows, stack.shape[:2])
        filtered = LocalLine(slope, offset).at(luma_601(stack.image(k, rows)))
        return np.clip(filtered, LEAST_TRUST, 1, out=filtered)

    return trust_of, votes


def _reduced(stack: ExposureStack) -> ExposureStack:
    """The stack at a size on which the rank is minimised; its exposures keep their order."""
    pixels = min(SOLVED_PIXELS, SOLVED_VALUES // len(stack))
    scale = math.sqrt(pixels / (stack.height * stack.width))
    if scale >= 1:
        return stack
    size = (max(1, round(stack.width * scale)), max(1, round(stack.height * scale)))

    def small(images: Sequence[Image]) -> list[Image]:
        return [cv2.resize(np.ascontiguousarray(i), size, interpolation=cv2.INTER_AREA) for i in images]

    linear = None if stack.linear_images is None else small(stack.linear_images)
    return ExposureStack(small(stack.images), _strictly_rising(stack.relative_seconds), linear)


def _strictly_rising(seconds: tuple[float, ...]) -> list[float]:
    """The same seconds but for the last bits of repeated ones, which a new stack might sort otherwise."""
    return [value * (1 + 1e-9 * k) for k, value in enumerate(seconds)]


@dataclass(frozen=True, eq=False)
class _Votes:
    """Pixels that few exposures can read, HxW: where some contradict the reference, and where no side outvotes."""

    contradicted: Mask
    undecided: Mask


@dataclass(frozen=True, eq=False)
class _Readings:
    """What one exposure says of m pixels: radiance m x 3; its weight, and whether it is a bound only: m."""

    radiance: Plane
    weight: Plane
    too_dark: NDArray[np.bool_]
    too_bright: NDArray[np.bool_]


def _readings(stack: ExposureStack, response: CameraResponse, k: int) -> _Readings:
    if stack.linear_images is None:
        light = response.light_of(stack, k)
        weight = LevelWeights.of(stack, k).of_levels(image_levels(stack, k))
        brightest = stack.image(k).max(axis=2)
    else:
        light = stack.linear_image(k)
        weight = unsaturated_weight(light) + LEAST_TRUST
        brightest = linear_to_srgb(light.max(axis=2))
    radiance = light.reshape(-1, 3) / np.float32(stack.relative_seconds[k])
    return _Readings(radiance, weight.ravel(), brightest.ravel() < BLACK, brightest.ravel() > CLIPPED)


def _coarse_trust(stack: ExposureStack, response: CameraResponse, tolerance: float) -> tuple[Plane, _Votes]:
    """q of each pixel and exposure, m x K; and the votes of its green values, which are the least noisy."""
    readings = [_readings(stack, response, k) for k in range(len(stack))]
    weights = np.stack([r.weight for r in readings], axis=1)
    too_dark = np.stack([r.too_dark for r in readings], axis=1)
    too_bright = np.stack([r.too_bright for r in readings], axis=1)
    missing = too_dark | too_bright
    noise = np.float32(NOISE) / np.array(stack.relative_seconds, np.float32)
    largest = _merged(np.stack([r.radiance.max(axis=1) for r in readings], axis=1), weights)
    misfit, departure = np.zeros_like(weights), np.zeros_like(weights)
    for c in (RED, BLUE, GREEN):  # the last one votes
        observed = np.stack([r.radiance[:, c] for r in readings], axis=1)
        scale = np.maximum(_merged(observed, weights), np.maximum(FAINTEST * largest, noise[-1]))
        ratios = observed / scale
        _remove_bias_of_levels(ratios, observed, missing)
        low_rank = low_rank_part(ratios, missing)
        error = ratios - low_rank
        # What is too bright to be read may be brighter still, what is too dark darker.
        error[too_bright] = np.maximum(error[too_bright], 0)
        error[too_dark] = np.minimum(error[too_dark], 0)
        allowed = tolerance * np.maximum(low_rank, LEAST_LOW_RANK) + noise / scale
        np.maximum(misfit, np.abs(error) / allowed, out=misfit)
        departure += np.abs(ratios - np.median(low_rank, axis=1, keepdims=True))
    trust = np.exp(-np.square(_local_mean(misfit, stack.shape[:2])))
    _trust_the_median(trust, weights, departure)
    return trust, _votes(ratios, too_dark, too_bright, noise / scale, stack)


def _votes(ratios: Plane, too_dark: Mask, too_bright: Mask, noise: Plane, stack: ExposureStack) -> _Votes:
    """Which exposures contradict the reference strongly, where fewer can be read than the rank needs.

    `ratios` and their `noise` are m x K. What cannot be read is a bound of what it may be.
    """
    k = reference_exposure(stack)
    reference = ratios[:, k : k + 1]
    error = ratios - reference
    np.maximum(error, 0, out=error, where=too_bright | too_dark[:, k : k + 1])
    np.minimum(error, 0, out=error, where=too_dark | too_bright[:, k : k + 1])
    largest = np.maximum(np.maximum(ratios, reference), LEAST_LOW_RANK)
    against = np.abs(error) > CONTRADICTION * (largest + CERTAIN * (noise + noise[:, k : k + 1]))
    readable = ~(too_dark | too_bright)
    agreeing = readable & ~against
    agreeing[:, k] = True
    few = np.count_nonzero(readable, axis=1) < LEAST_EXPOSURES
    count = np.count_nonzero(against, axis=1)
    majority = np.abs(count - np.count_nonzero(agreeing, axis=1)) > 1
    contradicted = _opened((few & (count > 0)).reshape(stack.shape[:2]))
    return _Votes(contradicted, contradicted & ~majority.reshape(stack.shape[:2]))


def _opened(mask: Mask) -> Mask:
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).view(bool)


def _local_mean(misfit: Plane, size: tuple[int, int]) -> Plane:
    """Means over 3 x 3 pixels, m x K of an image of `size`: what moves is larger than noise."""
    capped = np.minimum(misfit, LARGEST_MISFIT)
    planes = [box_mean(np.ascontiguousarray(column).reshape(size), 1).ravel() for column in capped.T]
    return np.stack(planes, axis=1)


def _merged(radiance: Plane, weights: Plane) -> Plane:
    """Weighted means over the exposures: m x K -> m x 1."""
    return (weights * radiance).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)


def _remove_bias_of_levels(ratios: Plane, observed: Plane, missing: NDArray[np.bool_]) -> None:
    """Divide each exposure's ratios to the merged radiance by their medians over pixels of like level, in place.

    What most pixels of a level show is the error of the assumed response, not motion: without this a wrong
    curve leaves patches where an exposure stops being trusted. All are m x K.
    """
    for k in range(observed.shape[1]):
        seen = np.flatnonzero(~missing[:, k] & (observed[:, k] > 0))
        if len(seen) < BIAS_GROUPS * BIAS_PIXELS:
            continue
        groups = np.array_split(seen[np.argsort(observed[seen, k], kind="stable")], BIAS_GROUPS)
        levels = [float(np.median(observed[group, k])) for group in groups]
        medians = [float(np.median(ratios[group, k])) for group in groups]
        bias = np.clip(medians, 1 / LARGEST_BIAS, LARGEST_BIAS)
        ratios[:, k] /= np.interp(observed[:, k], levels, bias).astype(np.float32)


def _trust_the_median(trust: Plane, weights: Plane, departure: Plane) -> None:
    """Where every exposure is contradicted, trust the one nearest to the median of the low-rank part."""
    enough = CONTRADICTED * weights.max(axis=1, keepdims=True)
    contradicted = (trust * weights).sum(axis=1) < enough[:, 0]
    candidates = np.where(weights > enough, departure, departure + departure.max())
    nearest = candidates.argmin(axis=1)
    trust[contradicted, nearest[contradicted]] = 1
