"""Compiled loops of (masses + weighted Laplacian) of a graph, of which each edge is stored once.

The neighbours of node i that come before it are neighbour[start[i]:start[i + 1]]. Vectors may be longer than the graph.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@compiled
def sweep(start, neighbour, weight, inverse, right_side, solution):
    """Gauss-Seidel forward from 0."""
    for i in range(inverse.size):
        value = right_side[i]
        for k in range(start[i], start[i + 1]):
            value += weight[k] * solution[neighbour[k]]
        solution[i] = value * inverse[i]


@compiled
def sweep_and_restrict(start, neighbour, weight, inverse, right_side, aggregate, solution, rest):
    """Gauss-Seidel forward from 0; its residual, added up on aggregates (see grid_sweeps.py)."""
    for a in range(rest.size):
        rest[a] = 0
    for i in range(inverse.size):
        value = right_side[i]
        for k in range(start[i], start[i + 1]):
            value += weight[k] * solution[neighbour[k]]
        value *= inverse[i]
        solution[i] = value
        for k in range(start[i], start[i + 1]):
            rest[aggregate[neighbour[k]]] += weight[k] * value


@compiled
def sweep_back(start, neighbour, weight, inverse, right_side, solution, known):
    """Gauss-Seidel backward. known: f and what later nodes add to it."""
    for i in range(known.size):
        known[i] = right_side[i]
    for i in range(inverse.size - 1, -1, -1):
        value = known[i]
        for k in range(start[i], start[i + 1]):
            value += weight[k] * solution[neighbour[k]]
        value *= inverse[i]
        solution[i] = value
        for k in range(start[i], start[i + 1]):
            known[neighbour[k]] += weight[k] * value


@compiled
def add_constants(constants, aggregate, solution):
    """solution += constants of the aggregates."""
    for i in range(aggregate.size):
        solution[i] += constants[aggregate[i]]


@compiled
def multiply(start, neighbour, weight, mass, vector, product):
    """product = A vector; vector'A vector."""
    energy = 0.0
    for i in range(mass.size):
        value = mass[i] * vector[i]
        energy += value * vector[i]
        for k in range(start[i], start[i + 1]):
            difference = vector[i] - vector[neighbour[k]]
            flow = weight[k] * difference
            energy += flow * difference
            value += flow
            product[neighbour[k]] -= flow
        product[i] = value
    return energy


@compiled
def products(one, other, size):
    """(one'other, other'other) of the first `size` values."""
    mixed, square = 0.0, 0.0
    for i in range(size):
        mixed += one[i] * other[i]
        square += other[i] * other[i]
    return mixed, square


@compiled
def subtract(factor, vector, total, size):
    """total -= factor vector; total'total."""
    square = 0.0
    for i in range(size):
        value = total[i] - np.float32(factor) * vector[i]
        total[i] = value
        square += value * value
    return square


@compiled
def combine(factor, vector, other_factor, other, size):
    """other = factor vector + other_factor other."""
    for i in range(size):
        other[i] = np.float32(factor) * vector[i] + np.float32(other_factor) * other[i]
