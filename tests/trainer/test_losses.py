"""Our losses against scikit-image and finite differences; what all losses share; their weighted sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from tests.trainer.loss_inputs import SEED_PARAMETERS, noise, value_and_gradient
from trainer.inputs import Batch, Inputs
from trainer.losses import LOSSES, WeightedLoss, make_loss
from trainer.losses.caffe import SsimLayer
from trainer.losses.means import StandardSsim

PARAMETERS = {"ssim": SEED_PARAMETERS}
ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def batch_of(reference: Tensor, mask: Tensor | None = None) -> Batch:
    count = len(reference)
    return Batch(Inputs(reference), reference, torch.zeros(count), tuple(range(count)), mask=mask)


# Ours


def test_ssim_std_is_scikit_images():
    for dtype in (torch.float64, torch.float32):
        x, y = noise(2, 3, 24, 19, dtype=dtype)
        y = 0.7 * x + 0.3 * y
        expected = [
            1
            - structural_similarity(
                *(each[n].permute(1, 2, 0).double().numpy() for each in (x, y)),
                channel_axis=2,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
            )
            for n in range(2)
        ]
        assert float(StandardSsim()(x, y)) == pytest.approx(np.mean(expected), abs=1e-6)


def test_ssim_std_is_differentiable():
    x, y = noise(1, 1, 12, 13)
    assert torch.autograd.gradcheck(lambda x: StandardSsim()(x, y), x.requires_grad_())


def test_equal_pictures_lose_nothing_in_float32():
    x, _ = noise(1, 3, 20, 20, dtype=torch.float32)
    assert float(StandardSsim()(x, x)) == 0
    assert float(SsimLayer(**SEED_PARAMETERS)(x, x)) == 0


def test_ssim_std_needs_a_window():
    with pytest.raises(ValueError, match="at least 11x11 pixels"):
        StandardSsim()(*noise(1, 3, 10, 30))


def test_means_are_means():
    x, y = noise(2, 3, 5, 4)
    assert float(make_loss("mse", {})(x, y)) == pytest.approx(float(torch.nn.functional.mse_loss(x, y)))
    assert float(make_loss("l1_mean", {})(x, y)) == pytest.approx(float(torch.nn.functional.l1_loss(x, y)))
    expected = float(((x - y) ** 2 + 0.01**2).sqrt().mean())
    assert float(make_loss("charbonnier", {"eps": 0.01})(x, y)) == pytest.approx(expected)
    value, gradient = value_and_gradient(make_loss("charbonnier", {}), x, x)
    assert float(value) == pytest.approx(1e-3)
    assert not gradient.any()


@pytest.mark.parametrize("name", ["mse", "l1_mean", "charbonnier", "ssim_std"])
def test_a_mean_over_unmasked_pixels_is_the_mean_of_the_picture_inside(name):
    x, y = noise(2, 3, 16, 20)
    mask = torch.zeros(2, 1, 16, 20, dtype=torch.float64)
    mask[..., :13, :15] = 1
    inside = make_loss(name, {})(x[..., :13, :15], y[..., :13, :15])
    assert float(make_loss(name, {})(x, y, mask)) == pytest.approx(float(inside), rel=1e-12)
    assert float(make_loss(name, {})(x, y, torch.zeros_like(mask))) == 0


# All of them


@pytest.mark.parametrize("name", LOSSES)
def test_masked_pixels_say_nothing_and_learn_nothing(name):
    x, y = noise(2, 3, 16, 20)
    mask = torch.ones(2, 1, 16, 20, dtype=torch.float64)
    mask[..., 14:] = 0
    loss = make_loss(name, PARAMETERS.get(name, {}))
    value, gradient = value_and_gradient(loss, x, y, mask)
    other, _ = value_and_gradient(loss, torch.where(mask > 0, x, 1 - x), y, mask)
    assert float(value) == pytest.approx(float(other), rel=1e-12)
    assert not gradient[..., 14:].any()
    assert gradient[..., :14].any()


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_does_not_lower_the_precision(name):
    x, y = noise(2, 3, 16, 20, dtype=torch.float32)
    loss = make_loss(name, PARAMETERS.get(name, {}))
    value, gradient = value_and_gradient(loss, x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, found_gradient = value_and_gradient(loss, x, y)
        narrow, narrow_gradient = value_and_gradient(loss, x.bfloat16(), y)
    assert torch.equal(found, value)
    assert torch.equal(found_gradient, gradient)
    assert narrow.dtype == torch.float32
    assert torch.equal(narrow, loss(x.bfloat16().float(), y))
    assert narrow_gradient.dtype == torch.bfloat16


@pytest.mark.parametrize("name", LOSSES)
def test_a_channels_last_output_gives_the_same(name):
    x, y = noise(2, 3, 16, 20, dtype=torch.float32)
    loss = make_loss(name, PARAMETERS.get(name, {}))
    value, gradient = value_and_gradient(loss, x, y)
    found, found_gradient = value_and_gradient(loss, x.to(memory_format=torch.channels_last), y)
    assert float(found) == pytest.approx(float(value), rel=1e-6)
    torch.testing.assert_close(found_gradient, gradient, rtol=1e-6, atol=1e-6)


@ON_CUDA
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_cuda_agrees_with_the_cpu(name, layout):
    x, y = noise(2, 3, 37, 41, dtype=torch.float32)
    loss = make_loss(name, PARAMETERS.get(name, {}))
    value, gradient = value_and_gradient(loss, x, y)
    loss.to("cuda")
    found, found_gradient = value_and_gradient(loss, x.cuda().to(memory_format=layout), y.cuda())
    assert float(found) == pytest.approx(float(value), rel=1e-5)
    largest = float(gradient.abs().max())
    torch.testing.assert_close(found_gradient.cpu(), gradient, rtol=0, atol=1e-5 * largest)


def test_shapes_are_not_broadcast():
    x, _ = noise(2, 3, 16, 20)
    with pytest.raises(ValueError, match=r"found output \(2, 3, 16, 20\) and reference \(2, 1"):
        make_loss("mse", {})(x, x[:, :1])


# Weighted


def test_the_total_is_the_weighted_sum_and_terms_are_unweighted():
    x, y = noise(2, 3, 16, 20, dtype=torch.float32)
    loss = WeightedLoss({"charbonnier": 1.0, "ssim_std": 0.2, "ssim": 3}, PARAMETERS)
    output = x.clone().requires_grad_()
    total, terms = loss(output, batch_of(y))
    assert list(terms) == ["charbonnier", "ssim_std", "ssim"]
    assert float(terms["ssim_std"]) == pytest.approx(float(StandardSsim()(x, y)))
    expected = float(terms["charbonnier"] + 0.2 * terms["ssim_std"] + 3 * terms["ssim"])
    assert float(total.detach()) == pytest.approx(expected)
    assert not any(term.requires_grad for term in terms.values())
    total.backward()
    assert output.grad.any()


def test_the_batchs_mask_is_respected():
    x, y = noise(1, 3, 12, 12, dtype=torch.float32)
    mask = torch.zeros(1, 1, 12, 12)
    total, _ = WeightedLoss({"mse": 1.0, "l1": 1.0}, {})(x, batch_of(y, mask))
    assert float(total) == 0


@pytest.mark.parametrize(
    ("weights", "parameters", "message"),
    [
        (
            {"charbonier": 1.0},
            {},
            "unknown key 'charbonier'; did you mean 'charbonnier'. known keys: l1, eucl",
        ),
        ({"mse": 1.0}, {"sim": {}}, r"\[loss_parameters\]: unknown key 'sim'; did you mean 'ssim'"),
        ({"charbonnier": 1.0}, {"charbonnier": {"epsilon": 1}}, "unknown key 'epsilon'.*known keys: eps"),
        ({"charbonnier": 1.0}, {"charbonnier": {"eps": 0}}, "eps must be > 0, found 0"),
        (
            {"mse": 1.0},
            {"mse": {"eps": 1}},
            r"\[loss_parameters.mse\]: this loss has no parameters, found eps",
        ),
        ({"ssim": 1.0}, {"ssim": {**SEED_PARAMETERS, "stride": 2.5}}, "stride: expected int, found 2.5"),
        ({"ssim": 1.0}, {"ssim": {**SEED_PARAMETERS, "c1": "1e-4"}}, "c1: expected float, found '1e-4'"),
        ({"regularization": 1}, {"regularization": {"levels": 0.5}}, "levels: expected a list of numbers"),
        ({"regularization": 1}, {"regularization": {"compat": 1}}, "compat: expected bool, found 1"),
        ({"mse": "1"}, {}, "mse: expected a weight >= 0, found '1'"),
        ({"ssim": 1.0}, {}, "kernel_size, stride, c1, c2 must be given"),
        ({"mse": -1.0}, {}, r"\[losses\] mse: expected a weight >= 0, found -1.0"),
        ({"mse": math.nan}, {}, r"\[losses\] mse: expected a weight >= 0, found nan"),
        ({}, {}, "no loss is given; known losses: l1, euclidean"),
    ],
)
def test_unknown_names_and_parameters_are_refused_with_the_known_ones(weights, parameters, message):
    with pytest.raises(ValueError, match=message):
        WeightedLoss(weights, parameters)
