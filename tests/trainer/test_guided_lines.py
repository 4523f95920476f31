"""Maps carried from a reduced picture to the full one along its brightness."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from trainer.networks.guided_lines import brightness, guided_lines, maps_along
from trainer.networks.tone_curves import positions


def picture(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 6, 9, generator=generator)
    return functional.interpolate(coarse, size=(height, width), mode="nearest")


def carried(maps: torch.Tensor, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
    lines = guided_lines(maps, brightness(small))
    return maps_along(lines, brightness(large), *positions(large, None))


def test_grey_is_its_own_brightness():
    assert brightness(torch.full((1, 3, 2, 2), 0.4)) == pytest.approx(0.4)


def test_a_constant_map_stays_constant():
    small, large = picture(24, 36), picture(96, 144)
    torch.testing.assert_close(
        carried(torch.full((1, 2, 24, 36), 0.7), small, large), torch.full((1, 2, 96, 144), 0.7)
    )


def test_a_map_that_follows_the_brightness_follows_it_at_full_size():
    small, large = picture(48, 72), picture(192, 288)
    maps = torch.cat([2 * brightness(small) - 0.3, -brightness(small)], dim=1)
    found = carried(maps, small, large)
    # where a window of the small picture holds an edge its line is exact but for EPSILON
    torch.testing.assert_close(found[:, :1], 2 * brightness(large) - 0.3, atol=0.15, rtol=0)
    assert (found[:, :1] - 2 * brightness(large) + 0.3).abs().mean() < 0.02
    torch.testing.assert_close(found[:, 1:], -found[:, :1] / 2 - 0.15, atol=1e-4, rtol=0)


def test_without_edges_it_is_bilinear():
    """A flat picture guides nothing: the maps' means, between the middles of the small pixels."""
    maps = torch.arange(12.0).reshape(1, 1, 1, 12).expand(1, 1, 8, 12).contiguous()
    flat_small, flat_large = torch.full((1, 3, 8, 12), 0.5), torch.full((1, 3, 32, 48), 0.5)
    found = carried(maps, flat_small, flat_large)[0, 0, 16]
    expected = (torch.arange(48) + 0.5) / 4 - 0.5
    torch.testing.assert_close(found[18:30], expected[18:30])
