"""A matrix of rank 1 with sparse errors is split into the two."""

import numpy as np
import pytest

from fusion_algos import low_rank
from fusion_algos.low_rank import low_rank_part


@pytest.fixture
def rng():
    return np.random.default_rng(6)


def rank_one(rng, rows, columns):
    return np.outer(rng.uniform(0.7, 1.3, rows), rng.uniform(0.8, 1.2, columns)).astype(np.float32)


@pytest.mark.parametrize("columns", [5, 9, 30])
def test_sparse_errors_are_found(rng, columns):
    exact = rank_one(rng, 3000, columns)
    wrong = rng.random(exact.shape) < 0.05
    observed = np.where(wrong, exact + rng.choice([-0.6, 1.5], exact.shape), exact).astype(np.float32)
    found = low_rank_part(observed, np.zeros(exact.shape, bool))
    assert np.median(np.abs(found - exact)) < 0.01
    assert (np.abs(observed - found)[wrong] > 0.3).mean() > 0.9
    assert (np.abs(observed - found)[~wrong] < 0.1).mean() > 0.95


def test_missing_values_say_nothing(rng):
    exact = rank_one(rng, 3000, 6)
    missing = rng.random(exact.shape) < 0.3
    found = low_rank_part(np.where(missing, np.float32(0), exact), missing)
    assert np.median(np.abs(found - exact)) < 0.02


def test_rank_one_is_left_alone(rng):
    exact = rank_one(rng, 500, 4)
    np.testing.assert_allclose(low_rank_part(exact, np.zeros(exact.shape, bool)), exact, atol=1e-3)


def test_zeros_stay_zeros():
    zeros = np.zeros((10, 3), np.float32)
    np.testing.assert_array_equal(low_rank_part(zeros, zeros > 0), zeros)


def test_blocks_change_nothing(rng, monkeypatch):
    observed = rank_one(rng, 1000, 5) + rng.normal(0, 0.05, (1000, 5)).astype(np.float32)
    whole = low_rank_part(observed, observed > 1.2)
    monkeypatch.setattr(low_rank, "BLOCK_PRODUCTS", 100)
    np.testing.assert_allclose(
        low_rank_part(observed, observed > 1.2), whole, atol=2e-3
    )  # values at a threshold
