"""Which object a ray meets first: a tree of bounding boxes, walked front to back without a stack."""

from __future__ import annotations

import numpy as np
from numba import njit

from builder.simulate.noise import Vector, compiled, dot, scaled, unit
from builder.simulate.shapes import MISS, SHADOW, hit, normal_to_world

BINS = 10
# Columns of a node: bounds (low, high), node to go on with where they are missed, primitive or -1.
LOW, HIGH, SKIP, LEAF, NODE_COLUMNS = 0, 3, 6, 7, 8


@compiled
def _octant(direction: Vector) -> int:
    """Which of the eight depth-first orders runs front to back along a direction."""
    return (1 if direction[0] < 0 else 0) + (2 if direction[1] < 0 else 0) + (4 if direction[2] < 0 else 0)


@compiled
def _enters(nodes: np.ndarray, turn: int, node: int, o: Vector, reciprocal: Vector, far: float) -> bool:
    """Slab test of a node's bounds, with the reciprocals of the direction."""
    ax, bx = (nodes[turn, node, 0] - o[0]) * reciprocal[0], (nodes[turn, node, 3] - o[0]) * reciprocal[0]
    ay, by = (nodes[turn, node, 1] - o[1]) * reciprocal[1], (nodes[turn, node, 4] - o[1]) * reciprocal[1]
    az, bz = (nodes[turn, node, 2] - o[2]) * reciprocal[2], (nodes[turn, node, 5] - o[2]) * reciprocal[2]
    enter = max(min(ax, bx), min(ay, by), min(az, bz))
    leave = min(max(ax, bx), max(ay, by), max(az, bz))
    return enter <= leave and leave > 0.0 and enter < far


@compiled
def nearest_hit(nodes: np.ndarray, prims: np.ndarray, o: Vector, d: Vector) -> tuple[float, int, Vector]:
    """First surface along a unit direction: distance, primitive or -1, unit normal towards the origin."""
    reciprocal, turn = (1.0 / d[0], 1.0 / d[1], 1.0 / d[2]), _octant(d)
    best, found, local = MISS, -1, (0.0, 0.0, 1.0)
    node, count = 0, nodes.shape[1]
    while node < count:
        if not _enters(nodes, turn, node, o, reciprocal, best):
            node = int(nodes[turn, node, SKIP])
            continue
        i = int(nodes[turn, node, LEAF])
        if i >= 0:
            t, n = hit(prims, i, o, d, 1e-4)
            if t < best:
                best, found, local = t, i, n
        node += 1
    if found < 0:
        return best, found, local
    normal = unit(normal_to_world(prims, found, local))
    if dot(normal, d) > 0.0:
        normal = scaled(-1.0, normal)
    return best, found, normal


@compiled
def is_shadowed(nodes: np.ndarray, prims: np.ndarray, o: Vector, d: Vector, far: float) -> bool:
    """Whether anything that casts a shadow lies between 0 and `far` along a ray of unit direction."""
    reciprocal, turn = (1.0 / d[0], 1.0 / d[1], 1.0 / d[2]), _octant(d)
    node, count = 0, nodes.shape[1]
    while node < count:
        if not _enters(nodes, turn, node, o, reciprocal, far):
            node = int(nodes[turn, node, SKIP])
            continue
        i = int(nodes[turn, node, LEAF])
        if i >= 0 and prims[i, SHADOW] > 0.0 and hit(prims, i, o, d, 1e-4)[0] < far:
            return True
        node += 1
    return False


@compiled
def _bounds(box: np.ndarray, order: np.ndarray, start: int, end: int, out: np.ndarray) -> None:
    """Common bounds (6,) of the boxes order[start:end]."""
    for axis in range(3):
        out[axis], out[axis + 3] = MISS, -MISS
        for k in range(start, end):
            out[axis] = min(out[axis], box[order[k], axis])
            out[axis + 3] = max(out[axis + 3], box[order[k], axis + 3])


@compiled
def _half_area(bounds: np.ndarray) -> float:
    x, y, z = bounds[3] - bounds[0], bounds[4] - bounds[1], bounds[5] - bounds[2]
    return x * y + y * z + z * x


@compiled
def _split_cost(box: np.ndarray, order: np.ndarray, start: int, end: int, axis: int, cut: float) -> float:
    """Surface-area cost of parting boxes by centre sums at `cut` (MacDonald & Booth 1990)."""
    sides = np.empty((2, 6))
    sides[:, :3], sides[:, 3:] = MISS, -MISS
    counts = np.zeros(2)
    for k in range(start, end):
        row = box[order[k]]
        side = 1 if row[axis] + row[axis + 3] >= cut else 0
        counts[side] += 1
        for a in range(3):
            sides[side, a] = min(sides[side, a], row[a])
            sides[side, a + 3] = max(sides[side, a + 3], row[a + 3])
    if counts[0] == 0 or counts[1] == 0:
        return MISS
    return counts[0] * _half_area(sides[0]) + counts[1] * _half_area(sides[1])


@compiled
def _partition(box: np.ndarray, order: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Reorders order[start:end] at the cheapest of BINS cuts along each axis: (middle, axis)."""
    best, best_axis, best_cut = MISS, -1, 0.0
    for axis in range(3):
        low, high = MISS, -MISS
        for k in range(start, end):
            centre = box[order[k], axis] + box[order[k], axis + 3]
            low, high = min(low, centre), max(high, centre)
        for step in range(1, BINS):
            cut = low + (high - low) * step / BINS
            cost = _split_cost(box, order, start, end, axis, cut)
            if cost < best:
                best, best_axis, best_cut = cost, axis, cut
    if best_axis < 0:
        return (start + end) // 2, 0
    middle = start
    for k in range(start, end):
        if box[order[k], best_axis] + box[order[k], best_axis + 3] < best_cut:
            order[k], order[middle] = order[middle], order[k]
            middle += 1
    return middle, best_axis


@njit(cache=True, error_model="numpy")  # cached: it calls into this file only
def build_tree(box: np.ndarray) -> np.ndarray:
    """Tree over boxes (n, 6) as eight depth-first lists, one per octant: float64 (8, 2n - 1, NODE_COLUMNS).

    A subtree of n boxes has 2n - 1 nodes, so a missed node's successor follows from counts alone; each list
    puts the child first that rays of its octant meet first.
    """
    count = box.shape[0]
    order = np.arange(count)
    nodes = np.empty((8, 2 * count - 1, NODE_COLUMNS))
    stack = np.zeros((64 + count, 10), np.int64)  # start, end, place of the subtree in each list
    stack[0, 1], top = count, 1
    while top > 0:
        top -= 1
        start, end = stack[top, 0], stack[top, 1]
        places = stack[top, 2:].copy()
        bounds = np.empty(6)
        _bounds(box, order, start, end, bounds)
        for turn in range(8):
            nodes[turn, places[turn], :6] = bounds
            nodes[turn, places[turn], SKIP] = places[turn] + 2 * (end - start) - 1
            nodes[turn, places[turn], LEAF] = order[start] if end - start == 1 else -1
        if end - start == 1:
            continue
        middle, axis = _partition(box, order, start, end)
        stack[top, 0], stack[top, 1], stack[top + 1, 0], stack[top + 1, 1] = start, middle, middle, end
        for turn in range(8):
            backwards = (turn >> axis) & 1
            stack[top, 2 + turn] = places[turn] + 1 + backwards * (2 * (end - middle) - 1)
            stack[top + 1, 2 + turn] = places[turn] + 1 + (1 - backwards) * (2 * (middle - start) - 1)
        top += 2
    return nodes
