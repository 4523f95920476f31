"""The command `evaluate` and its protocol, on a tiny dataset in the exporter's layout."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from builder.dataset.finished import read_pairs
from builder.images import encode_png, read_image
from tests.trainer.tiny_dataset import write_dataset
from trainer.__main__ import main
from trainer.checkpoint import save_weights
from trainer.classical import BASELINES
from trainer.dataset.manifest import open_dataset
from trainer.evaluation.methods import split_names
from trainer.evaluation.scene_views import Protocol, read_views, scenes_of, training_exposures
from trainer.evaluation.scored_scenes import (
    Failure,
    Method,
    SceneWork,
    enhanced,
    prepared_works,
    score_all,
    score_scene,
)
from trainer.evaluation.scores import METRICS
from trainer.exit_codes import STORAGE
from trainer.exposure_kinds import ITSELF
from trainer.networks import make_network

EVERY = ("under", "well", "over")
ON_CPU = ("--device", "cpu", "--tile", 0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("tiny") / "dataset")


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run folder whose network returns its input: the last layer is zero."""
    folder = tmp_path_factory.mktemp("runs") / "returns-input"
    network = make_network("sice_residual", {"width": 4})
    weights = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    save_weights(folder, "sice_residual", {"width": 4}, weights, "made by a test")
    return folder


def command(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture(scope="session")
def evaluated(tiny, run, tmp_path_factory):
    """Output folder of all baselines and the network on val."""
    output = tmp_path_factory.mktemp("evaluated") / "report"
    answer = command(tiny, "all", run, "--output", output, "--jobs", 1, "--against", "gamma_fit", *ON_CPU)
    assert answer.exit_code == 0, answer.output
    return output


def work_of(tiny, scene, *methods, short_side=None):
    pairs = tuple(pair for pair in read_pairs(tiny) if pair.scene == scene)
    return SceneWork(Protocol(tiny, short_side), pairs, tuple(Method(*one, EVERY) for one in methods))


def test_every_method_is_scored_on_what_it_is_meant_for(evaluated):
    images = pd.read_csv(evaluated / "images.csv")
    counts = images.groupby(["method", "kind"]).size().unstack(fill_value=0)
    network = next(name for name in counts.index if name.startswith("sice_residual"))
    assert set(counts.index) == {*BASELINES, network}
    for method, kinds in counts.iterrows():
        expected = [4, 0, 0, 0] if method == "lime" else [4, 2, 4, 3]
        assert kinds[["under", "well", "over", ITSELF]].tolist() == expected, method
    assert images[list(METRICS)].notna().all(axis=None)
    assert not {"mill", "pier", "dune"} & set(images["scene"])


def test_a_network_that_returns_its_input_scores_as_identity(evaluated):
    images = pd.read_csv(evaluated / "images.csv").set_index(["kind", "input"])
    same = images[images["method"] == "identity"][list(METRICS)]
    network = images[images["method"].str.startswith("sice_residual")][list(METRICS)]
    np.testing.assert_allclose(network.loc[same.index].to_numpy(), same.to_numpy())
    assert (same.loc[ITSELF, "psnr"] == 100).all()


def test_the_oracle_bounds_the_fit_which_bounds_identity(evaluated):
    summary = pd.read_csv(evaluated / "summary.csv").set_index(["table", "method", "metric"])
    for kind in ("under", "over"):
        psnr = summary.loc[kind].xs("psnr", level="metric")["mean"]
        assert psnr["gamma_oracle"] >= psnr["gamma_fit"] > psnr["identity"] + 1
        assert summary.loc[(kind, "gamma_fit", "psnr"), "difference"] == 0
        assert summary.loc[(kind, "identity", "psnr"), "difference_high"] < 0


def test_json_and_markdown_say_what_was_compared(evaluated, tiny):
    document = json.loads((evaluated / "evaluation.json").read_text())
    header = document["header"]
    assert header["images"] == {"under": 4, "well": 2, "over": 4}
    assert (header["scenes"], header["split"], header["short_side"]) == (3, "val", 1024)
    network, described = next(iter(header["networks"].items()))
    costs = {one["method"]: one for one in document["costs"]}
    assert costs[network]["parameters"] == sum(
        p.numel() for p in make_network("sice_residual", {"width": 4}).parameters()
    )
    assert costs[network]["kmac_per_pixel"] == pytest.approx((3 * 4 * 2 + 15 * 16) * 9 / 1000, rel=0.2)
    assert all(one["seconds_per_megapixel"] > 0 for one in costs.values())
    gate = {one["method"]: one["harm"] for one in document["do_no_harm"]}
    assert gate["identity"] == gate[network] == ""
    assert "itself_mean" in gate["hist_eq"]
    assert "lime" not in gate
    text = (evaluated / "evaluation.md").read_text()
    assert described["checkpoint_sha256"][:12] in text
    assert "| hist_eq **harms** |" in text
    assert cv2.imread(str(evaluated / "evaluation.png")) is not None


def test_val_leaves_no_trace_and_test_does(tiny, run, tmp_path):
    log = run / "test_log.jsonl"
    assert not log.exists()
    for _ in range(2):
        answer = command(
            tiny, run, "--split", "test", "--output", tmp_path, "--size", 32, "--jobs", 1, *ON_CPU
        )
        assert answer.exit_code == 0, answer.output
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.unlink()
    header = json.loads((tmp_path / "evaluation.json").read_text())["header"]
    assert [line["checkpoint_sha256"] for line in lines] == [
        next(iter(header["networks"].values()))["checkpoint_sha256"]
    ] * 2
    assert lines[0]["short_side"] == 32
    assert lines[0]["date"] <= lines[1]["date"]


def test_a_method_that_fails_on_one_picture_loses_nothing_else(tiny, tmp_path, monkeypatch):
    def fails_in_the_dark(exposure):
        if exposure.relative_ev == -3:
            raise RuntimeError("too dark")
        return exposure.picture

    broken = replace(BASELINES["clahe"], enhance=fails_in_the_dark)
    monkeypatch.setattr("trainer.evaluation.methods.BASELINES", dict(BASELINES) | {"clahe": broken})
    answer = command(tiny, "clahe", "--output", tmp_path, "--jobs", 1)
    assert answer.exit_code == 1
    assert "3 outputs could not be made" in answer.output
    document = json.loads((tmp_path / "evaluation.json").read_text())
    assert {one["reason"] for one in document["failures"]} == {"RuntimeError: too dark"}
    counts = {(one["table"], one["method"]): one["images"] for one in document["summary"]}
    assert counts["under", "clahe"] == 1
    assert counts["under", "identity"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sharpen"], "'sharpen' is neither a baseline"),
        (["identity", "--against", "lime"], "--against 'lime' is not compared here"),
        (["identity", "--size", "0"], "or native"),
        (["identity", "--split", "train"], "'train' is not one of"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_written(tiny, tmp_path, arguments, words):
    answer = command(tiny, *arguments, "--output", tmp_path / "report")
    assert answer.exit_code == 2
    assert words in answer.output
    assert not (tmp_path / "report").exists()


def test_nothing_is_written_into_the_dataset(tiny):
    answer = command(tiny, "identity", "--output", tiny / "evaluation")
    assert answer.exit_code == 2
    assert "never written to" in answer.output


def test_a_dataset_that_is_not_there_says_how_to_make_it(tmp_path):
    answer = command(tmp_path / "nowhere", "identity", "--output", tmp_path / "report")
    assert answer.exit_code == 2
    assert "run export first" in answer.output


def test_a_folder_without_a_checkpoint_is_refused(tiny, tmp_path):
    answer = command(tiny, tmp_path, "--output", tmp_path / "report")
    assert answer.exit_code == STORAGE
    assert "no checkpoint" in answer.output


def test_all_stands_for_every_baseline_once_and_identity_is_first(tmp_path):
    assert split_names(["clahe", "all", tmp_path.as_posix(), "clahe"]) == (
        ["identity", "clahe", *(name for name in BASELINES if name not in ("identity", "clahe"))],
        [tmp_path],
    )


def test_pairs_are_resized_before_methods_see_them(tiny):
    sizes = []

    def note(exposure):
        sizes.append((exposure.picture.shape, exposure.reference.shape))
        return exposure.picture

    score_scene(work_of(tiny, "arch", ("note", note), short_side=32))
    score_scene(work_of(tiny, "arch", ("note", note), short_side=500))
    assert sizes == [((32, 48, 3),) * 2] * 5 + [((48, 72, 3),) * 2] * 5


def test_outputs_are_clamped_and_rounded_before_scoring(tiny):
    view = read_views(Protocol(tiny, None), [next(read_pairs(tiny))])[0]
    wild = np.full((*view.exposure.picture.shape,), 0.5, np.float32)
    wild[0], wild[1], wild[2] = -3, 7, 100.4 / 255
    found = enhanced(Method("wild", lambda _: wild, EVERY), view)
    assert [found[n].max() for n in range(4)] == [0, 255, 100, 128]
    wild[3] = math.nan
    failure = enhanced(Method("wild", lambda _: wild, EVERY), view)
    assert isinstance(failure, Failure)
    assert "no finite numbers" in failure.reason


def test_an_output_of_another_size_is_a_failure_not_a_score(tiny):
    found = score_scene(work_of(tiny, "barn", ("crop", lambda exposure: exposure.picture[1:])))
    assert not found.rows
    assert len(found.failures) == 3
    assert "shape" in found.failures[0].reason


def test_an_unreadable_scene_is_one_failure(tiny, tmp_path):
    elsewhere = Protocol(tmp_path, None)
    pairs = next(iter(scenes_of(read_pairs(tiny))))
    network = Method("network", lambda exposure: exposure.picture, EVERY)
    (found,) = score_all(prepared_works(elsewhere, [pairs], [], [network]), jobs=1)
    assert not found.rows
    assert [one.method for one in found.failures] == [""]
    assert "there is no such file" in found.failures[0].reason


def test_worker_processes_give_the_same_scores(tiny):
    scenes = scenes_of(pair for pair in read_pairs(tiny) if pair.scene in ("barn", "dune"))
    methods = [Method(name, BASELINES[name].enhance, EVERY) for name in ("identity", "hist_eq")]

    def table(jobs):
        works = prepared_works(Protocol(tiny, None), scenes, methods, [])
        rows = [row for each in score_all(works, jobs=jobs) for row in each.rows]
        return pd.DataFrame(rows).sort_values(["method", "input"], ignore_index=True)

    # not bit by bit: OpenCV's Fourier transform may round differently with another number of threads
    pd.testing.assert_frame_equal(table(2), table(1), rtol=1e-6)


def test_sixteen_bits_become_eight(tiny, tmp_path):
    pair = next(read_pairs(tiny))
    for path in (pair.input, pair.reference):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(encode_png(read_image(tiny / path).astype(np.uint16) * 257))
    wide = read_views(Protocol(tmp_path, None), [pair])[0].exposure
    narrow = read_views(Protocol(tiny, None), [pair])[0].exposure
    np.testing.assert_array_equal(wide.picture, narrow.picture)


def test_training_exposures_are_those_of_the_split_in_order(tiny):
    pairs = [pair for pair in read_pairs(tiny) if pair.split == "train"]
    found = list(training_exposures(Protocol(tiny, 32), pairs, jobs=2))
    assert [one.relative_ev for one in found] == [-3, 0, 2, -2, 2]
    assert found[0].picture.shape == (32, 48, 3)


def test_a_scene_that_is_lost_on_the_way_loses_nothing_else(tmp_path, monkeypatch):
    """The first scene's reference vanishes after the dataset was checked."""
    dataset = write_dataset(tmp_path / "dataset")

    def opened_then_damaged(*arguments, **options):
        opened = open_dataset(*arguments, **options)
        (dataset / "val/references/arch.png").unlink()
        return opened

    monkeypatch.setattr("trainer.commands.evaluate.open_dataset", opened_then_damaged)
    answer = command(dataset, "identity", "--output", tmp_path / "report", "--jobs", 1)
    assert answer.exit_code == 1
    document = json.loads((tmp_path / "report/evaluation.json").read_text())
    assert [one["input"] for one in document["failures"]] == ["arch"]
    assert {one["table"]: one["scenes"] for one in document["summary"]}["under"] == 2
