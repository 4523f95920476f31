"""The fast local Laplacian filter against its definition, and what it is called."""

import numpy as np
import pytest

from fusion_algos import ALGORITHMS, ExposureStack
from fusion_algos.pyramids import collapse, gaussian_pyramid, laplacian_pyramid, level_count
from fusion_algos.stack_hdr import paris2011
from fusion_algos.stack_hdr.paris2011 import DETAIL_RANGE, local_laplacian


@pytest.fixture
def plane():
    """An edge of 3 nats, a slope and fine texture: 33 x 40."""
    rng = np.random.default_rng(9)
    x = np.linspace(0, 1, 40)
    return (x + 3 * (x > 0.5) + 0.1 * rng.standard_normal((33, 40))).astype(np.float32)


def remap(difference, detail, edges):
    """r(d) of Paris et al. 2011, equations 1 and 2, with their smooth step against noise."""
    size = np.abs(difference)
    inner = DETAIL_RANGE * (size / DETAIL_RANGE) ** detail
    ramp = np.clip((size - 0.01) / 0.01, 0, 1)
    ramp = ramp**2 * (3 - 2 * ramp) if detail < 1 else 1
    inner = ramp * inner + (1 - ramp) * size
    outer = edges * (size - DETAIL_RANGE) + DETAIL_RANGE
    return np.sign(difference) * np.where(size <= DETAIL_RANGE, inner, outer)


def unsampled(plane, detail, edges):
    """Local Laplacian filter by its definition: a remapped pyramid for every single coefficient."""
    levels = level_count(*plane.shape)
    gaussian = gaussian_pyramid(plane, levels)
    output = [np.zeros_like(level) for level in gaussian]
    output[-1] = gaussian[-1]
    for level in range(levels - 1):
        for y, x in np.ndindex(gaussian[level].shape):
            remapped = remap(plane - gaussian[level][y, x], detail, edges).astype(np.float32)
            output[level][y, x] = laplacian_pyramid(remapped, level + 2)[level][y, x]
    return collapse(output)


@pytest.mark.parametrize(("detail", "edges"), [(0.7, 0.0), (0.5, 0.3), (2.0, 1.0)])
def test_samples_are_close_to_the_definition(plane, detail, edges):
    plane = np.ascontiguousarray(plane[:17, 10:30])
    expected = unsampled(plane, detail, edges)
    error = np.abs(local_laplacian(plane, detail, edges) - expected)
    # Samples half of sigma apart miss how steep the remapping of faint detail is: that is the fast form.
    assert error.mean() < 0.3 * np.abs(expected - plane).mean()


def test_neutral_parameters_change_nothing(plane):
    np.testing.assert_allclose(local_laplacian(plane, 1.0, 1.0), plane, atol=2e-3)


def test_detail_grows_and_edges_shrink(plane):
    filtered = local_laplacian(plane, 0.5, 0.0)
    assert np.abs(np.diff(filtered[:, 2:14], axis=0)).mean() > np.abs(np.diff(plane[:, 2:14], axis=0)).mean()
    assert filtered[:, 25:].mean() - filtered[:, :15].mean() < plane[:, 25:].mean() - plane[:, :15].mean()


def test_detail_grows_alike_at_all_intensities():
    """Coarser samples would amplify it at some intensities and not at others: rings in smooth light."""
    slope = np.linspace(0, 3, 512, dtype=np.float32)
    ripple = np.where(np.arange(512) % 4 < 2, np.float32(0.03), np.float32(-0.03))
    filtered = local_laplacian(np.tile(slope + ripple, (64, 1)), 0.7, 0.0)[32]
    height = np.abs(np.diff(filtered))[1::2][20:-20]
    strips = [strip.mean() for strip in np.array_split(height, 24)]
    assert max(strips) < 1.25 * min(strips)


def test_an_edge_gets_no_halo(plane):
    """Next to the edge each side keeps the order of brightness that it has further away."""
    step = np.where(np.arange(64) < 32, np.float32(0), np.float32(4))[np.newaxis].repeat(64, axis=0)
    filtered = local_laplacian(step, 0.7, 0.0)
    assert np.abs(np.diff(filtered[32, :30])).max() < 0.1
    assert np.abs(np.diff(filtered[32, 34:])).max() < 0.1


def test_dim_and_bright_are_both_shown(bracket):
    fused = paris2011.fuse(ExposureStack(bracket(5, 96, 128), [1, 4, 16, 64, 256]))
    assert 0.2 < fused.mean() < 0.7
    assert np.percentile(fused, 95) > 0.75


def test_it_is_labelled_as_a_stand_in():
    algorithm = ALGORITHMS["paris2011"]
    assert "open stand-in for Photomatix Details Enhancer" in algorithm.title
    assert "Not Photomatix" in algorithm.cite
