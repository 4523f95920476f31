"""PatchMatch: for each patch of one image a similar patch of another, and images rebuilt from such patches.

Barnes, Shechtman, Finkelstein, Goldman, "PatchMatch: a randomized correspondence algorithm for structural
image editing", ACM TOG 28(3), 2009. Offsets are searched at wanted pixels only, in one thread and with a
fixed seed: the same input gives the same field everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

SEED = 2009
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class NearestNeighbours:
    """Where the patch around each wanted pixel of the target is found in the source.

    `offsets`: HxWx2 int32 (rows, columns) from the target's pixel to the source's; `distances`: HxW float32,
    mean squared difference per value; both are 0 where `wanted` (HxW bool) is not. `patch`: side in pixels; a
    patch reaches from -(patch // 2) to (patch - 1) // 2 around its pixel.
    """

    offsets: NDArray[np.int32]
    distances: NDArray[np.float32]
    wanted: NDArray[np.bool_]
    patch: int

    def resized(self, wanted: NDArray[np.bool_]) -> NDArray[np.int32]:
        """The offsets as a first guess for another resolution, at which `wanted` is given."""
        height, width = wanted.shape
        old_height, old_width = self.wanted.shape
        rows = np.minimum(np.arange(height) * old_height // height, old_height - 1)
        columns = np.minimum(np.arange(width) * old_width // width, old_width - 1)
        scale = np.array([height / old_height, width / old_width])
        return np.rint(self.offsets[rows][:, columns] * scale).astype(np.int32)


def nearest_neighbours(
    target: Bytes,
    source: Bytes,
    wanted: NDArray[np.bool_],
    first_guess: NDArray[np.int32],
    *,
    patch: int,
    rounds: int = 3,
    radius: int = 1 << 15,
) -> NearestNeighbours:
    """Search, from a first guess of offsets, the nearest source patch of every wanted target patch.

    `target`, `source`: HxWxC uint8 of one size, patches reach over their mirrored edges; `wanted`: HxW bool;
    `first_guess`: HxWx2 int32; `radius`: farthest random step in pixels.
    """
    before, after = patch // 2, (patch - 1) // 2
    padded = [
        np.ascontiguousarray(np.pad(image, ((before, after), (before, after), (0, 0)), mode="symmetric"))
        for image in (target, source)
    ]
    flat = [image.reshape(image.shape[0], -1) for image in padded]
    height, width, channels = target.shape
    offsets = np.where(wanted[..., np.newaxis], first_guess, 0).astype(np.int32)
    costs = np.zeros((height, width), np.int64)
    reach = min(radius, max(height, width))
    _search(*flat, wanted, offsets, costs, patch, channels, rounds, reach, SEED)
    distances = (costs / (patch * patch * channels)).astype(np.float32)
    return NearestNeighbours(offsets, distances, wanted, patch)


def similarity(field: NearestNeighbours) -> NDArray[np.float32]:
    """Weight of each wanted patch: exp(-d / 2 s^2), s^2 the 75th percentile of the distances d; else 0."""
    weights = np.zeros(field.distances.shape, np.float32)
    distances = field.distances[field.wanted]
    if distances.size:
        spread = max(float(np.percentile(distances, 75)), 1.0)
        weights[field.wanted] = np.exp(np.maximum(distances / (-2 * spread), -20))
    return weights


def voted(
    source: NDArray[Any],
    field: NearestNeighbours,
    weights: NDArray[np.float32],
    rows: slice,
    columns: slice,
) -> NDArray[np.float32]:
    """Rows and columns of the image in which each pixel is the weighted mean of what its patches say.

    `source`: HxWxC, any size: offsets are scaled to it; result: float32 in the units of `source`, 0 where no
    patch votes.
    """
    result = np.zeros((rows.stop - rows.start, columns.stop - columns.start, source.shape[2]), np.float32)
    _vote(source, field.offsets, weights, field.patch, rows.start, columns.start, result)
    return result


def shown(source: Bytes, field: NearestNeighbours) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Votes of source patches for the places in the target at which `field` (source to target) found them.

    Returns the sum of votes, HxWxC, and their count, HxW.
    """
    votes = np.zeros(source.shape, np.float32)
    count = np.zeros(source.shape[:2], np.float32)
    _show(source, field.offsets, field.wanted, field.patch, votes, count)
    return votes, count


@njit(nogil=True, cache=True)
def _show(source, offsets, wanted, patch, votes, count):  # type: ignore[no-untyped-def]
    height, width, channels = source.shape
    before, after = patch // 2, (patch - 1) // 2
    for y, x in np.argwhere(wanted):
        down, across = offsets[y, x, 0], offsets[y, x, 1]
        for row in range(max(y - before, -down, 0), min(y + after, height - 1 - down, height - 1) + 1):
            for column in range(
                max(x - before, -across, 0), min(x + after, width - 1 - across, width - 1) + 1
            ):
                count[row + down, column + across] += 1
                for c in range(channels):
                    votes[row + down, column + across, c] += source[row, column, c]


@njit(nogil=True, cache=True)
def _cost(target, source, y, x, row, column, patch, channels, worst):  # type: ignore[no-untyped-def]
    """Sum of squared differences of two patches; stops when it is no better than `worst`."""
    total = np.int64(0)
    length = patch * channels
    for line in range(patch):
        a = target[y + line, x * channels : x * channels + length]
        b = source[row + line, column * channels : column * channels + length]
        partial = np.int32(0)
        for i in range(length):
            difference = np.int32(a[i]) - np.int32(b[i])
            partial += difference * difference
        total += partial
        if total >= worst:
            return worst
    return total


@njit(nogil=True, cache=True)
def _search(target, source, wanted, offsets, costs, patch, channels, rounds, radius, seed):  # type: ignore[no-untyped-def]
    """Rounds over the wanted pixels, forth and back: propagate, then random steps of halving length."""
    height, width = wanted.shape
    most = np.int64(1) << 62
    for y in range(height):
        for x in range(width):
            if wanted[y, x]:
                row = min(max(y + offsets[y, x, 0], 0), height - 1)
                column = min(max(x + offsets[y, x, 1], 0), width - 1)
                offsets[y, x, 0], offsets[y, x, 1] = row - y, column - x
                costs[y, x] = _cost(target, source, y, x, row, column, patch, channels, most)
    state = np.uint64(seed)
    for turn in range(rounds):
        step = 1 if turn % 2 == 0 else -1
        for i in range(height):
            y = i if step == 1 else height - 1 - i
            for j in range(width):
                x = j if step == 1 else width - 1 - j
                if wanted[y, x]:
                    _propagate(target, source, wanted, offsets, costs, y, x, step, patch, channels)
                    state = _random_steps(
                        target, source, offsets, costs, y, x, patch, channels, radius, state
                    )


@njit(nogil=True, cache=True)
def _propagate(target, source, wanted, offsets, costs, y, x, step, patch, channels):  # type: ignore[no-untyped-def]
    height, width = wanted.shape
    for neighbour in range(2):
        above = y - step if neighbour == 0 else y
        left = x if neighbour == 0 else x - step
        if 0 <= above < height and 0 <= left < width and wanted[above, left]:
            row, column = y + offsets[above, left, 0], x + offsets[above, left, 1]
            if 0 <= row < height and 0 <= column < width:
                _keep_better(target, source, offsets, costs, y, x, row, column, patch, channels)


@njit(nogil=True, cache=True)
def _random_steps(target, source, offsets, costs, y, x, patch, channels, radius, state):  # type: ignore[no-untyped-def]
    height, width = costs.shape
    while radius >= 1:
        here_row, here_column = y + offsets[y, x, 0], x + offsets[y, x, 1]
        first, last = max(here_row - radius, 0), min(here_row + radius, height - 1)
        state = _next(state)
        row = first + np.int64(state >> np.uint64(33)) % (last - first + 1)
        first, last = max(here_column - radius, 0), min(here_column + radius, width - 1)
        state = _next(state)
        column = first + np.int64(state >> np.uint64(33)) % (last - first + 1)
        _keep_better(target, source, offsets, costs, y, x, row, column, patch, channels)
        radius //= 2
    return state


@njit(nogil=True, cache=True)
def _next(state):  # type: ignore[no-untyped-def]
    """Linear congruential generator modulo 2^64 (Knuth's MMIX constants); the upper bits are used."""
    return state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)


@njit(nogil=True, cache=True)
def _keep_better(target, source, offsets, costs, y, x, row, column, patch, channels):  # type: ignore[no-untyped-def]
    cost = _cost(target, source, y, x, row, column, patch, channels, costs[y, x])
    if cost < costs[y, x]:
        costs[y, x] = cost
        offsets[y, x, 0], offsets[y, x, 1] = row - y, column - x


@njit(nogil=True, cache=True)
def _vote(source, offsets, weights, patch, first_row, first_column, result):  # type: ignore[no-untyped-def]
    """Each pixel (y, x) reads the source at (y, x) + scaled offset of every patch that covers it."""
    height, width, channels = source.shape
    small_height, small_width = weights.shape
    down, across = small_height / height, small_width / width
    before, after = patch // 2, (patch - 1) // 2
    for i in range(result.shape[0]):
        y = first_row + i
        near_row = min(int(y * down), small_height - 1)
        for j in range(result.shape[1]):
            x = first_column + j
            near_column = min(int(x * across), small_width - 1)
            total = np.float32(0)
            for row in range(max(near_row - after, 0), min(near_row + before, small_height - 1) + 1):
                for column in range(
                    max(near_column - after, 0), min(near_column + before, small_width - 1) + 1
                ):
                    weight = weights[row, column]
                    if weight > 0:
                        from_row = min(max(y + int(np.rint(offsets[row, column, 0] / down)), 0), height - 1)
                        from_column = min(
                            max(x + int(np.rint(offsets[row, column, 1] / across)), 0), width - 1
                        )
                        total += weight
                        for c in range(channels):
                            result[i, j, c] += weight * np.float32(source[from_row, from_column, c])
            if total > 0:
                for c in range(channels):
                    result[i, j, c] /= total
