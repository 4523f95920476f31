"""Scores of whole pictures, the strips that show them, and the speed of a training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer.faked_training import FakeData, TinyNetwork, made_batch, pair, tiny_settings
from trainer.inputs import Batch, Inputs
from trainer.metrics.per_pixel import HIGHEST_PSNR
from trainer.training import throughput
from trainer.training.data import shared_by_scene
from trainer.training.processes import Processes
from trainer.training.tensorboard_log import tensorboard_log
from trainer.training.throughput import Arithmetic, Stopwatch, Throughput, forward_flops_per_pixel
from trainer.training.validation import best_exponents, psnr, validate
from trainer.training.validation_strips import Strips, strip

HERE = Processes(torch.device("cpu"))


class Unchanged(nn.Module):
    def forward(self, inputs: Inputs) -> torch.Tensor:
        return inputs.data


class UnequalScenes(FakeData):
    """Scene 0 has three dark pictures that are off by .1, scene 1 one that is off by .01."""

    def pair(self, row: int):
        first = row < 3
        return dataclasses.replace(pair(0 if first else 3), relative_ev=-1.0, input=f"inputs/x/{row}.png")

    def validation(self) -> Iterator[Batch]:
        reference = torch.full((1, 3, 8, 8), 0.5)
        for row in range(4):
            data = reference + (0.1 if row < 3 else 0.01)
            yield Batch(Inputs(data), reference, torch.tensor([-1.0]), (row,))


def test_each_scene_counts_once_however_many_pictures_it_has():
    data = UnequalScenes(tiny_settings())
    exponents = best_exponents(data, HERE, 0.5)
    found = validate(Unchanged(), data, HERE, exponents, 0.5)
    assert found.kinds.keys() == {"under"}
    under = found.kinds["under"]
    assert under.pictures == 4
    assert under.psnr == pytest.approx((20 + 40) / 2, abs=1e-4)  # not (3 * 20 + 40) / 4
    assert under.identity == pytest.approx(under.psnr)
    assert found.score == pytest.approx(30, abs=1e-4)


def test_the_best_gamma_undoes_a_gamma():
    found = best_exponents(FakeData(tiny_settings()), HERE, 0.5)
    assert found == {"under": 0.5, "well": 1.0, "over": 2.0}


def test_psnr_of_what_the_mask_keeps():
    reference = torch.zeros(1, 3, 4, 4)
    output = torch.full_like(reference, 0.1)
    output[..., 2:] = 1.0
    mask = torch.ones(1, 1, 4, 4)
    mask[..., 2:] = 0
    assert psnr(output, reference, mask) == pytest.approx(20, abs=1e-5)
    assert psnr(output, reference, None) == pytest.approx(-10 * math.log10((0.01 + 1) / 2), abs=1e-5)
    assert psnr(reference, reference, None) == HIGHEST_PSNR


def test_strips_show_the_pictures_without_their_padding(tmp_path):
    data = FakeData(tiny_settings())
    batch = made_batch(3, 1)
    mask = torch.ones(1, 1, 12, 12)
    mask[..., 10:, :] = 0
    batch = dataclasses.replace(batch, mask=mask)
    drawn = strip(batch, batch.reference, data.pair(0))
    assert drawn.shape == (22 + 10, 4 * 16, 3)
    panels = [drawn[22:, start : start + 12] for start in (0, 16, 32, 48)]
    assert np.array_equal(panels[1], panels[2])
    assert panels[3].max() == 0
    assert np.array_equal(
        panels[0][4, 5], np.round(255 * batch.inputs.data[0, :, 4, 5].numpy()).astype(np.uint8)
    )
    strips = Strips(tmp_path, data, scenes=1)
    for row in (0, 1, 3):  # two pictures of scene 0, one of scene 1
        strips(made_batch(3, 1, row), batch.reference)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene0-1.png", "scene0-2.png"]


def test_scenes_are_shared_whole():
    pairs = [pair(row) for row in range(15)]
    parts = [shared_by_scene(pairs, rank, 2) for rank in range(2)]
    assert [len({one.scene for one in part}) for part in parts] == [3, 2]
    assert sorted(one.key for part in parts for one in part) == sorted(one.key for one in pairs)


def test_stopwatch_by_a_clock_of_our_own(monkeypatch):
    now = 0.0
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now)
    watch = Stopwatch(torch.device("cpu"))
    with watch.waiting():
        now += 1.0
    now += 3.0
    watch.count(2_000_000)
    with watch.paused(), watch.waiting():
        now += 100.0
    assert watch.lap() == Throughput(4.0, 2.0, 1.0, None)
    now += 4.0
    watch.count(2_000_000)
    watch.lap()
    total = watch.total()
    assert (total.megapixels_per_second, total.waiting_share) == (0.5, 0.125)
    watch.arithmetic = Arithmetic(flops_per_pixel=3e6, matrix_flops_per_second=1e13)
    now += 1.0
    watch.count(1_000_000)
    assert watch.lap().utilisation == pytest.approx(0.3)


def test_flops_are_those_of_the_convolutions():
    network, batch = TinyNetwork(width=4).eval(), made_batch(0, 2)
    assert forward_flops_per_pixel(network, batch.inputs) == 2 * (3 * 4 * 9 + 4 * 3 * 9)


def test_tensorboard_gets_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    write = tensorboard_log(tmp_path)
    write({"step": 3, "loss": 0.5, "mfu": None, "validation": {"under": {"psnr": 20.0}}})
    (events,) = tmp_path.iterdir()
    content = events.read_bytes()
    assert b"loss" in content
    assert b"validation/under/psnr" in content
    assert b"mfu" not in content
