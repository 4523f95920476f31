from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainer.inputs import Inputs
from trainer.networks import NETWORKS, make_network

PUBLISHED = {  # parameters, multiply-adds per pixel, side of the receptive field
    "sice_residual": (557_443, 556_416, 35),
    "sice_two_stage": (560_323, 559_296, 25),
    "sice_per_pixel": (655_408, 40_896, 100),
}


class Doubling(nn.Module):
    """Somebody's network, as `package.module:Class` finds it."""

    needs: frozenset[str] = frozenset()
    multiple = 1
    halo = 0

    def __init__(self, *, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, inputs):
        return inputs.data * self.factor + self.offset


class Strange(nn.Module):
    """A module without the manners of a network."""


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(2018)


def random_inputs(height, width):
    return Inputs(
        torch.rand(1, 3, height, width), torch.rand(1, 1, height, width), torch.rand(1, 1, height, width)
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_parameters_and_operations_as_published(name):
    parameters, operations, _ = PUBLISHED[name]
    network = make_network(name, {})
    assert sum(value.numel() for value in network.parameters()) == parameters
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(random_inputs(16, 16))
    assert counter.get_total_flops() == 2 * operations * 16 * 16


@pytest.mark.parametrize("name", PUBLISHED)
def test_receptive_field(name):
    """The gradient of one output pixel is not 0 for input pixels of exactly that square, none beyond `halo`."""
    side = PUBLISHED[name][2]
    network = make_network(name, {"width": 3}).double()
    for layer in network.modules():  # all positive: no ReLU closes, nothing cancels
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.05)
    y, x = 60, 61
    inputs = random_inputs(120, 120).to(torch.float64)
    inputs.data.requires_grad_()
    network(inputs)[0, 1, y, x].backward()
    seen = inputs.data.grad[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().ravel(), seen.any(0).nonzero().ravel()
    for place, found in ((y, rows), (x, columns)):
        assert found[-1] - found[0] + 1 == side == len(found)
        assert max(place - found[0], found[-1] - place) <= network.halo
    edge = [network.halo - (y - rows[0]), network.halo - (rows[-1] - y)]
    assert min(edge) == 0  # the halo is no larger than needed


@pytest.mark.parametrize("name", ["sice_residual", "sice_two_stage"])
def test_odd_sizes_are_kept(name):
    assert make_network(name, {"width": 2})(random_inputs(7, 13)).shape == (1, 3, 7, 13)


def test_per_pixel_keeps_zeros_and_works_on_cells():
    network = make_network("sice_per_pixel", {"width": 4})
    inputs = random_inputs(8, 12)
    inputs.data[:, :, 3, 5] = 0
    output = network(inputs)
    assert output.shape == (1, 3, 8, 12)
    assert (output[:, :, 3, 5] == 0).all()
    assert network.multiple == 4


def test_the_halves_of_g6_are_the_convolution_of_both_branches_together():
    network = make_network("sice_two_stage", {"width": 5})
    nn.init.uniform_(network.g6.bias)
    base, detail = torch.rand(2, 1, 4, 9, 9)
    together = network.g6(torch.cat([network.base_branch(base), network.detail_branch(detail)], 1))
    assert torch.allclose(network.features(base, detail), network.joined(together), atol=1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_start_he_normal_and_biases_at_0(name):
    for layer in make_network(name, {}).modules():
        if isinstance(layer, nn.Conv2d):
            assert (layer.bias == 0).all()
            expected = math.sqrt(2 / (9 * layer.in_channels))
            assert layer.weight.std().item() == pytest.approx(
                expected, rel=5 / math.sqrt(layer.weight.numel())
            )


def test_linear_layers_are_those_of_the_release():
    network = make_network("sice_two_stage", {"width": 2})
    rectified = {
        name.rpartition("relu_")[2] for name, one in network.named_modules() if isinstance(one, nn.ReLU)
    }
    named = (
        {f"gA{i}" for i in range(1, 5)} | {f"gB{i}" for i in range(1, 5)} | {f"g{i}" for i in range(7, 12)}
    )
    assert rectified == named
    residual = make_network("sice_residual", {"width": 2})
    rectified = {
        name.rpartition("relu_")[2] for name, one in residual.named_modules() if isinstance(one, nn.ReLU)
    }
    assert rectified == {f"gA{i}" for i in range(1, 5)} | {f"g{i}" for i in range(6, 17)}


def test_without_base_the_network_says_what_it_needs():
    network = make_network("sice_two_stage", {"width": 2})
    assert network.needs == {"base"}
    with pytest.raises(ValueError, match="base and detail"):
        network(Inputs(torch.rand(1, 3, 8, 8)))


def test_unknown_networks_name_the_known():
    with pytest.raises(
        ValueError, match=r"no network 'sise'; known: sice_residual, .*package\.module:Class"
    ) as found:
        make_network("sise", {})
    assert all(name in str(found.value) for name in NETWORKS)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("sice_residual", {"wdth": 8}, "no parameter 'wdth'; its parameters: width: .*64"),
        ("sice_residual", {"width": 0}, "at least 1"),
        ("no_such_package.module:Net", {}, "no_such_package"),
        ("trainer.networks.sice:NoSuchNet", {}, "no torch.nn.Module 'NoSuchNet'"),
        ("trainer.networks.sice:CELL", {}, "no torch.nn.Module 'CELL'"),
    ],
)
def test_what_cannot_be_made_says_why(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_network(name, parameters)


def test_anybodys_class(monkeypatch):
    monkeypatch.setitem(sys.modules, "somebodys_networks", sys.modules[__name__])
    network = make_network("somebodys_networks:Doubling", {"factor": 2.0})
    assert (network(Inputs(torch.ones(1, 3, 2, 2))) == 2).all()
    with pytest.raises(ValueError, match="needs the parameter 'factor'"):
        make_network("somebodys_networks:Doubling", {"offset": 1.0})
    with pytest.raises(ValueError, match="Strange lacks needs, multiple, halo"):
        make_network("somebodys_networks:Strange", {})
