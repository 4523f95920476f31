"""`python -m trainer train` on a small dataset: killed, resumed, shared by two processes, and told what is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.trainer.exported_dataset import TinyScene, write_dataset
from tests.trainer.test_train import assert_same, last, metrics
from trainer.__main__ import main
from trainer.checkpoint import load_network

ROOT = Path(__file__).resolve().parents[2]
STEPS = 100
COMMON = (
    "optimization.steps=100", "optimization.warmup=5", "optimization.batch=4", "run.device=cpu", "run.threads=1",
    "run.log_every=10", "run.validate_every=50", "run.checkpoint_every=10", "run.strips=1", "data.crop=16",
)  # fmt: skip
TINY = ("--network", "tests.trainer.faked_training:TinyNetwork")
NARROW = ("--network", "sice_residual", "--set", "network_parameters.width=4")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    scenes = (TinyScene("alley"), TinyScene("bridge"), TinyScene("dune", "val"), TinyScene("elm", "test"))
    return write_dataset(tmp_path_factory.mktemp("command") / "dataset", scenes)


def arguments(dataset: Path, output: Path, *more: str) -> list[str]:
    sets = [text for setting in COMMON for text in ("--set", setting)]
    return ["train", str(dataset), "--output", str(output), *sets, *more]


def train(dataset: Path, output: Path, *more: str, expected: int = 0) -> str:
    answer = CliRunner().invoke(main, arguments(dataset, output, *more))
    assert answer.exit_code == expected, answer.output
    return answer.output


def process(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory) -> Path:
    """A run of 100 steps that nothing disturbed, without workers."""
    output = tmp_path_factory.mktemp("undisturbed") / "whole"
    said = train(dataset, output, *TINY, "--set", "run.workers=0")
    assert "done: 100 steps" in said
    assert "Mpx/s" in said
    assert "waiting for data" in said
    return output


@pytest.mark.parametrize(("workers", "seen"), [(0, 45), (2, 60)])
def test_killed_and_resumed_is_the_same_bit_for_bit(dataset, whole, tmp_path, workers, seen):
    """100 steps = about 50, kill -9, and the rest, with any number of workers. The kill falls where it falls."""
    set_workers = ("--set", f"run.workers={workers}")
    killed = process("-m", "trainer", *arguments(dataset, tmp_path / "killed", *TINY, *set_workers))
    assert killed.stderr is not None
    for line in killed.stderr:  # a line every five steps
        if f"step {seen}/{STEPS}" in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.stderr.close()
    assert killed.wait() == -signal.SIGKILL
    assert 20 <= last(tmp_path / "killed")["step"] < STEPS
    assert "going on from step" in train(dataset, tmp_path / "killed", *TINY, *set_workers)
    undisturbed, resumed = last(whole), last(tmp_path / "killed")
    assert undisturbed["config"]["run"].pop("workers") == 0
    assert resumed["config"]["run"].pop("workers") == workers
    assert_same(undisturbed, resumed)
    assert metrics(whole) == metrics(tmp_path / "killed")


def test_two_processes_learn_what_one_does(dataset, tmp_path):
    more = (*NARROW, "--set", "optimization.steps=8", "--set", "run.workers=0")
    train(dataset, tmp_path / "one", *more)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "trainer")
    two = process(*torchrun, *arguments(dataset, tmp_path / "two", *more))
    assert two.wait() == 0, two.stderr.read()
    two.stderr.close()
    alone, shared = last(tmp_path / "one"), last(tmp_path / "two")
    for part in ("model", "ema"):
        for name, tensor in alone[part].items():
            torch.testing.assert_close(shared[part][name], tensor, atol=1e-5, rtol=0)
    for one, other in zip(metrics(tmp_path / "one"), metrics(tmp_path / "two"), strict=True):
        assert one.get("loss") == pytest.approx(other.get("loss"), abs=1e-5)
        assert one.get("score") == pytest.approx(other.get("score"), abs=1e-3)
    assert load_network(tmp_path / "two").name == "sice_residual"


def test_what_is_wrong_is_said_before_anything_is_written(dataset, tmp_path):
    output = tmp_path / "run"
    assert "did you mean 'crop'" in train(dataset, output, *TINY, "--set", "data.crob=3", expected=2)
    assert "no network 'sice_three'" in train(dataset, output, "--network", "sice_three", expected=2)
    assert "no parameter 'depth'" in train(
        dataset, output, *NARROW, "--set", "network_parameters.depth=3", expected=2
    )
    assert "is no finished dataset" in train(tmp_path / "nowhere", output, *TINY, expected=2)
    assert "smaller than the crop" in train(dataset, output, *TINY, "--set", "data.crop=64", expected=2)
    assert "data.crop: 18 px; sice_per_pixel wants a multiple of 4" in train(
        dataset, output, "--network", "sice_per_pixel", "--set", "data.crop=18", expected=2
    )
    assert not output.exists()
