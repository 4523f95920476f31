"""The loop: resumed exactly, spoilt by nothing, ended by signals after a save."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import namedtuple
from pathlib import Path

import cv2
import pytest
import torch

from builder.atomic_files import CannotWrite
from tests.trainer.faked_training import NAME, FakeData, tiny_settings
from trainer.checkpoint import (
    CheckpointError,
    best_file,
    load_network,
    newest_checkpoint,
    read_checkpoint,
    step_file,
    step_files,
)
from trainer.settings import SettingsError
from trainer.training.loop import Diverged, Outcome, train
from trainer.training.processes import Processes
from trainer.training.run_folder import RunFolderBusy, opened
from trainer.training.state import ResumeRefused

TIMED = ("mpx_s", "data_wait", "memory_mib", "mfu")
HERE = Processes(torch.device("cpu"))


class Killed(BaseException):
    """As sudden as SIGKILL, but for this test's process."""


def run(folder: Path, data: FakeData, *, kill_after: int | None = None, **options) -> Outcome:
    def on_progress(step: int, text: str) -> None:
        if step == kill_after:
            raise Killed

    with opened(folder) as held:
        return train(data.settings, data, held, HERE, on_progress=on_progress, **options)


def last(folder: Path) -> dict:
    found = newest_checkpoint(folder)
    assert found is not None
    return found[1]


def assert_same(one, other, where="checkpoint"):
    """Bitwise equality of nested documents."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where} {key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for position, values in enumerate(zip(one, other, strict=True)):
            assert_same(*values, f"{where}[{position}]")
    else:
        assert one == other, where


def metrics(folder: Path) -> list[dict]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in one.items() if key not in TIMED} for one in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Twenty steps without a break."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    outcome = run(folder, FakeData(tiny_settings()))
    assert (outcome.step, outcome.exit_code) == (20, 0)
    assert outcome.throughput.megapixels == pytest.approx(20 * 4 * 12 * 12 / 1e6)
    return folder


def test_a_run_leaves_what_it_promises(whole):
    assert [path.name for path in step_files(whole)] == ["step-00000020.pt", "step-00000015.pt"]
    records = metrics(whole)
    logged = [one for one in records if "loss" in one]
    assert [one["step"] for one in logged] == [3, 6, 9, 12, 15, 18, 20]
    assert logged[-1]["loss"] < logged[0]["loss"]
    assert logged[0]["losses"].keys() == {"mse"}
    scores = [one for one in records if "score" in one]
    assert [one["step"] for one in scores] == [10, 20]
    kinds = scores[-1]["validation"]
    assert kinds.keys() == {"under", "well", "over"}
    assert (kinds["under"]["exponent"], kinds["over"]["exponent"], kinds["well"]["exponent"]) == (
        0.5,
        2.0,
        1.0,
    )
    assert kinds["under"]["gamma"] > 60 > kinds["under"]["identity"]
    assert scores[-1]["score"] == pytest.approx((kinds["under"]["psnr"] + kinds["over"]["psnr"]) / 2)
    best = max(scores, key=lambda one: one["score"])
    trained = load_network(whole)
    assert (trained.name, trained.step) == (NAME, best["step"])
    assert trained.settings["optimization"]["steps"] == 20
    averaged, own = last(whole)["ema"], last(whole)["model"]
    assert not torch.equal(averaged["layers.1.running_var"], own["layers.1.running_var"])
    assert not torch.equal(averaged["layers.1.running_var"], torch.ones(4))
    assert not (whole / "lock.json").exists()
    strips = sorted((whole / "strips" / "step-00000020").iterdir())
    assert [path.name for path in strips] == ["scene0-1.png", "scene0-2.png", "scene0-3.png"]
    assert cv2.imread(str(strips[0])).shape == (12 + 22, 4 * (12 + 4), 3)


def test_resumed_runs_are_the_same_bit_for_bit(whole, tmp_path):
    settings = tiny_settings()
    with pytest.raises(Killed):
        run(tmp_path, FakeData(settings), kill_after=13)
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 13, "loss')  # as a kill may leave it
    newest = step_file(tmp_path, 10)
    with pytest.raises(Killed):
        run(tmp_path, FakeData(settings), kill_after=17)
    step_file(tmp_path, 15).write_bytes(newest.read_bytes()[:1000])  # damaged: goes on from step 10
    assert run(tmp_path, FakeData(settings)).step == 20
    assert_same(last(tmp_path), last(whole))
    assert_same(read_checkpoint(best_file(tmp_path))[0], read_checkpoint(best_file(whole))[0])
    assert metrics(tmp_path) == metrics(whole)
    before = step_file(tmp_path, 20).read_bytes()
    assert run(tmp_path, FakeData(settings)).throughput.megapixels == 0  # finished: nothing to do
    assert step_file(tmp_path, 20).read_bytes() == before


def test_no_silent_new_start(whole, tmp_path):
    folder = Path(shutil.copytree(whole, tmp_path / "run"))
    for path in step_files(folder):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint can be used"):
        run(folder, FakeData(tiny_settings()))
    assert best_file(folder).exists()


def test_another_run_is_not_continued_by_mistake(whole, tmp_path):
    folder = Path(shutil.copytree(whole, tmp_path / "run"))
    longer = tiny_settings("optimization.steps=22", "run.log_every=1")
    with pytest.raises(ResumeRefused, match=r"optimization.steps: 20 -> 22.*--allow-change"):
        run(folder, FakeData(longer))
    with pytest.raises(ResumeRefused, match="dataset: cccccccccccc -> dddddddddddd"):
        run(folder, FakeData(tiny_settings(), sha256="d" * 64))
    assert run(folder, FakeData(longer, sha256="d" * 64), allow_change=True).step == 22
    assert last(folder)["manifest_sha256"] == "d" * 64
    wider = tiny_settings("network_parameters.width=5")
    with pytest.raises(CheckpointError, match="does not fit"):
        run(folder, FakeData(wider), allow_change=True)


def test_a_spoilt_batch_is_left_out_and_written_down(tmp_path, caplog):
    outcome = run(tmp_path, FakeData(tiny_settings(), spoilt={7: 1}))
    assert outcome.step == 20
    report = json.loads((tmp_path / "bad_steps" / "step-00000007-rank0.json").read_text())
    assert (report["step"], report["seed"], report["rows"]) == (7, 2018, [0, 1, 2, 3])
    assert report["inputs"][1] == "train/inputs/scene0/2.png"
    assert report["numbers"]["loss"] == "nan"
    assert "step 7: NaN or infinity" in caplog.text
    assert last(tmp_path)["rate_factor"] == 1.0
    assert all(torch.isfinite(one).all() for one in last(tmp_path)["model"].values())
    assert {int(one["step"]) for one in last(tmp_path)["optim"]["state"].values()} == {19}


def test_three_in_a_row_go_back_once_at_half_the_rate(tmp_path):
    data = FakeData(tiny_settings(), spoilt={11: 1, 12: 1, 13: 1})
    assert run(tmp_path, data).step == 20
    assert last(tmp_path)["rate_factor"] == 0.5
    assert {int(one["step"]) for one in last(tmp_path)["optim"]["state"].values()} == {20}
    assert [one["step"] for one in metrics(tmp_path) if "loss" in one] == [3, 6, 9, 12, 15, 18, 20]
    rates = {one["step"]: one["rate"] for one in metrics(tmp_path) if "loss" in one}
    assert rates[12] < 0.55 * rates[9]


def test_always_spoilt_ends_with_the_last_good_checkpoint(tmp_path):
    data = FakeData(tiny_settings(), spoilt=dict.fromkeys((8, 9, 10), 9))
    with pytest.raises(Diverged, match=r"up to step 10 gave NaN.*bad_steps.*optimization\.rate") as caught:
        run(tmp_path, data)
    assert caught.value.exit_code == 4
    assert last(tmp_path)["step"] == 5
    assert all(torch.isfinite(one).all() for one in last(tmp_path)["model"].values())


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGINT, 130)]
)
def test_signals_end_it_after_a_save(whole, tmp_path, number, exit_code):
    settings = tiny_settings()
    before = signal.getsignal(number)

    def on_progress(step: int, text: str) -> None:
        if step == 12:
            os.kill(os.getpid(), number)

    with opened(tmp_path) as held:
        outcome = train(settings, FakeData(settings), held, HERE, on_progress=on_progress)
    assert (outcome.exit_code, outcome.step) == (exit_code, 13)
    assert last(tmp_path)["step"] == 13
    assert signal.getsignal(number) == before
    assert run(tmp_path, FakeData(settings)).step == 20
    assert_same(last(tmp_path)["model"], last(whole)["model"])


def test_a_full_disk_is_a_warning_until_the_end(tmp_path, monkeypatch, caplog):
    Usage = namedtuple("Usage", "total used free")
    real, full_from, full_to = shutil.disk_usage, 4, 12
    now = 0

    def usage(path):
        return Usage(1, 1, 5000) if full_from <= now <= full_to else real(path)

    def on_progress(step: int, text: str) -> None:
        nonlocal now
        now = step

    monkeypatch.setattr(shutil, "disk_usage", usage)
    settings = tiny_settings()
    with opened(tmp_path) as held:
        assert train(settings, FakeData(settings), held, HERE, on_progress=on_progress).step == 20
    assert "bytes are needed, 5000 are free" in caplog.text
    assert "tries again" in caplog.text
    assert [path.name[5:13] for path in step_files(tmp_path)] == ["00000020", "00000015"]
    now, full_from, full_to = 0, 19, 20
    with opened(tmp_path / "second") as held, pytest.raises(CannotWrite, match="are needed"):
        train(settings, FakeData(settings), held, HERE, on_progress=on_progress)
    assert last(tmp_path / "second")["step"] == 15


def test_one_process_to_a_folder(tmp_path):
    folder = tmp_path / "run"
    with (
        opened(folder),
        pytest.raises(RunFolderBusy, match=f"process {os.getpid()} trains here"),
        opened(folder),
    ):
        pass
    assert not folder.exists()  # nothing was written into it
    folder.mkdir()
    stale = {"pid": os.getpid(), "started": 1.0, "host": os.uname().nodename}  # the number was used again
    for content in (json.dumps(stale), json.dumps({**stale, "pid": 2**22 - 1}), '{"pid": 12', ""):
        (folder / "lock.json").write_text(content)
        with opened(folder) as held:
            assert json.loads((held.path / "lock.json").read_text())["pid"] == os.getpid()
        folder.mkdir()
    (folder / "lock.json").write_text(json.dumps({**stale, "host": "elsewhere"}))
    with (
        pytest.raises(RunFolderBusy, match="on elsewhere trains here; if it is gone, delete"),
        opened(folder),
    ):
        pass
    (folder / "lock.json").unlink()
    (folder / "holiday.txt").write_text("not a run")
    with pytest.raises(ValueError, match="no checkpoint"), opened(folder):
        pass
    with pytest.raises(ValueError, match="--fresh wants a new or empty folder"), opened(folder, fresh=True):
        pass
    assert [path.name for path in folder.iterdir()] == ["holiday.txt"]


def test_bfloat16_and_averages_off(tmp_path):
    settings = tiny_settings(
        "run.precision=bfloat16", "optimization.ema=0", "optimization.steps=4", "run.strips=0"
    )
    outcome = run(tmp_path, FakeData(settings))
    assert last(tmp_path)["ema"] is None
    assert {one.dtype for one in last(tmp_path)["model"].values()} == {torch.float32, torch.int64}
    assert outcome.best is not None
    assert not (tmp_path / "strips").exists()


def test_batches_that_processes_cannot_share(tmp_path):
    settings = tiny_settings("optimization.batch=5")
    with (
        opened(tmp_path / "run") as held,
        pytest.raises(SettingsError, match="5 samples cannot be shared by 2"),
    ):
        train(settings, FakeData(settings), held, Processes(torch.device("cpu"), 0, 2))
