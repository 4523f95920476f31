"""An approximate inverse of (masses + weighted Laplacian) of a pixel grid, for conjugate gradients: multigrid.

Aggregates follow the weights, not the grid, so that weights may jump by any factor from pixel to pixel. As the weights
are constant on aggregates, the upper levels are visited twice with conjugate gradients in between (Notay's K-cycle).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos import graph_aggregation as aggregation

Vector = NDArray[np.float64]
SMALLEST_GRAPH = 200  # nodes; a dense inverse solves it
LEAST_SHRINKING = (
    0.8  # of nodes from level to level; what does not shrink is nearly diagonal: sweeps solve it
)
LAST_SWEEPS = 8
TWICE = (1, 3)  # depths that are visited twice
GOOD_ENOUGH = 0.25  # of the residual, after the first visit
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@dataclass(frozen=True)
class Level:
    """A graph (graph_aggregation.py), 1 / diagonal of its matrix, and the aggregate of each node on the next level.

    The last level has no aggregates; if it is small it has its dense inverse, n x n.
    """

    start: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    weight: Vector
    inverse: Vector
    aggregate: NDArray[np.int32] | None
    aggregates: int
    dense_inverse: NDArray[np.float64] | None

    @property
    def matrix(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Vector, Vector]:
        """What the loops below take."""
        return self.start, self.neighbour, self.weight, self.inverse


def levels_of_grid(down: Vector, right: Vector) -> list[Level]:
    """The levels for edge weights (H-1)xW and Hx(W-1), finest first."""
    graph = aggregation.grid_graph(down, right)
    levels: list[Level] = []
    while True:
        start, neighbour, weight, mass = graph
        strongest, total = aggregation.strongest_and_total(start, weight, mass)
        if mass.size <= SMALLEST_GRAPH:
            dense = np.linalg.inv(aggregation.dense_matrix(start, neighbour, weight, total))
            return [*levels, Level(start, neighbour, weight, 1 / total, None, 0, dense)]
        number, count = _aggregates(graph, strongest, total)
        last = not 0 < count <= LEAST_SHRINKING * mass.size
        levels.append(Level(start, neighbour, weight, 1 / total, None if last else number, count, None))
        if last:
            return levels
        graph = aggregation.coarse_graph(*graph, number, count)


def _aggregates(graph, strongest, total) -> tuple[NDArray[np.int32], int]:
    node, other, strength = aggregation.strong_edges(*graph, strongest)
    quarter_octave = (-4 * np.log2(strength)).astype(np.int16)  # numpy sorts 16 bits in linear time
    order = np.argsort(quarter_octave, kind="stable")
    parent = aggregation.joined(node, other, strength, order, strongest.copy(), total)
    return aggregation.numbered(parent, strongest, graph[3])


def approximate_solution(levels: list[Level], right_side: Vector, depth: int = 0) -> Vector:
    """About u of A u = f of `levels[depth]`: a sweep forward, the next level, a sweep backward."""
    level = levels[depth]
    if level.dense_inverse is not None:
        return level.dense_inverse @ right_side
    solution = np.empty_like(right_side)
    if level.aggregate is None:
        solution[:] = 0
        for _ in range(LAST_SWEEPS):
            _sweep(*level.matrix, right_side, solution)
    else:
        rest = np.zeros(level.aggregates)
        _sweep_and_restrict(*level.matrix, right_side, level.aggregate, solution, rest)
        visit = _two_visits if depth + 1 in TWICE else approximate_solution
        _add_constants(visit(levels, rest, depth + 1), level.aggregate, solution)
    _sweep_back(*level.matrix, right_side, solution)
    return solution


def _two_visits(levels: list[Level], right_side: Vector, depth: int) -> Vector:
    """Up to two steps of conjugate gradients, each with one visit of the level."""
    image = np.empty_like(right_side)
    first = approximate_solution(levels, right_side, depth)
    _multiply(*levels[depth].matrix, first, image)
    energy, along = first @ image, first @ right_side
    if energy <= 0:
        return first
    rest = right_side - along / energy * image
    if rest @ rest <= GOOD_ENOUGH**2 * (right_side @ right_side):
        return along / energy * first
    second = approximate_solution(levels, rest, depth)
    mixed = second @ image
    _multiply(*levels[depth].matrix, second, image)
    step = (second @ rest) / (second @ image - mixed * mixed / energy)
    return (along - step * mixed) / energy * first + step * second


@compiled
def _sweep_and_restrict(start, neighbour, weight, inverse, right_side, aggregate, solution, rest):
    """Gauss-Seidel forward from 0; its residual, added up on aggregates.

    Of A = D - L - U the sweep solves (D - L) u = f, so that f - A u = U u: each node adds to those before it.
    """
    for i in range(inverse.size):
        value = right_side[i]
        for k in range(start[i], start[i + 1]):
            if neighbour[k] < i:
                value += weight[k] * solution[neighbour[k]]
        value *= inverse[i]
        solution[i] = value
        for k in range(start[i], start[i + 1]):
            if neighbour[k] < i and aggregate[neighbour[k]] >= 0:
                rest[aggregate[neighbour[k]]] += weight[k] * value


@compiled
def _relax(start, neighbour, weight, inverse, right_side, solution, i):
    value = right_side[i]
    for k in range(start[i], start[i + 1]):
        value += weight[k] * solution[neighbour[k]]
    solution[i] = value * inverse[i]


@compiled
def _sweep(start, neighbour, weight, inverse, right_side, solution):
    for i in range(inverse.size):
        _relax(start, neighbour, weight, inverse, right_side, solution, i)


@compiled
def _sweep_back(start, neighbour, weight, inverse, right_side, solution):
    for i in range(inverse.size - 1, -1, -1):
        _relax(start, neighbour, weight, inverse, right_side, solution, i)


@compiled
def _multiply(start, neighbour, weight, inverse, vector, product):
    for i in range(inverse.size):
        value = vector[i] / inverse[i]
        for k in range(start[i], start[i + 1]):
            value -= weight[k] * vector[neighbour[k]]
        product[i] = value


@compiled
def _add_constants(constants, aggregate, solution):
    for i in range(solution.size):
        if aggregate[i] >= 0:
            solution[i] += constants[aggregate[i]]
