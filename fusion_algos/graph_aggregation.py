"""Compiled loops that make a graph of half a million nodes of one of two million, its strongest bonds kept inside.

A graph is (start, neighbour, weight, mass): the neighbours of node i are neighbour[start[i]:start[i + 1]]. Of
aggregates: Notay, "An aggregation-based algebraic multigrid method", ETNA 37, 2010; here they grow from the strongest
edge to the weakest, as in Kruskal's algorithm.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

NODES = 4  # of an aggregate; those that hang on it alone come free
STRONG = 0.25  # of the strongest edge at one of the two ends
HANGS = 2.0  # its edge is stronger than the rest of its edges and its mass by this
OUTSIDE = -1  # number of nodes that need no coarser level: their mass outweighs each of their edges
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@compiled
def grid_graph(down, right):
    """Graph of the pixels, row by row; every mass is 1."""
    height, width = right.shape[0], down.shape[1]
    start = np.empty(height * width + 1, np.int32)
    neighbour = np.empty(2 * (down.size + right.size), np.int32)
    weight = np.empty(neighbour.size)
    node = k = 0
    for i in range(height):
        for j in range(width):
            start[node] = k
            if i > 0:
                neighbour[k], weight[k] = node - width, down[i - 1, j]
                k += 1
            if j > 0:
                neighbour[k], weight[k] = node - 1, right[i, j - 1]
                k += 1
            if j < width - 1:
                neighbour[k], weight[k] = node + 1, right[i, j]
                k += 1
            if i < height - 1:
                neighbour[k], weight[k] = node + width, down[i, j]
                k += 1
            node += 1
    start[node] = k
    return start, neighbour, weight, np.ones(node)


@compiled
def strongest_and_total(start, weight, mass):
    """Of each node its strongest edge, and the sum of its edges and mass."""
    strongest, total = np.zeros(mass.size), mass.copy()
    for i in range(mass.size):
        for k in range(start[i], start[i + 1]):
            strongest[i] = max(strongest[i], weight[k])
            total[i] += weight[k]
    return strongest, total


@compiled
def strong_edges(start, neighbour, weight, mass, strongest):
    """(node, node, weight) of edges that an aggregate may be made of."""
    node, other = np.empty((2, neighbour.size // 2), np.int32)
    strength = np.empty(neighbour.size // 2)
    count = 0
    for i in range(mass.size):
        for k in range(start[i], start[i + 1]):
            j, w = neighbour[k], weight[k]
            if j > i and w > min(mass[i], mass[j]) and w >= STRONG * min(strongest[i], strongest[j]):
                node[count], other[count], strength[count] = i, j, w
                count += 1
    return node[:count], other[:count], strength[:count]


@compiled
def joined(node, other, strength, order, strongest, total):
    """The root of each node's aggregate; edges are taken in `order`, `strongest` becomes that of the aggregate.

    An edge joins only if it is strong for one of the *aggregates*: else a weak node between would glue two regions.
    """
    parent = np.arange(total.size).astype(np.int32)
    size = np.ones(total.size, np.int32)
    for e in order:
        a, b, w = _root(parent, node[e]), _root(parent, other[e]), strength[e]
        if a == b or w < STRONG * min(strongest[a], strongest[b]):
            continue
        if size[a] < size[b]:
            a, b = b, a
        if size[a] + size[b] <= NODES:
            size[a] += size[b]
        elif size[b] > 1 or w < HANGS * (total[b] - w):
            continue
        parent[b] = a
        strongest[a] = max(strongest[a], strongest[b])
    return parent


@compiled
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def numbered(parent, strongest, mass):
    """(number of each node's aggregate or OUTSIDE, how many there are)."""
    alone = np.ones(mass.size, np.bool_)
    for i in range(mass.size):
        if parent[i] != i:
            alone[i] = alone[_root(parent, i)] = False
    number = np.full(mass.size, OUTSIDE, np.int32)
    count = 0
    for i in range(mass.size):
        root = _root(parent, i)
        if alone[i] and strongest[i] <= mass[i]:
            continue
        if number[root] == OUTSIDE:
            number[root] = count
            count += 1
        number[i] = number[root]
    return number, count


@compiled
def coarse_graph(start, neighbour, weight, mass, number, count):
    """P'AP of aggregates: edges between two are summed, an edge to a node OUTSIDE becomes mass."""
    first, members = _members(number, count)
    coarse_start, coarse_mass = np.empty(count + 1, np.int32), np.zeros(count)
    coarse_neighbour, coarse_weight = np.empty(neighbour.size, np.int32), np.empty(neighbour.size)
    place = np.full(count, -1, np.int32)  # of the edge to that aggregate
    k = 0
    for a in range(count):
        coarse_start[a] = k
        for i in members[first[a] : first[a + 1]]:
            coarse_mass[a] += mass[i]
            for e in range(start[i], start[i + 1]):
                b = number[neighbour[e]]
                if b == OUTSIDE:
                    coarse_mass[a] += weight[e]
                elif b != a and place[b] < coarse_start[a]:
                    place[b], coarse_neighbour[k], coarse_weight[k] = k, b, weight[e]
                    k += 1
                elif b != a:
                    coarse_weight[place[b]] += weight[e]
    coarse_start[count] = k
    return coarse_start, coarse_neighbour[:k].copy(), coarse_weight[:k].copy(), coarse_mass


@compiled
def _members(number, count):
    """Nodes sorted by aggregate, and where each aggregate's begin."""
    first = np.zeros(count + 1, np.int32)
    for a in number:
        if a != OUTSIDE:
            first[a + 1] += 1
    first = np.cumsum(first).astype(np.int32)
    free, members = first.copy(), np.empty(first[-1], np.int32)
    for i in range(number.size):
        if number[i] != OUTSIDE:
            members[free[number[i]]] = i
            free[number[i]] += 1
    return first, members


@compiled
def dense_matrix(start, neighbour, weight, total):
    """n x n."""
    matrix = np.diag(total)
    for i in range(total.size):
        for k in range(start[i], start[i + 1]):
            matrix[i, neighbour[k]] = -weight[k]
    return matrix
