"""Compiled loops that make a graph of half a million nodes of one of two million, its strongest bonds kept inside.

A graph is (start, neighbour, weight, mass): the neighbours of node i are neighbour[start[i]:start[i + 1]]. Of
aggregates: Notay, "An aggregation-based algebraic multigrid method", ETNA 37, 2010; here they grow from the strongest
edge to the weakest, as in Kruskal's algorithm, block of nodes by block of nodes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np

NODES = 8  # of an aggregate; those that hang on it alone come free
STRONG = np.float32(0.25)  # of the strongest edge at one of the two ends
HANGS = np.float32(2)  # its edge is stronger than the rest of its edges and its mass by this
BLOCK = 1 << 15  # nodes that are sorted together: what is known of them stays in the processor's cache
STRENGTH_BITS = 10  # of a positive float32: exponent and two bits of mantissa, a quarter of an octave
compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@compiled
def grid_graph(down, right):
    """Graph of the pixels, row by row; every mass is 1."""
    height, width = right.shape[0], down.shape[1]
    start = np.empty(height * width + 1, np.int32)
    neighbour = np.empty(2 * (down.size + right.size), np.int32)
    weight = np.empty(neighbour.size, np.float32)
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
    return start, neighbour, weight, np.ones(node, np.float32)


@compiled
def strongest_and_total(start, weight, mass):
    """Of each node its strongest edge, and the sum of its edges and mass."""
    strongest, total = np.zeros(mass.size, np.float32), np.empty(mass.size, np.float32)
    for i in range(mass.size):
        most, added = np.float32(0), np.float64(mass[i])
        for k in range(start[i], start[i + 1]):
            most = max(most, weight[k])
            added += weight[k]
        strongest[i], total[i] = most, added
    return strongest, total


@compiled
def joined(start, neighbour, weight, mass, strongest, total):
    """The root of each node's aggregate; the strongest edges of a block are taken first.

    An edge joins only if it is strong for one of the *aggregates*: else a weak node between would glue two regions.
    """
    parent, size, strongest = np.empty(mass.size, np.int32), np.ones(mass.size, np.int8), strongest.copy()
    for i in range(mass.size):
        parent[i] = i
    for first in range(0, mass.size, BLOCK):
        last = min(first + BLOCK, mass.size)
        node, edge = _strong_edges(start, neighbour, weight, mass, strongest, first, last)
        for e in range(node.size):
            w = weight[edge[e]]
            a, b = _root(parent, node[e]), _root(parent, neighbour[edge[e]])
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
def _strong_edges(start, neighbour, weight, mass, strongest, first, last):
    """(node, place of its edge) of edges that an aggregate may be made of, of some nodes, strongest first."""
    most = start[last] - start[first]
    node, edge = np.empty(most + 1, np.int32), np.empty(most + 1, np.int32)
    begin = np.zeros((1 << STRENGTH_BITS) + 1, np.int32)
    strength = weight.view(np.int32)  # floats >= 0 are in order as integers too
    count = 0
    for i in range(first, last):
        for k in range(start[i], start[i + 1]):
            node[count], edge[count] = i, k  # stays if the edge is strong: a branch would be hard to foresee
            strong = _is_strong(i, neighbour[k], weight[k], mass, strongest)
            begin[_bucket(strength[k]) + 1] += strong
            count += strong
    for bucket in range(begin.size - 1):
        begin[bucket + 1] += begin[bucket]
    sorted_node, sorted_edge = np.empty(count, np.int32), np.empty(count, np.int32)
    for e in range(count):
        bucket = _bucket(strength[edge[e]])
        sorted_node[begin[bucket]], sorted_edge[begin[bucket]] = node[e], edge[e]
        begin[bucket] += 1
    return sorted_node, sorted_edge


@compiled
def _is_strong(i, j, w, mass, strongest):
    return (j > i) & (w > min(mass[i], mass[j])) & (w >= STRONG * min(strongest[i], strongest[j]))


@compiled
def _bucket(strength):
    return (1 << STRENGTH_BITS) - 1 - (strength >> 31 - STRENGTH_BITS)


@compiled
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def numbered(parent, strongest, mass):
    """(number of each node's aggregate, how many there are); nodes that need no coarser level get the number beyond.

    They are alone, and their mass outweighs each of their edges.
    """
    alone = np.ones(mass.size, np.bool_)
    for i in range(mass.size):
        if parent[i] != i:
            alone[i] = alone[_root(parent, i)] = False
    number = np.full(mass.size, -1, np.int32)
    count = 0
    for i in range(mass.size):
        root = _root(parent, i)
        if alone[i] and strongest[i] <= mass[i]:
            continue
        if number[root] == -1:
            number[root] = count
            count += 1
        number[i] = number[root]
    for i in range(mass.size):
        if number[i] == -1:
            number[i] = count
    return number, count


@compiled
def coarse_graph(start, neighbour, weight, mass, number, count):
    """P'AP of aggregates: edges between two are summed, an edge to a node outside becomes mass."""
    first, members = _members(number, count)
    coarse_start, coarse_mass = np.empty(count + 1, np.int32), np.zeros(count, np.float32)
    coarse_neighbour, coarse_weight = np.empty(neighbour.size, np.int32), np.empty(neighbour.size, np.float32)
    place = np.full(count, -1, np.int32)  # of the edge to that aggregate
    k = 0
    for a in range(count):
        coarse_start[a] = k
        for i in members[first[a] : first[a + 1]]:
            coarse_mass[a] += mass[i]
            for e in range(start[i], start[i + 1]):
                b = number[neighbour[e]]
                if b == count:
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
    first = np.zeros(count + 2, np.int32)
    for a in number:
        first[a + 1] += 1
    for a in range(count + 1):
        first[a + 1] += first[a]
    free, members = first.copy(), np.empty(number.size, np.int32)
    for i in range(number.size):
        members[free[number[i]]] = i
        free[number[i]] += 1
    return first, members


@compiled
def earlier_half(start, neighbour, weight):
    """(start, neighbour, weight) of the edges to nodes before: each edge once."""
    half_start = np.empty_like(start)
    half_neighbour = np.empty(neighbour.size // 2, np.int32)
    half_weight = np.empty(neighbour.size // 2, np.float32)
    half = 0
    for i in range(start.size - 1):
        half_start[i] = half
        for k in range(start[i], start[i + 1]):
            if neighbour[k] < i:
                half_neighbour[half], half_weight[half] = neighbour[k], weight[k]
                half += 1
    half_start[start.size - 1] = half
    return half_start, half_neighbour, half_weight


def dense_matrix(start, neighbour, weight, mass):
    """n x n."""
    node = np.repeat(np.arange(mass.size), np.diff(start))
    matrix = np.diag(mass.astype(np.float64))
    matrix[node, neighbour] = -weight
    np.add.at(matrix, (node, node), weight)
    return matrix
