"""Boosting Laplacian pyramid: its exponents, its base layer, and what is boosted."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import shen2014


def test_flat_exposures_are_weighted_powers():
    levels = np.array([0.3, 0.5, 0.7])
    stack = ExposureStack([np.full((24, 24, 3), level, np.float32) for level in levels], [1, 2, 4])
    weights = shen2014._Weights.of_rows(stack, [0.0] * 3, slice(0, 24))
    shares = [weights.weight(k)[12, 12] for k in range(3)]
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    for gammas in ((0.8, 1.0, 1.2), (1.2, 0.8, 1.0)):
        fused = shen2014.fuse(stack, base_gamma=gammas)
        expected = (shares * levels**gammas).sum()
        np.testing.assert_allclose(fused[8:16, 8:16], expected, atol=1e-5)


def test_three_exposures_have_exponents_and_others_none(bracket):
    three, four = (ExposureStack(bracket(count), 4.0 ** np.arange(count)) for count in (3, 4))
    np.testing.assert_array_equal(shen2014.fuse(three), shen2014.fuse(three, base_gamma=(0.8, 1.0, 1.2)))
    np.testing.assert_array_equal(shen2014.fuse(four), shen2014.fuse(four, base_gamma=(1.0,) * 4))


@pytest.mark.parametrize("given", [(1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, float("inf"))])
def test_exponents_that_do_not_fit_are_refused(bracket, given):
    with pytest.raises(ValueError, match=r"shen2014: base_gamma is .* for 3 exposures; give one positive"):
        shen2014.fuse(ExposureStack(bracket(3), [1, 4, 16]), base_gamma=given)


def test_the_exposedness_curve_is_its_definition():
    values = np.linspace(0, 1, 256)
    u = np.clip(values**2.5, 1e-6, 1 - 1e-6)
    expected = 1 - np.abs((np.log(u / (1 - u)) + 1.3) / 3.2)
    np.testing.assert_allclose(shen2014._exposedness_curve(values), expected, rtol=1e-5, atol=1e-6)


def test_soft_texture_is_boosted_and_faint_noise_is_not():
    rng = np.random.default_rng(7)
    for contrast, least, most in ((0.004, 0.95, 1.05), (0.06, 1.5, 6)):
        texture = (0.5 + contrast * rng.choice([-1, 1], (64, 64, 1))).repeat(3, axis=2).astype(np.float32)
        fused = shen2014.fuse(ExposureStack([texture] * 2, [1, 2]))
        assert least < fused[8:-8, 8:-8].std() / texture[8:-8, 8:-8].std() < most
