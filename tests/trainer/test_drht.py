"""DRHT: layers and costs of both layouts, the link's formulas, batch norm's modes, losses that reach both networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from trainer.inputs import Batch, Inputs
from trainer.networks.drht import Drht
from trainer.networks.drht_layers import Layer, ShiftNorm

STEPS = 36
LAYOUTS = pytest.mark.parametrize(
    ("layout", "parameters", "macs", "kernels"),
    [
        ("paper", 4_861_318, 157_824, (9, 5, 3, 3, 3, 3, 3, 3, 3, 5, 9, 1)),
        ("release", 4_944_262, 142_464, (1, 7, 5, 3, 3, 3, 3, 3, 3, 5, 7, 1)),
    ],
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def scene_batch(samples: int = 2, seed: int = 0) -> Batch:
    """Smooth light up to 4 times white, a picture of it 2 EV too short, and its gamma rendering."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 4 * torch.rand(samples, 3, 3, 3, generator=generator) ** 3
    light = nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear", align_corners=True)
    data = (light / 4).clamp(0, 1) ** 0.45
    return Batch(
        Inputs(data), light.clamp(0, 1) ** 0.45, torch.full((samples,), -2.0), tuple(range(samples)), light
    )


@LAYOUTS
def test_layers_parameters_and_cost(layout, parameters, macs, kernels):
    network = Drht(layout).eval()
    for one in (network.hdr_encoder, network.ldr_encoder):
        assert sum(value.numel() for value in one.parameters()) == parameters
        layers = (*one.encoder, *one.decoder, one.output)
        assert tuple(layer.convolution.kernel_size[0] for layer in layers) == kernels
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = network(Inputs(torch.rand(1, 3, 32, 64)))
    assert output.shape == (1, 3, 32, 64)
    assert counter.get_total_flops() / 2 / (32 * 64) == 2 * macs


def test_latent_has_512_channels_at_a_thirty_second():
    network = Drht().ldr_encoder
    sizes: list[torch.Size] = []
    network.encoder[5].register_forward_hook(lambda layer, given, found: sizes.append(found.shape))
    with torch.no_grad():
        network.eval()(torch.rand(1, 3, 64, 96), torch.zeros(1, 3, 64, 96))
    assert sizes == [(1, 512, 2, 3)]


def test_plain_outputs_begin_as_the_picture():
    picture = torch.rand(1, 3, 32, 64)
    network = Drht(output="plain").eval()
    with torch.no_grad():
        torch.testing.assert_close(network.rendering(Inputs(picture)), picture)
        torch.testing.assert_close(network(Inputs(picture)), picture)


@pytest.mark.parametrize(("kernel", "before", "behind"), [(3, 0, 1), (5, 1, 2), (7, 2, 3)])
def test_padding_at_stride_two_is_tensorflows(kernel, before, behind):
    """'SAME': a kernel that picks one tap reads the pixel that TensorFlow's would."""
    layer = Layer(1, 1, kernel, 2, nn.Identity())
    up = Layer(1, 1, kernel, 2, nn.Identity(), up=True)
    with torch.no_grad():
        for one in (layer, up):
            one.convolution.weight.zero_()
            one.convolution.weight[0, 0, before, before] = 1  # the tap over the cell's own first pixel
        picture = torch.arange(64.0).reshape(1, 1, 8, 8)
        small = layer(picture)
        torch.testing.assert_close(small, picture[:, :, ::2, ::2])
        grown = up(small)
    assert grown.shape == picture.shape
    torch.testing.assert_close(grown[:, :, ::2, ::2], small)
    assert (layer.before, layer.behind) == (before, behind)


@pytest.mark.parametrize("skip", ["mix", "sum", "concat"])
def test_skip_rules(skip):
    from trainer.networks.drht_layers import _joined

    one, other = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 3.0)
    expected = {"mix": [11.0], "sum": [5.0], "concat": [2.0, 3.0]}[skip]
    assert _joined(one, other, skip).flatten().tolist() == expected
    with torch.no_grad():
        assert Drht(skip=skip).eval()(Inputs(torch.rand(1, 3, 32, 32))).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(("alpha", "gamma", "scale"), [(0.03, 0.45, 2422), (1 / 30, 1 / 2.2, 1777)])
def test_link_follows_its_formulas(alpha, gamma, scale):
    network = Drht(alpha=alpha, gamma=gamma, hdr_network=False)
    light = torch.tensor([1.0, 0.0, 0.2, 6.0]).reshape(1, 1, 2, 2)
    rendering = network.rendered(light)
    assert rendering[0, 0, 0, 0] == 1
    torch.testing.assert_close(network.light(rendering), light)
    logarithm, added = network.link(rendering)
    k = (1 / alpha) ** (1 / gamma)
    assert k == pytest.approx(scale, rel=5e-4)
    torch.testing.assert_close(logarithm, torch.log(k * light + 1 / 255), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(added, alpha * (k * light) ** gamma, rtol=1e-5, atol=1e-6)


def test_target_light_is_clipped():
    network = Drht(hdr_network=False)
    assert network.light(network.rendered(torch.tensor([-1.0, 1e4]))).tolist() == pytest.approx([0.0, 64.0])


def test_gradients_of_the_link_are_finite_at_zero_and_below():
    rendering = torch.tensor([-0.5, 0.0, 1e-12, 1.0, 6.5], requires_grad=True)
    logarithm, added = Drht(hdr_network=False).link(rendering)
    (logarithm.sum() + added.sum()).backward()
    assert bool(rendering.grad.isfinite().all())
    assert rendering.grad[0] == 0


def test_batch_norm_shifts_without_scale_and_its_modes_differ():
    features = 5 + 3 * torch.randn(4, 2, 8, 8)
    running, batch = ShiftNorm(2, 0.9, "running"), ShiftNorm(2, 0.9, "batch")
    for norm in (running, batch):
        trained = norm.train()(features)
        assert trained.mean().item() == pytest.approx(0, abs=1e-5)
        assert trained.std().item() == pytest.approx(1, abs=0.01)
        norm.eval()
    torch.testing.assert_close(running.running_mean, 0.1 * features.mean(dim=(0, 2, 3)))
    # of its own statistics each photograph depends on what is beside it, of running ones it does not
    assert not torch.allclose(batch(features)[:1], batch(features[:1]), atol=1e-3)
    torch.testing.assert_close(running(features)[:1], running(features[:1]))
    assert [name for name, _ in running.named_parameters()] == ["shift"]


def test_joint_loss_reaches_both_networks_and_falls():
    network = Drht().train()
    batch = scene_batch()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    history: list[dict[str, Tensor]] = []
    for step in range(6):
        total, terms = network.losses(batch, network(batch.inputs))
        optimizer.zero_grad()
        total.backward()
        if step == 0:
            for part in (network.hdr_encoder, network.ldr_encoder):
                assert all(float(layer.convolution.weight.grad.abs().sum()) > 0 for layer in part.encoder)
        optimizer.step()
        history.append(terms)
    assert total.item() == pytest.approx(float(terms["ldr"] + terms["hdr"]))
    for name in ("ldr", "hdr"):
        assert history[-1][name] < history[0][name]


def test_joint_training_lowers_both_losses_on_pictures_that_were_not_seen():
    """Each of some dozens of steps is on other scenes, so that no loss falls by learning them by heart."""
    network = Drht(bn_decay=0.9).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    history: list[dict[str, Tensor]] = []
    for step in range(STEPS):
        batch = scene_batch(seed=step)
        total, terms = network.losses(batch, network(batch.inputs))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(terms)
    for name in ("ldr", "hdr"):
        first, last = (sum(float(one[name]) for one in part) for part in (history[:5], history[-5:]))
        assert last < 0.6 * first, name


def test_ldr_loss_alone_reaches_the_hdr_network_through_the_link():
    network = Drht(hdr_weight=0.0).train()
    batch = scene_batch()
    network.losses(batch, network(batch.inputs))[0].backward()
    assert float(network.hdr_encoder.encoder[0].convolution.weight.grad.abs().sum()) > 0


def test_losses_are_the_plain_formulas_under_a_mask():
    network = Drht(hdr_weight=2.0).eval()
    whole = scene_batch()
    mask = torch.ones(2, 1, 32, 32)
    mask[:, :, :, 20:] = 0
    batch = Batch(whole.inputs, whole.reference, whole.relative_ev, whole.rows, whole.hdr, mask)
    output = torch.full_like(whole.reference, 0.5)
    with torch.no_grad():
        total, terms = network.losses(batch, output)
        estimate = network.rendering(batch.inputs)
    ldr = (0.5 - whole.reference)[..., :20].square().mean()
    hdr = (estimate - whole.hdr**0.45)[..., :20].square().mean()
    torch.testing.assert_close(terms["ldr"], ldr)
    torch.testing.assert_close(terms["hdr"], hdr)
    torch.testing.assert_close(total, ldr + 2 * hdr)


def test_hdr_is_the_light_of_the_rendering():
    network = Drht().eval()
    inputs = Inputs(torch.rand(1, 3, 32, 32))
    with torch.no_grad():
        light = network.hdr(inputs)
        torch.testing.assert_close(light, network.rendering(inputs).clamp(min=0) ** (1 / 0.45))
    assert bool((light >= 0).all())


def test_release_trains_one_network_on_the_picture_itself():
    network = Drht("release", hdr_network=False, loss="clipped_l1").eval()
    inputs = Inputs(torch.rand(1, 3, 32, 32))
    assert network.needs == frozenset()
    torch.testing.assert_close(network.hdr(inputs), inputs.data ** (1 / 0.45))
    assert sum(one.numel() for one in network.parameters()) == 4_944_262


def test_the_clip_of_the_released_loss_waits_until_the_error_is_small():
    network = Drht("release", hdr_network=False, loss="clipped_l1").train()
    batch = scene_batch()

    def slope(error: float) -> float:
        output = (batch.reference + error).requires_grad_()
        network.losses(batch, output)[0].backward()
        return float(output.grad.abs().sum())

    assert slope(0.2) == pytest.approx(1)
    assert slope(0.05) == pytest.approx(1)
    assert slope(0.2) == 0
    assert "clipping" in network.state_dict()


@pytest.mark.parametrize(
    "wrong",
    [{"layout": "thesis"}, {"skip": "product"}, {"bn_eval": "none"}, {"output": "none"}, {"loss": "l1"}],
)
def test_unknown_words_name_the_known(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} is .*it can be"):
        Drht(**wrong)
