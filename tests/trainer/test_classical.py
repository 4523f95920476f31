"""The classical baselines: each against its definition or another library."""

import cv2
import numpy as np
import pytest
from skimage import exposure as skimage_exposure

from trainer.classical import BASELINES, identity
from trainer.classical.equalization import clahe, hist_eq
from trainer.classical.exposure import Exposure, ev_bin
from trainer.classical.gamma import GammaFit, fit_gamma, gamma_oracle
from trainer.classical.lime import lime, refined_illumination
from trainer.classical.naturalness import bi_log_mapped, illumination_above, npe_like

PICTURE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def exposure_of(exponent, relative_ev=None, picture=PICTURE):
    reference = np.round((picture / 255) ** exponent * 255).astype(np.uint8)
    return Exposure(picture, reference, relative_ev)


def squared_error(picture, reference):
    return np.mean((picture - reference / 255) ** 2)


@pytest.mark.parametrize(
    ("ev", "expected"),
    [(0, 0), (0.5, 0), (-0.5, 0), (0.51, 1), (-0.7, -1), (1.5, 1), (-2.6, -3), (4.0, 4), (None, 0)],
)
def test_bin_of_an_exposure_value_is_the_nearest_stop(ev, expected):
    assert ev_bin(ev) == expected


@pytest.mark.parametrize("exponent", [1 / 8, 0.3, 0.437, 1, 2.2, 8])
def test_the_oracle_finds_the_exponent_that_made_the_reference(exponent):
    made = exposure_of(exponent)
    found = gamma_oracle(made)
    assert found.dtype == np.float32
    assert np.abs(found - made.reference / 255).max() <= 0.51 / 255 + 0.002


def test_the_oracle_is_no_worse_than_any_exponent_tried():
    generator = np.random.default_rng(7)
    noisy = Exposure(PICTURE, generator.integers(0, 256, PICTURE.shape, dtype=np.uint8))
    found = squared_error(gamma_oracle(noisy), noisy.reference)
    tried = [squared_error((PICTURE / 255) ** g, noisy.reference) for g in np.geomspace(1 / 8, 8, 60)]
    assert found <= min(tried) + 1e-6


def test_one_exponent_per_stop_is_fitted():
    made = {-3: 0.3, -1: 0.6, 0: 1.0, 2: 2.5}
    others = PICTURE // 2
    fitted = fit_gamma(exposure_of(g, ev, p) for ev, g in made.items() for p in (PICTURE, others))
    assert fitted.exponents == pytest.approx(made, rel=0.01)


def test_pictures_weigh_alike_whatever_their_size():
    small, large = exposure_of(0.5, 1.0), exposure_of(0.9, 1.0, np.tile(PICTURE, (3, 3, 1)))
    sized = fit_gamma([small, large]).exponents[1]
    alike = fit_gamma([small, exposure_of(0.9, 1.0)]).exponents[1]
    assert sized == pytest.approx(alike, rel=1e-6)


def test_a_stop_that_was_not_fitted_takes_the_nearest():
    fitted = GammaFit({-2: 0.5, 1: 2.0})
    np.testing.assert_allclose(fitted(exposure_of(1, -5.0)), (PICTURE / 255) ** 0.5, atol=1e-6)
    np.testing.assert_allclose(fitted(exposure_of(1, 0.2)), (PICTURE / 255) ** 2, atol=1e-6)


def test_nothing_to_fit_on_is_an_error():
    with pytest.raises(ValueError, match="train split is empty"):
        fit_gamma([])


def test_equalised_luma_is_that_of_scikit_image():
    """scikit-image's equalize_hist maps to (0, 1] by the distribution itself, cv2 stretches it to start at 0."""
    grey = np.repeat(np.random.default_rng(3).integers(30, 90, (64, 64, 1), dtype=np.uint8), 3, axis=2)
    found = hist_eq(Exposure(grey, grey))
    assert (found.min(), found.max()) == (0, 255)
    expected = skimage_exposure.equalize_hist(grey[:, :, 0], 256) * 255
    assert np.abs(found[:, :, 1] - expected).max() < 6
    kept = cv2.cvtColor(hist_eq(Exposure(PICTURE, PICTURE)), cv2.COLOR_RGB2YCrCb)[:, :, 0]
    assert kept.mean() == pytest.approx(127.5, abs=4)


def test_limited_equalisation_lifts_a_dark_flat_picture_less():
    ramp = np.linspace(40, 70, 96 * 96).reshape(96, 96, 1).astype(np.uint8)
    dull = np.repeat(ramp, 3, axis=2)
    lightness = cv2.cvtColor(dull, cv2.COLOR_RGB2LAB)
    expected = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lightness[:, :, 0])
    found = cv2.cvtColor(clahe(Exposure(dull, dull)), cv2.COLOR_RGB2LAB)[:, :, 0]
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert dull.std() < found.std() < hist_eq(Exposure(dull, dull)).std()


def test_refined_ramp_is_the_analytic_one():
    """Slope m: all edges weigh a = .15 / (m + .001)^2, and t = T - c sinh(k (i - (n-1)/2)), cosh k = 1 + 1/(2a), flat
    at both ends."""
    count, slope = 64, 0.3 / 63
    ramp = 0.1 + slope * np.arange(count)
    weight = 0.15 / (slope + 0.001) ** 2
    k = np.arccosh(1 + 1 / (2 * weight))
    c = slope / (np.sinh(k * (count + 1) / 2) - np.sinh(k * (count - 1) / 2))
    expected = ramp - c * np.sinh(k * (np.arange(count) - (count - 1) / 2))
    found = refined_illumination(np.repeat(ramp[np.newaxis], 20, axis=0).astype(np.float32))
    np.testing.assert_allclose(found, np.repeat(expected[np.newaxis], 20, axis=0), atol=2e-4)


def test_lime_divides_by_a_power_of_the_illumination():
    flat = np.full((16, 24, 3), (10, 20, 51), np.uint8)
    found = lime(Exposure(flat, flat))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, flat / 255 / 0.2**0.7, atol=1e-4)


def test_refined_illumination_smooths_texture_and_keeps_edges():
    step = np.full((40, 60), 0.2, np.float32)
    step[:, 30:] = 0.8
    texture = 0.05 * np.where(np.indices(step.shape).sum(axis=0) % 2, 1, -1).astype(np.float32)
    refined = refined_illumination(step + texture)
    assert refined[5:-5, 5:25].std() < 0.1 * texture.std()
    assert refined[:, 33:].mean() - refined[:, :27].mean() > 0.5
    assert refined.mean() == pytest.approx((step + texture).mean(), abs=1e-4)


def test_lime_leaves_black_black():
    black = np.zeros((16, 16, 3), np.uint8)
    assert lime(Exposure(black, black)).max() == 0


def test_npe_like_lifts_shadows_and_keeps_hue_and_order():
    generator = np.random.default_rng(11)
    dark = (generator.integers(20, 60, (64, 64, 1)) * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    found = npe_like(Exposure(dark, dark))
    assert found.mean() > 2 * dark.mean() / 255
    assert found.max() <= 1
    inside = (found.max(axis=2) < 1) & (dark.min(axis=2) > 0)
    ratio = found[inside] / dark[inside]
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(3, axis=1), rtol=1e-5)


def test_illumination_is_nowhere_below_the_picture():
    plane = PICTURE.max(axis=2).astype(np.float32) / 255
    above = illumination_above(plane)
    assert (above >= plane).all()
    assert above.max() <= 1


def test_mapped_illumination_has_the_logarithmic_histogram():
    """Pixels that count by log(1 + level) and lie as log(1 + level) are uniform: the map leaves them where they are."""
    uniform = np.repeat(np.arange(256, dtype=np.float32) / 255, 16).reshape(64, 64)
    np.testing.assert_allclose(bi_log_mapped(uniform), uniform, atol=1 / 255)
    mapped = bi_log_mapped(uniform / 4)
    assert (np.diff(mapped.ravel()) >= 0).all()
    assert mapped.max() == pytest.approx(1)
    np.testing.assert_array_equal(bi_log_mapped(np.zeros((4, 4), np.float32)), 0)


def test_every_baseline_has_a_source_and_gives_a_picture_of_the_same_size():
    exposure = exposure_of(0.5, -2.0, PICTURE // 4)
    for name, baseline in BASELINES.items():
        enhance = baseline.enhance or baseline.fit([exposure])
        output = enhance(exposure)
        assert baseline.source, name
        assert output.shape == PICTURE.shape, name
        assert output.dtype in (np.uint8, np.float32), name
        assert output.dtype == np.uint8 or (
            output.min() >= 0 and output.max() <= 1 and np.isfinite(output).all()
        )
    assert identity(exposure) is exposure.picture
