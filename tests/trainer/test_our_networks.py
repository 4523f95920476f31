"""lutgrid and gain_unet: what section 5 of their specification promises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import trainer
from builder.settings_tables import read_toml
from trainer.inputs import Inputs
from trainer.networks import make_network
from trainer.networks.gain_unet import GainUNet
from trainer.networks.lutgrid import (
    LutGrid,
    slice_by_bags,
    slice_by_gathers,
    slice_by_sampling,
    slice_grid,
)
from trainer.networks.tone_curves import (
    apply_curves,
    mean_and_deviation,
    monotone_knots,
    neutral_where_clipped,
    positions,
)

BOTH = pytest.mark.parametrize("network_class", [LutGrid, GainUNet])
HEADS = ("grid_head", "curve_head", "head", "context.curves")


def picture_inputs(height: int, width: int, samples: int = 1, seed: int = 0) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    data = torch.rand(samples, 3, height, width, generator=generator)
    thumbnail = torch.rand(samples, 3, 256, 256, generator=generator)
    place = torch.tensor([[0.0, 0.0, height, width]]).repeat(samples, 1)
    return Inputs(data, thumbnail=thumbnail, place=place)


def as_if_trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with heads that do something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, head in network.named_modules():
            if name in HEADS:
                head.weight.normal_(std=0.05, generator=generator)
    return network.eval()


def crop(inputs: Inputs, top: int, left: int, height: int, width: int) -> Inputs:
    full_height, full_width = inputs.data.shape[2:]
    return dataclasses.replace(
        inputs,
        data=inputs.data[:, :, top : top + height, left : left + width],
        place=torch.tensor([[float(top), float(left), full_height, full_width]]),
    )


def run(network: nn.Module, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        return network(inputs)


@pytest.mark.parametrize(("network_class", "count"), [(LutGrid, 453_025), (GainUNet, 775_798)])
def test_parameter_counts(network_class, count):
    assert sum(one.numel() for one in network_class().parameters()) == count


@pytest.mark.parametrize(("network_class", "kilo_macs"), [(LutGrid, 0.486), (GainUNet, 3.662)])
def test_multiplications_per_pixel_at_512(network_class, kilo_macs):
    with FlopCounterMode(display=False) as counter:
        run(network_class(), picture_inputs(512, 512))
    # of lutgrid's about 170 per pixel the counter sees the guide's 64: slice, curves and maps are no convolutions
    assert counter.get_total_flops() / 2 / 512**2 / 1000 == pytest.approx(kilo_macs, abs=0.002)


@BOTH
def test_starts_as_identity(network_class):
    inputs = picture_inputs(64, 96, samples=2)
    torch.testing.assert_close(run(network_class(), inputs), inputs.data, atol=1e-6, rtol=0)


@BOTH
def test_strength_zero_is_the_input_and_each_sample_has_its_own(network_class):
    network = as_if_trained(network_class())
    inputs = picture_inputs(64, 64, samples=3)
    mixed = run(network, dataclasses.replace(inputs, strength=torch.tensor([0.0, 1.0, 0.5])))
    plain = run(network, inputs)
    assert torch.equal(mixed[0], inputs.data[0])
    torch.testing.assert_close(mixed[1], plain[1], atol=1e-6, rtol=0)
    assert (plain - inputs.data).abs().mean() > 0.005
    assert (mixed[2] - inputs.data[2]).abs().mean() < (plain[2] - inputs.data[2]).abs().mean()


def test_lutgrid_tiles_without_halo_are_the_whole():
    network = as_if_trained(LutGrid())
    inputs = picture_inputs(90, 70)
    whole = run(network, inputs)
    for top, left, height, width in ((0, 0, 33, 20), (33, 20, 57, 50), (89, 69, 1, 1)):
        tile = run(network, crop(inputs, top, left, height, width))
        torch.testing.assert_close(
            tile, whole[:, :, top : top + height, left : left + width], atol=1e-5, rtol=0
        )


def test_lutgrid_strips_are_the_whole(monkeypatch):
    network = as_if_trained(LutGrid())
    inputs = picture_inputs(50, 40, samples=2)
    whole = run(network, inputs)
    monkeypatch.setattr("trainer.networks.lutgrid.STRIP_PIXELS", 700)
    torch.testing.assert_close(run(network, inputs), whole, atol=1e-6, rtol=0)


def test_gain_unet_tiles_with_its_halo_are_the_whole():
    network = as_if_trained(GainUNet())
    inputs = picture_inputs(512, 32)
    whole = run(network, inputs)
    halo = GainUNet.halo
    tile = run(network, crop(inputs, 224 - halo, 0, 64 + 2 * halo, 32))
    torch.testing.assert_close(tile[:, :, halo : halo + 64], whole[:, :, 224:288], atol=1e-5, rtol=0)


def test_gain_unet_sees_no_farther_than_its_halo():
    network = as_if_trained(GainUNet())
    data = picture_inputs(512, 32).data.requires_grad_()
    network(Inputs(data, thumbnail=torch.rand(1, 3, 256, 256)))[0, :, 255].sum().backward()
    rows = data.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    reach = max(255 - int(rows.min()), int(rows.max()) - 255)
    assert 128 < reach < GainUNet.halo


def test_gain_unet_paints_no_lattice_where_its_cells_agree():
    """On a smooth ramp the slope across borders of cells is that inside them, whatever smooth field the cells hold."""
    head = GainUNet().head
    with torch.no_grad():
        head.weight[0] = torch.rand(6, 1, 1, generator=torch.Generator().manual_seed(3))
    cells = torch.zeros(1, 48, 6, 6)
    cells[:, 0] = torch.linspace(0, 1, 6)
    painted = head(cells).detach()
    flat = head(torch.ones(1, 48, 6, 6)).detach()
    torch.testing.assert_close(flat, flat[:, :, :1, :1].expand_as(flat))
    steps = painted[0, 0, 20, 8:-8].diff().abs()
    assert float(steps.max()) < 0.3 * float(painted[0, 0, 20, 20] - painted[0, 0, 20, 12])


def test_both_see_the_whole_picture_through_its_thumbnail():
    inputs = picture_inputs(32, 32)
    other = dataclasses.replace(inputs, thumbnail=inputs.thumbnail * 0.2)
    for network in (as_if_trained(LutGrid()), as_if_trained(GainUNet())):
        assert (run(network, inputs) - run(network, other)).abs().mean() > 1e-3


@BOTH
def test_what_is_clipped_gets_no_tint(network_class):
    """Burnt-out and black pixels stay grey, whatever was learnt; a colour between is treated as before."""
    inputs = picture_inputs(64, 64)
    inputs.data[:, :, :16] = 1.0
    inputs.data[:, :, 16:32] = 0.0
    inputs.data[:, :, 32:48] = torch.tensor([0.8, 0.02, 0.3])[:, None, None]
    output = run(as_if_trained(network_class()), inputs)
    spread = (output.amax(dim=1) - output.amin(dim=1))[0]
    assert spread[:32].max() < 1e-5
    assert (output - inputs.data)[0, :, :32].abs().max() > 0.01, "the network does nothing there"
    assert spread[48:].min() > 1e-3


def test_only_clipped_pixels_become_neutral():
    painted = torch.tensor([0.3, -0.1, 0.1])[None, :, None, None].expand(1, 3, 1, 5)
    colours = torch.tensor([[1.0, 1, 0.6], [0, 0, 0], [1, 0.8, 0.5], [0.05, 0, 0], [0, 4 / 255, 0]])
    found = neutral_where_clipped(painted, colours.T[None, :, None, :])[0, :, 0].T
    grey, as_painted = torch.full((3,), 0.1), painted[0, :, 0, 0]
    expected = [grey, grey, as_painted, as_painted, (grey + as_painted) / 2]
    torch.testing.assert_close(found, torch.stack(expected))


def test_grid_is_sliced_trilinearly():
    """A grid that is linear in each coordinate gives these coordinates back, inside the outermost cell middles."""
    depth, row, column = torch.meshgrid(
        (torch.arange(8) + 0.5) / 8,
        (torch.arange(16) + 0.5) / 16,
        (torch.arange(16) + 0.5) / 16,
        indexing="ij",
    )
    grid = torch.stack([depth, row, column])[None]
    guide = torch.linspace(0.07, 0.93, 60 * 40).reshape(1, 60, 40)
    down, across = positions(torch.zeros(1, 3, 60, 40), torch.tensor([[7.0, 3.0, 70.0, 50.0]]))
    sliced = slice_grid(grid, guide, down, across)
    expected = torch.stack([guide[0], down[0, :, None].expand(60, 40), across[0, None].expand(60, 40)])
    torch.testing.assert_close(sliced[0], expected, atol=1e-6, rtol=0)
    assert down[0, 0] == pytest.approx(7.5 / 70)


@pytest.mark.parametrize("slice_otherwise", [slice_by_gathers, slice_by_bags])
def test_all_ways_to_slice_agree(slice_otherwise):
    generator = torch.Generator().manual_seed(1)
    grid = torch.randn(2, 12, 8, 16, 16, generator=generator)
    guide = torch.rand(2, 21, 34, generator=generator)
    guide[0, 0, :2] = torch.tensor([0.0, 1.0])
    down, across = positions(
        torch.zeros(2, 3, 21, 34), torch.tensor([[0.0, 0.0, 21.0, 34.0], [9.0, 5.0, 40.0, 50.0]])
    )
    found = slice_otherwise(grid, guide, down, across)
    torch.testing.assert_close(found, slice_by_sampling(grid, guide, down, across), atol=1e-5, rtol=0)


def test_curves_are_monotone_and_meet_their_knots():
    knots = monotone_knots(4 * torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(2)))
    assert bool((knots.diff(dim=2) >= 0).all())
    torch.testing.assert_close(knots[:, :, 0], torch.zeros(2, 3))
    torch.testing.assert_close(knots[:, :, -1], torch.ones(2, 3))
    ramp = torch.linspace(0, 1, 161).expand(2, 3, 1, 161)
    curved = apply_curves(ramp, knots)
    assert bool((curved.diff(dim=3) >= -1e-7).all())
    torch.testing.assert_close(curved[:, :, 0, ::10], knots, atol=1e-6, rtol=0)


def test_lutgrid_guide_spreads_luminance_over_all_depths():
    grey = torch.linspace(0, 1, 11).reshape(1, 1, 1, 11).expand(1, 3, 1, 11)
    guide = LutGrid().guide(grey).flatten()
    assert bool((guide.diff() > 0.02).all())
    assert float(guide.detach()[0]) < 1 / 8 < 7 / 8 < float(guide.detach()[-1])


@BOTH
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradients_stay_finite_on_flat_pictures(network_class, level):
    network = as_if_trained(network_class())
    flat = Inputs(
        torch.full((1, 3, 32, 32), level),
        thumbnail=torch.full((1, 3, 256, 256), level),
        place=torch.tensor([[0.0, 0.0, 32.0, 32.0]]),
    )
    network(flat).square().mean().backward()
    assert all(bool(one.grad.isfinite().all()) for one in network.parameters() if one.grad is not None)


def test_deviation_of_a_constant_has_a_gradient():
    features = torch.full((1, 2, 4, 4), 0.3, requires_grad=True)
    pooled = mean_and_deviation(features)
    torch.testing.assert_close(pooled[0, :2], torch.full((2,), 0.3))
    pooled.sum().backward()
    assert bool(features.grad.isfinite().all())


def darkened_and_brightened(count: int, seed: int) -> tuple[Inputs, Tensor]:
    """Smooth coloured scenes of 32x32, as they should be, and exposed 2 EV too short or too long."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    scene = nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear", align_corners=True) * 0.7 + 0.1
    factor = torch.where(torch.arange(count) % 2 == 0, 0.25, 4.0).reshape(-1, 1, 1, 1)
    data = (scene**2.2 * factor).clamp(0, 1) ** (1 / 2.2)
    thumbnail = nn.functional.interpolate(data, size=(256, 256), mode="bilinear")
    return Inputs(
        data, thumbnail=thumbnail, place=torch.tensor([[0.0, 0.0, 32.0, 32.0]]).repeat(count, 1)
    ), scene


@BOTH
def test_a_few_steps_learn_to_repair_both_exposures(network_class):
    torch.manual_seed(0)
    network = network_class()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(30):
        inputs, scene = darkened_and_brightened(4, seed=step)
        loss = (network(inputs) - scene).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    inputs, scene = darkened_and_brightened(8, seed=1000)
    before = (inputs.data - scene).square().mean(dim=(1, 2, 3))
    after = (run(network.eval(), inputs) - scene).square().mean(dim=(1, 2, 3))
    for kind in (slice(0, None, 2), slice(1, None, 2)):
        assert 10 * torch.log10(before[kind].mean() / after[kind].mean()) > 3  # dB


@pytest.mark.parametrize("preset", ["lutgrid", "gain_unet", "drht_paper", "drht_release"])
def test_presets_make_their_networks(preset):
    document = read_toml(Path(trainer.__path__[0]) / "presets" / f"{preset}.toml")
    network = make_network(document["network"], document.get("network_parameters", {}))
    assert document["data"]["crop"] % network.multiple == 0
