"""The released layers against decoded values, plain loops from their definition, and finite differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainer.loss_inputs import SEED_PARAMETERS, noise, value_and_gradient
from trainer.losses import make_loss
from trainer.losses.caffe import EuclideanLoss, L1Loss, Regularization, SsimLayer


def pattern(*shape: int) -> tuple[Tensor, Tensor]:
    n, c, h, w = np.indices(shape).astype(np.float64)
    x, y = ((7 * h + 3 * w + 5 * c + 11 * n) % 17) / 16, ((5 * h + 2 * w + 3 * c + 13 * n) % 19) / 18
    return torch.from_numpy(x), torch.from_numpy(y)


def test_l1_and_euclidean_give_the_decoded_values():
    x, y = pattern(2, 3, 20, 21)
    assert float(L1Loss()(x, y)) == pytest.approx(443.361111111, abs=1e-8)
    assert float(EuclideanLoss()(x, y)) == pytest.approx(117.033420139, abs=1e-8)


@pytest.mark.parametrize(
    ("shape", "parameters", "expected"),
    [
        ((2, 3, 20, 21), (8, 8, 1e-4, 1e-3), 18.1863301087),
        ((2, 3, 20, 21), (11, 3, 1e-4, 9e-4), 56.1043011846),
        ((2, 3, 20, 21), (5, 7, 1e-4, 1e-3), 28.2174910886),
        ((1, 3, 7, 5), (8, 8, 1e-4, 1e-3), 1.47807308869),
    ],
)
def test_the_ssim_layer_gives_the_decoded_values(shape, parameters, expected):
    assert float(SsimLayer(*parameters)(*pattern(*shape))) == pytest.approx(expected, abs=1e-9)


def test_the_ssim_layer_gives_the_decoded_gradient():
    _, gradient = value_and_gradient(SsimLayer(**SEED_PARAMETERS), *pattern(2, 3, 20, 21))
    assert float(gradient.abs().sum()) == pytest.approx(51.926822229, abs=1e-8)


def test_truncated_windows_give_constants_a_variance():
    flat = torch.full((1, 1, 20, 20), 0.5, dtype=torch.float64)
    found = float(SsimLayer(**SEED_PARAMETERS)(flat, flat + 0.1))
    assert found == pytest.approx(0.227195790912, abs=1e-11)


def ssim_by_loops(x: np.ndarray, y: np.ndarray, k: int, stride: int, c1: float, c2: float) -> float:
    """The layer's definition, window by window and pixel by pixel."""
    count, channels, height, width = x.shape
    weights = [
        [math.exp(-((i - k / 2) ** 2 + (j - k / 2) ** 2) / (2 * (k / 6) ** 2)) for j in range(k)]
        for i in range(k)
    ]
    norm = sum(map(sum, weights))
    tops = [i * stride for i in range(math.ceil((height - k) / stride) + 1)]
    lefts = [j * stride for j in range(math.ceil((width - k) / stride) + 1)]
    loss = 0.0
    for n, c, top, left in itertools.product(range(count), range(channels), tops, lefts):
        sums = [0.0] * 5
        for i, j in itertools.product(range(k), range(k)):
            if top + i < height and left + j < width:
                a, b, weight = x[n, c, top + i, left + j], y[n, c, top + i, left + j], weights[i][j] / norm
                terms = (a, b, a * a, b * b, a * b)
                sums = [total + weight * term for total, term in zip(sums, terms, strict=True)]
        ux, uy, xx, yy, xy = sums
        luminance = (2 * ux * uy + c1) / (ux**2 + uy**2 + c1)
        structure = (2 * (xy - ux * uy) + c2) / (xx - ux**2 + yy - uy**2 + c2)
        loss += 1 - luminance * structure
    return loss / count


@pytest.mark.parametrize(
    ("shape", "kernel_size", "stride"),
    [
        ((2, 2, 13, 10), 8, 8),
        ((1, 2, 9, 12), 5, 3),
        ((1, 1, 10, 11), 3, 7),  # gaps between windows, and one that starts beyond the border
        ((2, 1, 5, 7), 8, 8),  # smaller than the kernel in both directions
        ((1, 1, 6, 15), 8, 3),  # in one
        ((1, 2, 8, 8), 8, 1),
        ((1, 1, 4, 3), 1, 2),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ssim_layer_is_its_definition(shape, kernel_size, stride, dtype):
    x, y = noise(*shape, dtype=dtype)
    expected = ssim_by_loops(x.double().numpy(), y.double().numpy(), kernel_size, stride, 1e-4, 1e-3)
    found = SsimLayer(kernel_size, stride, 1e-4, 1e-3)(x, y)
    assert found.dtype == dtype
    assert float(found) == pytest.approx(expected, rel=1e-5 if dtype == torch.float32 else 1e-11)


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        ((2, 1, 11, 9), (8, 8, 1e-4, 1e-3)),
        ((1, 2, 6, 7), (5, 3, 1e-2, 1e-2)),
        ((1, 1, 5, 6), (8, 8, 1e-4, 1e-3)),
        ((1, 1, 8, 8), (3, 5, 1e-3, 1e-3)),
    ],
)
def test_the_ssim_layers_gradient_is_the_derivative_also_in_truncated_windows(shape, parameters):
    x, y = noise(*shape)
    assert torch.autograd.gradcheck(lambda x: SsimLayer(*parameters)(x, y), x.requires_grad_())


def test_the_reference_receives_no_gradient_from_the_ssim_layer():
    x, y = (tensor.requires_grad_() for tensor in noise(1, 1, 8, 8))
    SsimLayer(**SEED_PARAMETERS)(x, y).backward()
    assert x.grad is not None
    assert y.grad is None


@pytest.mark.parametrize("name", ["kernel_size", "stride", "c1", "c2"])
def test_the_ssim_layer_refuses_what_is_not_positive_or_missing(name):
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"ssim: {name} must be > 0, found {wrong}"):
            make_loss("ssim", {**SEED_PARAMETERS, name: wrong})
    with pytest.raises(ValueError, match=rf"\[loss_parameters.ssim\]: {name} must be given"):
        make_loss("ssim", {key: value for key, value in SEED_PARAMETERS.items() if key != name})


def test_a_picture_without_any_window_is_refused():
    with pytest.raises(ValueError, match=r"a side of 5 pixels has no window of 8 at stride 2.*at least 7"):
        SsimLayer(8, 2, 1e-4, 1e-3)(*noise(1, 1, 20, 5))


def test_the_gradient_of_l1_is_the_sign_over_the_batch_and_0_at_0():
    x = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 1, 1, 3).repeat(2, 1, 1, 1)
    _, gradient = value_and_gradient(L1Loss(), x, torch.full_like(x, 0.5))
    assert gradient[0].flatten().tolist() == [-0.5, 0, 0.5]


# Regularization


EDGES = torch.tensor([-0.1, 0.0, 0.3, 0.5, 0.7, 1.0, 1.1], dtype=torch.float64).reshape(1, 1, 1, 7)


def test_bins_are_closed_below_and_values_beyond_0_and_1_go_there():
    two = Regularization(method="One", levels=[0.5], values=[0.2, 0.8])
    assert two.target(EDGES).flatten().tolist() == [0, 0.2, 0.2, 0.8, 0.8, 0.8, 1]
    four = Regularization(method="Two", levels=[0.3, 0.5, 0.7], values=[0.1, 0.4, 0.6, 0.9])
    assert four.target(EDGES).flatten().tolist() == [0, 0.1, 0.4, 0.6, 0.9, 0.9, 1]
    eight = Regularization(
        method="Three", levels=[i / 8 for i in range(1, 8)], values=[i / 8 for i in range(8)]
    )
    assert eight.target(EDGES).flatten().tolist() == [0, 0, 0.25, 0.5, 0.625, 0.875, 1]
    assert set(Regularization(regular=0.4).target(EDGES).flatten().tolist()) == {0.4}


@pytest.mark.parametrize(("norm", "expected"), [("L1", 1.8 / 4), ("L2", 0.9 / 4)])
def test_regularization_sums_distances_over_twice_the_batch(norm, expected):
    x = torch.tensor([0.2, 0.8, -0.1, 1.1]).double().reshape(2, 1, 1, 2)  # .3, .3, .6, .6 from .5
    assert float(Regularization(norm=norm)(x, x)) == pytest.approx(expected)


def test_regularization_has_its_own_gradient_or_that_of_the_released_code():
    x = torch.tensor([0.2, 0.9, 0.4, 0.5]).double().reshape(2, 1, 1, 2)
    true_value, true_gradient = value_and_gradient(Regularization("L1"), x, x)
    value, gradient = value_and_gradient(Regularization("L1", compat=True), x, x)
    assert true_gradient.flatten().tolist() == [-0.25, 0.25, -0.25, 0]
    assert gradient.flatten().tolist() == pytest.approx([-0.15, 0.2, -0.05, 0])
    assert float(value) == pytest.approx(float(true_value))
    _, squared = value_and_gradient(Regularization("L2"), x, x)
    assert torch.equal(squared, gradient)


def test_regularization_is_differentiated_with_its_target_constant():
    bins = {"method": "Two", "levels": [0.25, 0.5, 0.75], "values": [0.1, 0.4, 0.6, 0.9]}
    x = torch.tensor([0.05, 0.2, 0.3, 0.45, 0.55, 0.7, 0.8, 0.97, 1.2, -0.2]).double().reshape(1, 1, 2, 5)
    for norm in ("L1", "L2"):
        loss = Regularization(norm, **bins)
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, x.detach()), x.requires_grad_())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"norm": "L3"}, "norm must be one of L1, L2, found 'L3'"),
        ({"method": "Four"}, "method must be one of Zero, One, Two, Three, found 'Four'"),
        ({"method": "One", "values": [0.1, 0.9]}, "give 1 rising levels between them and 2 values"),
        ({"method": "Two", "levels": [0.5, 0.2, 0.7], "values": [0, 0, 0, 0]}, "3 rising levels"),
    ],
)
def test_impossible_bins_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_loss("regularization", parameters)
