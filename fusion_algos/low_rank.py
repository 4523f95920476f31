"""Splitting a tall matrix into a part of rank about one and a sparse rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

# Multiplications of one product of matrices. Blocks so small stay in a core's cache, and BLAS works on them with
# one thread, so that results cannot depend on how many it has.
BLOCK_PRODUCTS = 200_000
FIRST_PENALTY, PENALTY_GROWTH = 1.25, 1.5
CONVERGED, MOST_STEPS = 1e-5, 60


def low_rank_part(observed: Matrix, missing: NDArray[np.bool_]) -> Matrix:
    """A of O = A + E that minimises sum_{i>=2} sigma_i(A) + lambda |E|_1, lambda = 1 / sqrt(rows).

    `observed`: O, m x K float32 with values about 1; entries that are `missing` are free: E costs nothing
    there. Solved by the inexact augmented Lagrange method of Lin, Chen, Ma (2010), with the singular values
    but the first shrunk, as Oh et al. (TPAMI 2015) do; they come from the K x K Gram matrix.
    """
    norm = float(np.sqrt(np.linalg.eigvalsh(_gram(observed))[-1]))
    if norm == 0:
        return observed.copy()
    sparsity = 1 / np.sqrt(len(observed))
    penalty = FIRST_PENALTY / norm
    multiplier = observed / np.float32(max(norm, float(np.abs(observed).max()) / sparsity))
    sparse = np.where(missing, observed - 1, np.float32(0))
    for _ in range(MOST_STEPS):
        projection = _shrinking_projection(_gram(observed, sparse, multiplier, penalty), 1 / penalty)
        error = _update(observed, missing, sparse, multiplier, projection, penalty, sparsity)
        penalty *= PENALTY_GROWTH
        if error < CONVERGED:
            break
    return observed - sparse


def _gram(
    observed: Matrix, sparse: Matrix | None = None, multiplier: Matrix | None = None, penalty: float = 1.0
) -> NDArray[np.float64]:
    """Q'Q of Q = O - E + Z / mu, K x K."""
    gram = np.zeros((observed.shape[1],) * 2)
    for rows in _blocks(observed):
        block = observed[rows]
        if sparse is not None and multiplier is not None:
            block = block - sparse[rows] + multiplier[rows] * np.float32(1 / penalty)
        gram += block.T @ block
    return gram


def _shrinking_projection(gram: NDArray[np.float64], amount: float) -> Matrix:
    """V diag(s' / s) V', K x K: Q times it has Q's singular values but the first shrunk by `amount`."""
    squares, vectors = np.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares, 0))
    shrunk = np.maximum(values - amount, 0)
    shrunk[-1] = values[-1]
    ratio = np.divide(shrunk, values, out=np.zeros_like(values), where=values > 1e-12)
    return ((vectors * ratio) @ vectors.T).astype(np.float32)


def _update(
    observed: Matrix,
    missing: NDArray[np.bool_],
    sparse: Matrix,
    multiplier: Matrix,
    projection: Matrix,
    penalty: float,
    sparsity: float,
) -> float:
    """New E and Z in place, block by block; |O - A - E| / |O|."""
    threshold, step = np.float32(sparsity / penalty), np.float32(penalty)
    left = total = 0.0
    for rows in _blocks(observed):
        scaled = multiplier[rows] / step
        low = (observed[rows] - sparse[rows] + scaled) @ projection
        rest = observed[rows] - low
        wanted = rest + scaled
        kept = np.clip(wanted, -threshold, threshold)
        kept[missing[rows]] = 0
        np.subtract(wanted, kept, out=sparse[rows])
        rest -= sparse[rows]
        multiplier[rows] += rest * step
        left += float(np.vdot(rest, rest))
        total += float(np.vdot(observed[rows], observed[rows]))
    return float(np.sqrt(left / total))


def _blocks(matrix: Matrix) -> Iterator[slice]:
    height = max(64, BLOCK_PRODUCTS // matrix.shape[1] ** 2)
    for first in range(0, len(matrix), height):
        yield slice(first, min(first + height, len(matrix)))
