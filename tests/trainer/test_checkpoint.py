"""Checkpoints: whole or not there, and never with NaN."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from typing import ClassVar

import pytest
import torch
from torch import nn

from builder import atomic_files
from builder.atomic_files import CannotWrite
from trainer.checkpoint import (
    CheckpointError,
    NotFinite,
    best_file,
    load_network,
    newest_checkpoint,
    origin,
    read_checkpoint,
    remove_old,
    save_weights,
    step_file,
    step_files,
    write_checkpoint,
)


class OneLayer(nn.Module):
    """The smallest network with the manners that are asked for."""

    needs: ClassVar[frozenset[str]] = frozenset()
    multiple, halo = 1, 1

    def __init__(self, *, width: int = 2) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, width, 3, padding=1)


NAME = f"{__name__}:OneLayer"


def weights(value: float, width: int = 2) -> dict[str, torch.Tensor]:
    return {"layer.weight": torch.full((width, 3, 3, 3), value), "layer.bias": torch.full((width,), value)}


def content(step: int) -> dict:
    return {
        **origin(NAME, {}),
        "step": step,
        "model": weights(step),
        "ema": weights(step + 0.5),
        "config": {"a": 1},
    }


def write_steps(run, *steps):
    for step in steps:
        write_checkpoint(step_file(run, step), content(step))


def test_imported_weights_come_back_and_are_not_overwritten(tmp_path):
    path = save_weights(tmp_path, NAME, {"width": 4}, weights(0.25, 4), "model1.caffemodel")
    trained = load_network(tmp_path)
    assert (trained.name, trained.step, trained.settings, trained.run) == (NAME, 0, {}, tmp_path)
    assert torch.equal(trained.network.layer.weight, weights(0.25, 4)["layer.weight"])
    assert not trained.network.training
    assert path.with_name("best.pt.sha256").read_text().split()[0] == trained.sha256
    with pytest.raises(FileExistsError, match="another --output"):
        save_weights(tmp_path, NAME, {}, weights(1.0), "again")


def test_best_or_last_with_averaged_weights(tmp_path):
    write_steps(tmp_path, 10, 20)
    assert load_network(tmp_path).step == 20  # no validation yet
    write_checkpoint(best_file(tmp_path), content(10))
    assert load_network(tmp_path).step == 10
    last = load_network(tmp_path, which="last")
    assert last.step == 20
    assert float(last.network.layer.bias[0]) == 20.5  # the averaged ones
    assert load_network(step_file(tmp_path, 10)).run == tmp_path


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "not a checkpoint"])
@pytest.mark.parametrize("with_digest", [True, False])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, caplog, damage, with_digest):
    write_steps(tmp_path, 10, 20)
    path = step_file(tmp_path, 20)
    data = path.read_bytes()
    middle = data.index(weights(20)["layer.weight"].numpy().tobytes())
    altered = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    path.write_bytes(
        {
            "truncated": data[: len(data) // 2],
            "altered": altered,
            "empty": b"",
            "not a checkpoint": b"x" * 99,
        }[damage]
    )
    if not with_digest:
        path.with_name(f"{path.name}.sha256").unlink()
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["step"] == 10
    assert "step-00000020.pt" in caplog.text


def test_all_damaged_is_an_error_and_none_is_none(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        load_network(tmp_path)
    write_steps(tmp_path, 10, 20)
    for path in step_files(tmp_path):
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=r"step-00000020.*step-00000010"):
        newest_checkpoint(tmp_path)
    assert CheckpointError.exit_code == 5


def test_what_is_kept(tmp_path):
    write_steps(tmp_path, 0, 10, 20, 30, 40, 50)
    remove_old(tmp_path, keep_every=20)
    assert [int(path.stem[5:]) for path in step_files(tmp_path)] == [50, 40, 20]
    assert len(list(tmp_path.rglob("*.sha256"))) == 3


def test_nan_is_never_stored(tmp_path):
    damaged = content(10)
    damaged["ema"]["layer.bias"][1] = float("nan")
    with pytest.raises(NotFinite, match=r"ema layer\.bias"):
        write_checkpoint(step_file(tmp_path, 10), damaged)
    assert step_files(tmp_path) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    write_steps(tmp_path, 10)
    before = step_file(tmp_path, 10).read_bytes()
    Usage = namedtuple("Usage", "total used free")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 4096))
        with pytest.raises(CannotWrite, match=r"\d{7} bytes are needed, 4096 are free"):
            write_steps(tmp_path, 20)

    def full(path, data):
        path.write_bytes(bytes(data)[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files, "_write_and_sync", full)
    with pytest.raises(CannotWrite, match="No space left"):
        write_steps(tmp_path, 10)
    monkeypatch.undo()
    assert [path.name for path in sorted(step_file(tmp_path, 10).parent.iterdir())] == ["step-00000010.pt"]
    assert step_file(tmp_path, 10).read_bytes() == before
    assert read_checkpoint(step_file(tmp_path, 10))[0]["step"] == 10
