"""Whole pictures through a network: tiles, reflection, what is global, strength, memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

import trainer.enhancement.enhancer
from tests.trainer.sample_networks import AllInputs, Brighter, Convolved, NotANumber, Same, trained
from trainer.enhancement.enhancer import Enhancer
from trainer.enhancement.tile_size import CPU_BUDGET, LiveTensors, bytes_per_pixel, fitting_side
from trainer.enhancement.tiling import cut, reflected, spans
from trainer.inputs import Inputs
from trainer.networks.drht import Drht
from trainer.networks.gain_unet import GainUNet
from trainer.networks.guided_lines import brightness, guided_lines, maps_along
from trainer.networks.tone_curves import positions
from trainer.preprocessing.base_detail import BaseDetail

ROUNDING = 1e-6  # float32 sums of other lengths


def noise(height: int, width: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if dtype is np.float32:
        return generator.random((height, width, 3), np.float32)
    return generator.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


@pytest.fixture
def global_planes(monkeypatch):
    """A base that depends on the whole picture, in place of the slow one; counts how often it was made."""
    calls = []

    def planes(picture: np.ndarray) -> BaseDetail:
        calls.append(picture.dtype)
        grey = picture.mean(axis=2, dtype=np.float32)
        grey /= grey.max()
        return BaseDetail(grey / 2 + grey.mean() / 4, grey / 2 - grey.mean() / 4)

    monkeypatch.setattr(trainer.enhancement.enhancer, "base_detail", planes)
    return calls


# --- tiles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 4, 31, 32, 33, 100, 257])
@pytest.mark.parametrize(
    ("side", "multiple", "halo"), [(32, 4, 15), (8, 8, 0), (64, 32, 192), (0, 4, 9), (1, 4, 3)]
)
def test_spans_cover_every_pixel_once_and_see_their_halo(length, side, multiple, halo):
    tiles = spans(length, side, multiple=multiple, halo=halo)
    assert [pixel for tile in tiles for pixel in range(tile.start, tile.stop)] == list(range(length))
    padded = -(-length // multiple) * multiple
    for tile in tiles:
        assert tile.start % multiple == tile.window_start % multiple == tile.window_stop % multiple == 0
        assert tile.window_start <= max(tile.start - halo, 0)
        assert min(tile.stop + halo, padded) <= tile.window_stop <= padded
        assert not side or tile.stop - tile.start <= max(side, multiple)
    assert side or len(tiles) == 1


def test_the_reflection_goes_on_where_the_picture_is_shorter_than_it():
    assert reflected(5, 8).tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert reflected(3, 9).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert reflected(1, 4).tolist() == [0, 0, 0, 0]


def test_a_window_in_the_reflection_shows_what_the_continued_picture_shows():
    picture = noise(37, 41)
    whole = np.pad(picture, ((0, 27), (0, 23), (0, 0)), mode="reflect")
    for rows in spans(37, 32, multiple=32, halo=32):
        for columns in spans(41, 32, multiple=32, halo=0):
            expected = whole[rows.window_start : rows.window_stop, columns.window_start : columns.window_stop]
            np.testing.assert_array_equal(cut(picture, rows, columns), expected)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (64, 64), (97, 131), (130, 61)])
@pytest.mark.parametrize("tile", [16, 37, None])
def test_tiled_equals_untiled(size, tile):
    picture = noise(*size)
    whole = Enhancer(trained(Convolved()), tile=0).enhance(picture)
    assert whole.shape == picture.shape
    assert whole.dtype == np.float32
    assert np.ptp(whole) > 0.05  # the network does something
    tiled = Enhancer(trained(Convolved()), tile=tile).enhance(picture)
    np.testing.assert_allclose(tiled, whole, atol=ROUNDING)


def test_a_halo_too_small_would_show():
    """The comparison above can fail: with less halo than the network sees, seams appear."""

    class ShortSighted(Convolved):
        halo = 4

    picture = noise(97, 131)
    whole = Enhancer(trained(ShortSighted()), tile=0).enhance(picture)
    assert np.abs(Enhancer(trained(ShortSighted()), tile=16).enhance(picture) - whole).max() > 1 / 255


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_what_is_global_is_made_once_and_cut_for_each_tile(global_planes, strength):
    picture = noise(61, 83, np.uint16)
    whole = Enhancer(trained(AllInputs()), tile=0).enhance(picture, strength)
    tiled = Enhancer(trained(AllInputs()), tile=16).enhance(picture, strength)
    np.testing.assert_allclose(tiled, whole, atol=ROUNDING)
    assert global_planes == [np.uint8, np.uint8]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_identity_and_strength_0_give_the_input_exactly(dtype):
    picture = noise(40, 50, dtype)
    peak = 1 if dtype is np.float32 else np.iinfo(dtype).max
    for enhanced in (
        Enhancer(trained(Same()), tile=16).enhance(picture),
        Enhancer(trained(Convolved()), tile=16).enhance(picture, strength=0.0),
    ):
        np.testing.assert_array_equal(np.rint(enhanced * np.float32(peak)) if peak > 1 else enhanced, picture)


def test_strength_lies_between_input_and_output_and_beyond():
    picture = np.full((8, 8, 3), 0.4, np.float32)
    enhancer = Enhancer(trained(Brighter()))
    for strength, expected in ((0.5, 0.45), (1.0, 0.5), (1.5, 0.55)):
        np.testing.assert_allclose(enhancer.enhance(picture, strength), expected, atol=ROUNDING)


def test_the_result_is_clamped():
    assert Enhancer(trained(Brighter())).enhance(np.full((4, 4, 3), 255, np.uint8)).max() == 1.0


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_pieces_come_from_the_top_and_make_the_whole(strength):
    picture = noise(50, 30, np.float32)
    before = picture.copy()
    enhancer = Enhancer(trained(Convolved()), tile=16)
    whole, pieced = enhancer.enhance(picture, strength), np.full(picture.shape, np.nan, np.float32)
    pieces = list(enhancer.pieces(picture, strength))
    assert [piece.top for piece in pieces] == sorted(piece.top for piece in pieces)
    assert len(pieces) == (8 if strength else 1)
    for piece in pieces:
        piece.put_into(pieced)
        piece.pixels.fill(2)  # the caller's own
    np.testing.assert_array_equal(pieced, whole)
    np.testing.assert_array_equal(picture, before)


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        noise(4, 4) / 255.0,
    ],
)
def test_other_arrays_are_refused(picture):
    with pytest.raises(ValueError, match=r"HxWx3 uint8, uint16 or float32"):
        Enhancer(trained(Same())).enhance(picture)


@pytest.mark.parametrize("strength", [-0.1, 1.6])
def test_other_strengths_are_refused(strength):
    with pytest.raises(ValueError, match=r"lies in \[0, 1.5\]"):
        Enhancer(trained(Same())).enhance(noise(4, 4), strength)


@pytest.mark.parametrize("tile", [0, 32, 64])
def test_light_is_the_networks_in_tiles_as_in_one(tile):
    """In reflected padding too: sides are no multiples of 4."""

    class Glowing(Convolved):
        needs = frozenset({"hdr"})

        def hdr(self, inputs):
            return 8 * self(inputs).abs()

    picture = noise(70, 90)
    whole = Enhancer(trained(Glowing()), tile=0).light(picture)
    light = Enhancer(trained(Glowing()), tile=tile).light(picture)
    assert light.shape == (70, 90, 3)
    assert whole.max() > 1  # no clamp to [0, 1]
    np.testing.assert_allclose(light, whole, atol=1e-4)


def test_only_networks_taught_light_give_it():
    with pytest.raises(ValueError, match="gives no estimate"):
        Enhancer(trained(Same())).light(noise(4, 4))
    assert Enhancer(trained(Drht())).gives_light
    assert not Enhancer(trained(Drht("release", hdr_network=False))).gives_light


def test_light_of_drht_is_its_hdr_picture():
    network = Drht().eval()
    picture = noise(32, 64)
    with torch.no_grad():
        data = torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)[None]
        expected = network.hdr(Inputs(data))[0].permute(1, 2, 0)
    np.testing.assert_allclose(Enhancer(trained(network)).light(picture), expected, rtol=1e-3, atol=1e-5)


# --- large photographs -------------------------------------------------------------------------------------


def painter(short_side: int | None, **keywords) -> Enhancer:
    """Our U-Net with a head that does something, as if taught on pictures of that short side."""
    torch.manual_seed(3)
    network = GainUNet()
    with torch.no_grad():
        network.head.weight.copy_(0.01 * torch.randn(48, 6, 1, 1).expand_as(network.head.weight))
        network.context.curves.weight.normal_(std=0.05)
    data = {} if short_side is None else {"data": {"resize": "short_side", "short_side": short_side}}
    return Enhancer(replace(trained(network.eval()), settings=data), **keywords)


def scene(height: int, width: int) -> np.ndarray:
    """Smooth colours with one hard edge, the same at every size."""
    down, across = np.mgrid[0.5 / height : 1 : 1 / height, 0.5 / width : 1 : 1 / width].astype(np.float32)
    light = 0.3 + 0.2 * np.sin(5 * across + 3 * down) + 0.3 * (across > 0.5)
    return np.clip(light[..., None] * np.array([1.0, 0.8, 0.6]), 0, 1).astype(np.float32)


class Blurring(Same):
    """Darkens by a blurred picture: what it sees in it depends on the size."""

    needs = frozenset({"thumbnail", "place"})

    def painted(self, inputs):
        return functional.avg_pool2d(brightness(inputs.data), 9, stride=1, padding=4, count_include_pad=False)

    def lines(self, painted, inputs):
        return guided_lines(painted, brightness(inputs.data))

    def forward(self, inputs):
        where = positions(inputs.data, inputs.place)
        known = inputs.lines is not None
        maps = maps_along(inputs.lines, brightness(inputs.data), *where) if known else self.painted(inputs)
        return inputs.data * (1 - maps)


def test_a_large_photograph_is_painted_at_the_size_of_the_training():
    """Four times as large, the same picture comes out four times as large."""

    def enhanced(picture, short_side):
        settings = {"data": {"resize": "short_side", "short_side": short_side}}
        return Enhancer(replace(trained(Blurring()), settings=settings)).enhance(picture)

    def reduced(picture):
        return picture.reshape(64, 4, 96, 4, 3).mean(axis=(1, 3))

    expected, large = enhanced(scene(64, 96), 64), scene(256, 384)
    away = np.abs(reduced(enhanced(large, 64)) - expected)
    as_it_is = np.abs(reduced(enhanced(large, 1024)) - expected)
    assert away.mean() < 0.002
    assert away.mean() < 0.5 * as_it_is.mean()


def test_the_edge_of_a_large_photograph_stays_sharp():
    large = scene(256, 384)
    step = np.abs(np.diff(painter(64).enhance(large)[128], axis=0)).max(axis=1)
    assert step.argmax() == 191
    assert np.sort(step)[-2] < 0.2 * step.max()


@pytest.mark.parametrize("tile", [32, 100, None])
def test_tiles_of_a_large_photograph_are_the_whole(tile):
    whole = painter(64, tile=0).enhance(scene(200, 331))
    np.testing.assert_allclose(painter(64, tile=tile).enhance(scene(200, 331)), whole, atol=2e-5)


def test_pictures_of_about_the_size_of_the_training_are_painted_as_they_are():
    picture = scene(96, 150)
    np.testing.assert_array_equal(painter(64).enhance(picture), painter(None).enhance(picture))


def test_values_that_are_no_numbers_are_an_error():
    with pytest.raises(ValueError, match="no numbers"):
        Enhancer(trained(NotANumber())).enhance(noise(4, 4))


def test_a_gpu_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="finds no GPU"):
        Enhancer(trained(Same()), device="cuda")


def test_the_name_says_network_and_checkpoint():
    assert Enhancer(trained(Same(), "lutgrid")).name == "lutgrid 01234567"


# --- memory ----------------------------------------------------------------------------------------------


def test_live_tensors_count_what_is_held_at_one_time():
    with torch.inference_mode(), LiveTensors() as live:
        first = torch.zeros(1000, dtype=torch.float32)
        second = first + 1
        del first
        third = second.view(10, 100) * 2  # a view costs nothing
        del second, third
        torch.zeros(1500, dtype=torch.float32)
    assert live.peak == 8000


def test_tiles_fit_the_budget():
    """Twice the channels, about half the pixels; the window with its halo keeps within the budget."""

    class Wide(Same):
        halo = 15
        channels = 500

        def forward(self, inputs):
            planes = inputs.data[:, :1].expand(-1, self.channels, -1, -1)
            return inputs.data + (planes * 2).sum(dim=1, keepdim=True)

    class Wider(Wide):
        channels = 1000

    cpu = torch.device("cpu")
    assert bytes_per_pixel(Wider(), cpu) == pytest.approx(2 * bytes_per_pixel(Wide(), cpu), rel=0.1)
    for network in (Wide(), Wider()):
        window = fitting_side(network, cpu) + 2 * network.halo
        assert 0.8 * CPU_BUDGET < window**2 * network.channels * 4 * 1.25 < CPU_BUDGET


def test_a_wide_halo_gets_a_tile_that_is_worth_it():
    """Where the budget leaves hardly a core, the tile grows to six halos, as far as memory is free."""

    class Far(Same):
        halo = 500

    core = fitting_side(Far(), torch.device("cpu"))
    assert core >= 6 * Far.halo


def test_the_largest_share_of_memory_is_one_tile(monkeypatch):
    """A small analogue of tests/benchmarks/enhance_memory.py: windows bound what the network holds, not the picture."""
    peaks = {}
    for side in (200, 500):
        enhancer = Enhancer(trained(Convolved()), tile=64)
        with LiveTensors() as live:
            for _ in enhancer.pieces(noise(side, side)):
                pass
        peaks[side] = live.peak
    assert peaks[500] <= 1.5 * peaks[200]
