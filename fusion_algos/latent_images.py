"""Latent images: what each exposure of a moving scene would show had everything stood as in the reference.

The scheme that Sen et al. 2012 and Hu et al. 2013 share. From the reference outwards, the latent image of
one exposure is the reference of the next. An exposure is its own latent image wherever it agrees with the
reference; elsewhere the reference is re-exposed through their intensity mapping; and where the reference is
clipped as well, patches of the exposure itself are put in its place. Motion and patches are found at no more
than SEARCH_PIXELS; their offsets then fetch pixels of the full-sized exposure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import round_to_8_bit
from fusion_algos.hole_filling import Hole
from fusion_algos.intensity_mapping import Curves, re_exposed
from fusion_algos.patch_match import NearestNeighbours, similarity, voted
from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import enlarged_rows
from fusion_algos.scene_motion import Bytes, Mask, Motion, find_motion
from fusion_algos.stack import ExposureStack

Plane = NDArray[np.float32]

SEARCH_PIXELS = 1_000_000
SHARE_PIXELS = 100_000  # about so many pixels are read to see how an image is exposed
WELL_EXPOSED = (26, 229)  # levels of the brightest channel: .1 to .9
GOOD_ENOUGH = 0.9  # of the best share of well-exposed pixels
FEATHER = 5  # pixels of the search's resolution over which two sources of a pixel blend


PatchSearch = Callable[[Hole], tuple[Bytes, NearestNeighbours]]


@dataclass(frozen=True)
class _Repair:
    """How the latent image of one exposure departs from it: small planes at the search's resolution."""

    replaced: Plane  # share of the latent that does not come from the exposure's own pixel
    fetched: Plane  # share of that which comes from patches; the rest is the re-exposed reference
    to_source: Curves
    field: NearestNeighbours | None


@dataclass(frozen=True)
class LatentImages:
    """The latent images of a stack, composed one at a time: beyond the stack, two images are in memory.

    Iterating yields (k, HxWx3 image of the stack's type), the reference first, then outwards on both sides.
    """

    stack: ExposureStack
    reference: int
    repairs: tuple[_Repair | None, ...]

    @property
    def are_the_exposures(self) -> bool:
        """Whether nothing moved."""
        return not any(self.repairs)

    @property
    def replaced(self) -> Plane:
        """The largest share, over the exposures, of a pixel that is not the exposure's own; where something moved.

        Of the search's size, for stacks in which something did.
        """
        return np.max([repair.replaced for repair in self.repairs if repair is not None], axis=0)

    def __iter__(self) -> Iterator[tuple[int, NDArray[Any]]]:
        yield self.reference, self.stack.images[self.reference]
        for side in _outwards(self.reference, len(self.stack)):
            latent = self.stack.images[self.reference]
            for k in side:
                latent = _composed(self.stack.images[k], latent, self.repairs[k])
                yield k, latent


def reference_exposure(stack: ExposureStack) -> int:
    """The ceil(K/2)-th exposure from the dark end, or the nearest to it that is about as well exposed as the best.

    What is dark in the reference keeps its grain and its blotches of color; long brackets of night scenes have
    a middle exposure that is nearly black. Of up to three exposures the middle one: the others lack one side.
    """
    middle = (len(stack) - 1) // 2
    if len(stack) <= 3:
        return middle
    shares = [_well_exposed_share(image) for image in stack.images]
    good = [k for k, share in enumerate(shares) if share >= GOOD_ENOUGH * max(shares)]
    return min(good, key=lambda k: (abs(k - middle), k))


def _well_exposed_share(image: NDArray[Any]) -> float:
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // SHARE_PIXELS))
    brightest = _levels(np.ascontiguousarray(image[::step, ::step])).max(axis=2)
    return float(np.mean((brightest >= WELL_EXPOSED[0]) & (brightest <= WELL_EXPOSED[1])))


def find_latent_images(stack: ExposureStack, search: PatchSearch) -> LatentImages:
    """Compare the exposures outwards from the reference and repair what moved; `search` fills the holes."""
    reference = reference_exposure(stack)
    repairs: list[_Repair | None] = [None] * len(stack)
    smallest = _search_size(stack)
    first = _small(stack.images[reference], smallest)
    for side in _outwards(reference, len(stack)):
        latent = first
        for k in side:
            latent, repairs[k] = _repaired(latent, _small(stack.images[k], smallest), search)
    return LatentImages(stack, reference, tuple(repairs))


def _outwards(reference: int, count: int) -> tuple[range, range]:
    return range(reference + 1, count), range(reference - 1, -1, -1)


def _search_size(stack: ExposureStack) -> tuple[int, int]:
    """(width, height) after division by the least whole number that leaves at most SEARCH_PIXELS."""
    step = math.ceil(math.sqrt(stack.height * stack.width / SEARCH_PIXELS))
    return -(-stack.width // step), -(-stack.height // step)


def _small(image: NDArray[Any], size: tuple[int, int]) -> Bytes:
    levels = image if image.dtype == np.uint8 else round_to_8_bit(image)
    if size == (image.shape[1], image.shape[0]):
        return np.ascontiguousarray(levels)
    return cv2.resize(np.ascontiguousarray(levels), size, interpolation=cv2.INTER_AREA)


def _repaired(reference: Bytes, source: Bytes, search: PatchSearch) -> tuple[Bytes, _Repair | None]:
    """The latent image of `source` at the search's resolution, and how to make it at full size."""
    motion = find_motion(reference, source)
    if not motion.moved.any():
        return source, None
    replaced = _feathered(motion.moved)
    known = re_exposed(reference, motion.to_source)
    latent = _mixed(source, known, replaced)
    missing = motion.moved & motion.blind
    if not missing.any():
        return latent, _repair(motion, replaced, np.zeros_like(replaced), None)
    hole = Hole(latent, reference, source, _rounded(re_exposed(source, motion.to_reference)), _grown(missing))
    filled, field = search(hole)
    fetched = _feathered(missing)
    latent = _mixed(latent, filled, fetched * replaced)
    return latent, _repair(motion, replaced, fetched, field)


def _repair(motion: Motion, replaced: Plane, fetched: Plane, field: NearestNeighbours | None) -> _Repair:
    """The repair by two feathered masks; around what moved, a clipped reference has no share in it.

    There patches give way to the exposure itself: the one level that stands for all that is clipped would draw an
    outline. The small latent images keep it, as they only serve to find motion and patches.
    """
    around = motion.blind & ~motion.moved
    replaced = np.where(around, replaced * fetched, replaced)
    fetched = np.where(around & (fetched > 0), np.float32(1), fetched)
    return _Repair(replaced, fetched, motion.to_source, field)


def _grown(mask: Mask) -> Mask:
    """Wider by the feather, so that there is something to blend."""
    return cv2.dilate(mask.view(np.uint8), np.ones((2 * FEATHER + 1,) * 2, np.uint8)).view(bool)


def _feathered(mask: Mask) -> Plane:
    """1 in the mask, falling to 0 over FEATHER pixels around it."""
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 3)
    return np.clip(1 - distance / np.float32(FEATHER), 0, 1)


def _mixed(first: NDArray[Any], second: NDArray[Any], share: Plane) -> Bytes:
    """Levels of `second` where `share` is 1 and of `first` where it is 0."""
    mixed = first.astype(np.float32)
    mixed += share[..., np.newaxis] * (second - mixed)
    return _rounded(mixed)


def _rounded(levels: Plane) -> Bytes:
    return np.clip(levels + np.float32(0.5), 0, 255).astype(np.uint8)


def _composed(source: NDArray[Any], reference: NDArray[Any], repair: _Repair | None) -> NDArray[Any]:
    """The full-sized latent image of an exposure from that of its neighbour and the repair."""
    if repair is None:
        return source
    latent = source.copy()

    def work(rows: slice) -> None:
        _compose_rows(latent, source, reference, repair, rows)

    over_strips(source.shape[0], source.shape[1], work)
    return latent


def _compose_rows(
    latent: NDArray[Any], source: NDArray[Any], reference: NDArray[Any], repair: _Repair, rows: slice
) -> None:
    replaced = enlarged_rows(repair.replaced, rows, source.shape[:2])
    places = np.flatnonzero(replaced.any(axis=0))
    if not places.size:
        return
    columns = slice(int(places[0]), int(places[-1]) + 1)
    scale = np.float32(1 if source.dtype == np.uint8 else 255)
    known = re_exposed(_levels(reference[rows, columns]), repair.to_source)
    if repair.field is not None:
        _add_fetched(known, source, repair, repair.field, rows, columns)
    own = source[rows, columns].astype(np.float32) * scale
    own += replaced[:, columns, np.newaxis] * (known - own)
    levels = np.clip(own, 0, 255)
    latent[rows, columns] = levels + np.float32(0.5) if scale == 1 else levels / scale


def _add_fetched(
    known: Plane,
    source: NDArray[Any],
    repair: _Repair,
    field: NearestNeighbours,
    rows: slice,
    columns: slice,
) -> None:
    """Blend the votes of patches into the levels that are known for some rows and columns."""
    fetched = enlarged_rows(repair.fetched, rows, source.shape[:2])[:, columns]
    places = np.flatnonzero(fetched.any(axis=0))
    if not places.size:
        return
    inner = slice(int(places[0]), int(places[-1]) + 1)
    outer = slice(columns.start + inner.start, columns.start + inner.stop)
    votes = voted(source, field, similarity(field), rows, outer)
    votes *= np.float32(1 if source.dtype == np.uint8 else 255)
    known[:, inner] += fetched[:, inner, np.newaxis] * (votes - known[:, inner])


def _levels(image: NDArray[Any]) -> Bytes:
    return image if image.dtype == np.uint8 else round_to_8_bit(image)
