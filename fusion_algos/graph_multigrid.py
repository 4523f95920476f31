"""An approximate inverse of (Id + weighted Laplacian) of a pixel grid, for conjugate gradients: multigrid.

Aggregates follow the weights, not the grid, so that weights may jump by any factor from pixel to pixel. As the
corrections are constant on aggregates, upper levels are visited twice with conjugate gradients in between (Notay's
K-cycle). All in float32: its rounding is in the next residual, which is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fusion_algos import graph_aggregation as aggregation
from fusion_algos import graph_sweeps, grid_sweeps

Vector = NDArray[np.float32]
Numbers = NDArray[np.int32]
SMALLEST_GRAPH = 200  # nodes; a dense inverse solves it
LEAST_SHRINKING = (
    0.8  # of nodes from level to level; what does not shrink is nearly diagonal: sweeps solve it
)
LAST_SWEEPS = 4  # forward and backward
TWICE = (2, 3)  # depths that are visited twice
GOOD_ENOUGH = 0.25  # of the residual, after the first visit


@dataclass(frozen=True)
class Level:
    """A graph below the pixels, n nodes, each edge stored once (graph_sweeps.py).

    aggregate: of each node, on the next level; the last level has none. If that is small it has its inverse, n x n.
    right_side, solution: vectors of this level, one longer: the last value is that of nodes outside, always 0.
    """

    start: Numbers
    neighbour: Numbers
    weight: Vector
    mass: Vector
    inverse: Vector  # of the diagonal
    aggregate: Numbers | None
    dense_inverse: NDArray[np.float64] | None
    right_side: Vector
    solution: Vector

    @cached_property
    def known(self) -> Vector:
        """Room for the backward sweep."""
        return np.empty(self.mass.size, np.float32)

    @cached_property
    def first(self) -> Vector:
        """Room for the solution of the first visit."""
        return np.empty(self.mass.size, np.float32)

    @cached_property
    def image(self) -> Vector:
        """Room for a product with the matrix."""
        return np.empty(self.mass.size, np.float32)

    @property
    def edges(self) -> tuple[Numbers, Numbers, Vector]:
        """What the compiled loops take."""
        return self.start, self.neighbour, self.weight


@dataclass(frozen=True)
class Grid:
    """The pixels: HxW planes, and weights of edges (H-1)xW and Hx(W-1)."""

    down: Vector
    right: Vector
    inverse: Vector  # of the diagonal
    aggregate: Numbers


class Multigrid:
    """The levels of a pixel grid, and room for one right side and one solution of each."""

    def __init__(self, down: NDArray[np.float64], right: NDArray[np.float64]) -> None:
        """down: weights (H-1)xW of the edges to the pixel below, right: Hx(W-1)."""
        shape = right.shape[0], down.shape[1]
        self._solution = np.empty(shape, np.float32)
        self._grid: Grid | None = None
        self._levels: list[Level] = []
        graph = aggregation.grid_graph(down, right)
        while True:
            number, count = _aggregates(graph)
            if number is not None and self._grid is None and not self._levels:
                inverse = grid_sweeps.inverse_diagonal(down, right)
                half = (
                    down.astype(np.float32),
                    right.astype(np.float32),
                )  # of the bytes: the sweeps wait for memory
                self._grid = Grid(*half, inverse, number.reshape(shape))
            else:
                self._levels.append(_level(graph, number))
            if number is None:
                break
            graph = aggregation.coarse_graph(*graph, number, count)

    def error_of(self, rest: NDArray[np.float64]) -> Vector:
        """About u of A u = `rest`, HxW; the next call overwrites it."""
        grid = self._grid
        if grid is None:
            self._levels[0].right_side[:-1] = rest.ravel()
            self._visit(0)
            return self._levels[0].solution[:-1].reshape(rest.shape)
        below = self._levels[0]
        weights = grid.down, grid.right, grid.inverse, grid.aggregate, rest
        grid_sweeps.sweep_and_restrict(*weights, self._solution, below.right_side)
        self._visit_often(0)
        grid_sweeps.add_and_sweep_back(*weights, below.solution, self._solution)
        return self._solution

    def _visit(self, depth: int) -> None:
        """solution of level `depth` for its right_side: a sweep forward, the next level, a sweep backward."""
        level = self._levels[depth]
        if level.dense_inverse is not None:
            level.solution[:-1] = level.dense_inverse @ level.right_side[:-1]
        elif level.aggregate is None:
            _sweep_often(level)
        else:
            below = self._levels[depth + 1]
            graph_sweeps.sweep_and_restrict(
                *level.edges,
                level.inverse,
                level.right_side,
                level.aggregate,
                level.solution,
                below.right_side,
            )
            self._visit_often(depth + 1)
            graph_sweeps.add_constants(below.solution, level.aggregate, level.solution)
            _sweep_back(level)

    def _visit_often(self, depth: int) -> None:
        """Up to two steps of conjugate gradients, each with one visit of the level, where it is visited twice."""
        level = self._levels[depth]
        size = level.mass.size
        self._visit(depth)
        if depth + 1 not in TWICE:
            return
        level.first[:] = level.solution[:-1]
        energy = graph_sweeps.multiply(*level.edges, level.mass, level.first, level.image)
        along, square = graph_sweeps.products(level.first, level.right_side, size)
        if energy <= 0:
            return
        left = graph_sweeps.subtract(along / energy, level.image, level.right_side, size)
        if left <= GOOD_ENOUGH**2 * square:
            graph_sweeps.combine(0.0, level.first, along / energy, level.solution, size)
            return
        self._visit(depth)
        mixed, _ = graph_sweeps.products(level.image, level.solution, size)
        towards, _ = graph_sweeps.products(level.right_side, level.solution, size)
        second = graph_sweeps.multiply(*level.edges, level.mass, level.solution, level.image)
        step = towards / (second - mixed * mixed / energy)
        graph_sweeps.combine((along - step * mixed) / energy, level.first, step, level.solution, size)


Graph = tuple[Numbers, Numbers, Vector, Vector]


def _aggregates(graph: Graph) -> tuple[Numbers | None, int]:
    """(aggregate of each node, how many); none if this is the last level."""
    start, _, weight, mass = graph
    if mass.size <= SMALLEST_GRAPH:
        return None, 0
    strongest, total = aggregation.strongest_and_total(start, weight, mass)
    parent = aggregation.joined(*graph, strongest, total)
    number, count = aggregation.numbered(parent, strongest, mass)
    return (number if 0 < count <= LEAST_SHRINKING * mass.size else None), count


def _level(graph: Graph, aggregate: Numbers | None) -> Level:
    start, neighbour, weight, mass = graph
    _, total = aggregation.strongest_and_total(start, weight, mass)
    dense = None
    if mass.size <= SMALLEST_GRAPH:
        dense = np.linalg.inv(aggregation.dense_matrix(*graph))
    vectors = np.zeros((2, mass.size + 1), np.float32)
    start, neighbour, weight = aggregation.earlier_half(start, neighbour, weight)
    return Level(start, neighbour, weight, mass, 1 / total, aggregate, dense, vectors[0], vectors[1])


def _sweep_back(level: Level) -> None:
    graph_sweeps.sweep_back(*level.edges, level.inverse, level.right_side, level.solution, level.known)


def _sweep_often(level: Level) -> None:
    """Gauss-Seidel forward and backward, of what is left again and again."""
    solution = level.solution[:-1]
    total = np.zeros_like(solution)
    for _ in range(LAST_SWEEPS):
        graph_sweeps.sweep(*level.edges, level.inverse, level.right_side, level.solution)
        _sweep_back(level)
        total += solution
        graph_sweeps.multiply(*level.edges, level.mass, level.solution, level.image)
        graph_sweeps.subtract(1.0, level.image, level.right_side, solution.size)
    solution[:] = total
