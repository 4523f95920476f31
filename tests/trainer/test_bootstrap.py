"""Bootstrap of scenes: against exact distributions, and what an interval is of."""

import numpy as np
import pandas as pd
import pytest

from trainer.evaluation.bootstrap import bootstrap_means, mean_intervals


def test_two_scenes_have_the_binomial_distribution():
    """Of values 0 and 1 two draws have mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4."""
    means = bootstrap_means(np.array([[0.0], [1.0]]))[:, 0]
    assert len(means) == 10_000
    for mean, probability in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25)):
        assert np.mean(means == mean) == pytest.approx(probability, abs=0.02)


def test_interval_of_many_scenes_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(20, 3, 400)
    found = mean_intervals(pd.DataFrame({"psnr": values})).loc["psnr"]
    error = 1.96 * values.std() / 20
    assert found["mean"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(values.mean() - error, abs=0.03)
    assert found["high"] == pytest.approx(values.mean() + error, abs=0.03)


def test_the_same_seed_draws_the_same_scenes_for_all_columns():
    values = np.random.default_rng(2).normal(size=(30, 1))
    means = bootstrap_means(np.hstack([values, values + 1]))
    np.testing.assert_allclose(means[:, 1], means[:, 0] + 1)
    np.testing.assert_array_equal(means, bootstrap_means(np.hstack([values, values + 1])))
    assert not np.array_equal(means, bootstrap_means(np.hstack([values, values + 1]), seed=3))


def test_a_scene_without_a_value_is_left_out_of_that_column_only():
    table = mean_intervals(
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, np.nan, 5.0], "c": [np.nan, np.nan, 7.0], "d": np.nan})
    )
    assert table["scenes"].tolist() == [3, 2, 1, 0]
    np.testing.assert_array_equal(table["mean"], [2, 3, 7, np.nan])
    assert table.loc["b", ["low", "high"]].tolist() == [1, 5]
    assert table.loc[["c", "d"], ["low", "high"]].isna().all(axis=None)


def test_no_scene_at_all():
    assert mean_intervals(pd.DataFrame({"a": []}, dtype=float))["scenes"].tolist() == [0]
