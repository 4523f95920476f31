"""Rates, optimisers and averages against values worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

from trainer.settings import OptimizationSettings
from trainer.training.optimization import AdamTensorflow, MovingAverage, make_optimizer, rate_at

SETTINGS = OptimizationSettings(rate=1.0, final_rate=0.01, warmup=4, steps=14)


@pytest.mark.parametrize(
    ("schedule", "half_way", "end"),
    [("cosine", 0.505, 0.01), ("exponential", 0.1, 0.01), ("constant", 1.0, 1.0)],
)
def test_schedules(schedule, half_way, end):
    settings = dataclasses.replace(SETTINGS, schedule=schedule)
    assert [rate_at(step, settings) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rate_at(9, settings) == pytest.approx(half_way)
    assert rate_at(14, settings) == pytest.approx(end)
    assert rate_at(99, settings) == pytest.approx(end)


def test_tensorflows_epsilon_by_hand():
    """Two steps, gradients 1 and -2, rate .1, epsilon .1."""
    weight = nn.Parameter(torch.tensor([1.0, 5.0], dtype=torch.float64))
    optimizer = make_optimizer(
        [weight], OptimizationSettings(optimizer="adam_tensorflow", rate=0.1, epsilon=0.1, weight_decay=0.0)
    )
    assert isinstance(optimizer, AdamTensorflow)
    mean = square = 0.0
    expected = 1.0
    for step, gradient in enumerate((1.0, -2.0), start=1):
        weight.grad = torch.tensor([gradient, 0.0], dtype=torch.float64)
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        rate = 0.1 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        expected -= rate * mean / (math.sqrt(square) + 0.1)
        assert weight[0].item() == pytest.approx(expected, abs=1e-14)
    assert weight[1].item() == 5.0
    # the first step in numbers: .1 * sqrt(.001)/.1 * .1/(sqrt(.001) + .1)
    assert math.sqrt(0.001) * 0.1 / (math.sqrt(0.001) + 0.1) == pytest.approx(0.0240253, abs=1e-7)


def test_tensorflows_form_is_pytorchs_with_another_epsilon():
    weights = [nn.Parameter(torch.linspace(-1, 1, 7, dtype=torch.float64)) for _ in range(2)]
    ours = AdamTensorflow([weights[0]], lr=0.01, eps=0.1, weight_decay=0.3)
    theirs = torch.optim.Adam([weights[1]], lr=0.01, weight_decay=0.3)
    for step in range(1, 6):
        theirs.param_groups[0]["eps"] = 0.1 / math.sqrt(1 - 0.999**step)
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            weight.grad = torch.sin(3.0 * step * weight.detach())
            optimizer.step()
    assert torch.allclose(*weights, atol=1e-14, rtol=0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adam_tensorflow"])
def test_each_optimiser_goes_downhill_and_is_restored(optimizer):
    settings = OptimizationSettings(optimizer=optimizer, rate=0.05, weight_decay=0.0)

    def steps(weight, chosen, count):
        for _ in range(count):
            chosen.zero_grad()
            weight.square().sum().backward()
            chosen.step()

    whole = nn.Parameter(torch.tensor([1.0, -2.0]))
    steps(whole, make_optimizer([whole], settings), 20)
    assert float(whole.detach().abs().sum()) < 2.0
    first = nn.Parameter(torch.tensor([1.0, -2.0]))
    before = make_optimizer([first], settings)
    steps(first, before, 10)
    second = nn.Parameter(first.detach().clone())
    after = make_optimizer([second], settings)
    after.load_state_dict(before.state_dict())
    steps(second, after, 10)
    assert torch.equal(second, whole)


def test_the_average_moves_buffers_and_copies_counts():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = MovingAverage(network, 0.5)
    assert not average.network.training
    network[1].running_mean.fill_(8.0)
    network[1].num_batches_tracked.fill_(3)
    with torch.no_grad():
        network[0].weight.copy_(average.network[0].weight + 8.0)
    start = float(average.network[0].weight)
    average.update(network, step=0)  # decay .1: nine tenths of the way
    assert float(average.network[0].weight.detach()) == pytest.approx(start + 7.2, abs=1e-5)
    assert float(average.network[1].running_mean) == pytest.approx(7.2, abs=1e-5)
    average.update(network, step=1000)  # decay .5
    assert float(average.network[1].running_mean) == pytest.approx(7.6, abs=1e-5)
    assert int(average.network[1].num_batches_tracked) == 3
