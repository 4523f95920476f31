"""HDR estimates against merged light: scores by hand, and the table that `evaluate` makes of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from builder.images import decode_exr
from tests.trainer.tiny_dataset import write_dataset
from trainer.__main__ import main
from trainer.checkpoint import save_weights
from trainer.classical.exposure import Exposure
from trainer.dataset.manifest import open_dataset
from trainer.dataset.merged_light import lights_of
from trainer.evaluation.hdr_estimates import (
    EV_GIVEN,
    EV_NOT_GIVEN,
    HDR_METRICS,
    hdr_estimates,
    hdr_scores,
    inverse_curve,
)
from trainer.evaluation.methods import network_method
from trainer.evaluation.scene_views import Protocol
from trainer.metrics.pu21 import scaled_to

SAMPLES = "tests.trainer.sample_networks"


def plain(value: float) -> np.ndarray:
    return np.full((16, 16, 3), value, np.float32)


def photo(level: int) -> np.ndarray:
    return np.full((4, 4, 3), level, np.uint8)


def run_of(folder, network):
    return save_weights(folder, f"{SAMPLES}:{network}", {}, {}, "made by a test").parent.parent


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("lit") / "dataset", hdr=("arch", "barn", "mill"))


@pytest.fixture(scope="module")
def decoding(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("runs") / "decoding", "Decoding")


def evaluated(dataset, output, *names: object):
    arguments = [dataset, *names, "--output", output, "--jobs", 1, "--device", "cpu"]
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_the_truth_itself_gets_the_cap():
    light = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32) * 8
    assert hdr_scores(light, light) == {
        "pu21_psnr": 100,
        "pu21_ssim": 1,
        "scaled_pu21_psnr": 100,
        "scaled_pu21_ssim": 1,
    }


def test_half_the_light_by_hand():
    """50 cd/m2 for 100: PU21 says 217.12 and 256.08 (from the formula), so 20 log10(256 / 38.96) = 16.35 dB."""

    def value(y):
        power = y**0.9062562627
        ratio = (0.353487901 + 0.3734658629 * power) / (1 + 8.277049286e-5 * power)
        return 596.3148142 * (ratio**0.09150303166 - 0.9099517204)

    expected = 20 * math.log10(256 / (value(100) - value(50)))
    found = hdr_scores(plain(0.25), plain(0.5))
    assert found["pu21_psnr"] == pytest.approx(expected, abs=1e-3)
    assert found["pu21_ssim"] < 1
    assert found["scaled_pu21_psnr"] == 100


def test_scaling_matches_medians_where_both_have_light():
    truth = plain(0.0)
    truth[:12] = np.linspace(0.1, 3, 12, dtype=np.float32)[:, None, None]
    light = truth / 8
    light[0] = 0  # black there, and the last rows of the truth too
    light[13] = 5
    scaled = scaled_to(light, truth)
    np.testing.assert_allclose(scaled[1:12], truth[1:12], rtol=1e-5)
    np.testing.assert_allclose(scaled_to(100 * light, truth), scaled, rtol=1e-5)
    np.testing.assert_array_equal(scaled_to(plain(0.0), truth), plain(0.0))


def test_the_inverse_curve_is_in_units_of_the_well_exposed_white():
    """Level 128 is .21586 of white in sRGB; two stops too dark, the scene had four times that."""
    exposure = Exposure(photo(128), photo(128), -2.0)
    assert inverse_curve(exposure, -2.0) == pytest.approx(0.86344, abs=1e-4)
    assert inverse_curve(exposure, 0.0) == pytest.approx(0.21586, abs=1e-4)
    assert inverse_curve(Exposure(photo(255), photo(128), 3.0), 3.0) == pytest.approx(1 / 8)


def test_evaluate_reports_hdr_estimates(dataset, decoding, tmp_path):
    answer = evaluated(dataset, tmp_path, decoding)
    assert answer.exit_code == 0, answer.output
    assert "under PU21 dB" in answer.output
    images = pd.read_csv(tmp_path / "hdr_images.csv")
    assert set(images["scene"]) == {"arch", "barn"}  # cove has no merged picture, mill is in train
    (network,) = set(images["method"]) - {EV_GIVEN, EV_NOT_GIVEN}
    by_method = images.pivot(index="input", columns="method", values=list(HDR_METRICS))
    # the sample network decodes as one does who is not told the EV
    for metric in HDR_METRICS:
        np.testing.assert_allclose(by_method[metric][network], by_method[metric][EV_NOT_GIVEN], rtol=1e-3)
    for metric in ("scaled_pu21_psnr", "scaled_pu21_ssim"):
        np.testing.assert_allclose(by_method[metric][EV_GIVEN], by_method[metric][EV_NOT_GIVEN], rtol=1e-3)
    under = images[(images["kind"] == "under") & (images["method"] == EV_GIVEN)]
    assert (under["pu21_psnr"] > 35).all()  # eight bits lose little
    summary = pd.read_csv(tmp_path / "hdr_summary.csv").set_index(["against", "table", "method", "metric"])
    cell = summary.loc[(EV_GIVEN, "under", network, "pu21_psnr")]
    assert (cell["images"], cell["scenes"]) == (3, 2)
    assert cell["difference_high"] < 0
    assert summary.loc[(EV_NOT_GIVEN, "under", network, "pu21_psnr"), "difference"] == pytest.approx(
        0, abs=0.01
    )


def test_the_report_says_what_it_shows(dataset, decoding, tmp_path):
    assert evaluated(dataset, tmp_path, decoding).exit_code == 0
    text = (tmp_path / "evaluation.md").read_text()
    assert "## HDR estimate" in text
    assert "merged linear picture of 2 scenes" in text
    assert "HDR-VDP-2 is not used" in text
    assert f'Paired differences with "{EV_GIVEN}"' in text
    section = text[text.index("### HDR estimate of over-exposed input") :]
    assert f"| {EV_NOT_GIVEN} | 2 | 2 |" in section
    document = json.loads((tmp_path / "evaluation.json").read_text())["hdr"]
    assert document["scenes"] == 2
    assert {one["metric"] for one in document["summary"]} == set(HDR_METRICS)


def test_estimates_and_truths_are_dumped_for_other_programs(dataset, decoding, tmp_path):
    answer = evaluated(dataset, tmp_path, decoding, "--dump-hdr", tmp_path / "light")
    assert answer.exit_code == 0, answer.output
    truths = sorted(path.name for path in (tmp_path / "light/truth").iterdir())
    assert truths == ["arch.exr", "barn.exr"]
    images = pd.read_csv(tmp_path / "hdr_images.csv")
    for row in images.itertuples():
        place = (tmp_path / "light" / row.method / row.input).with_suffix(".exr")
        truth = read_light_of(tmp_path / f"light/truth/{row.scene}.exr")
        # half floats: what another program will compute is what the table says
        assert hdr_scores(read_light_of(place), truth)["pu21_psnr"] == pytest.approx(row.pu21_psnr, abs=0.1)


def test_nothing_is_dumped_into_the_dataset(dataset, decoding, tmp_path):
    answer = evaluated(dataset, tmp_path, decoding, "--dump-hdr", dataset / "light")
    assert answer.exit_code == 2
    assert "--dump-hdr" in answer.output
    assert not (dataset / "light").exists()


def read_light_of(path):
    return decode_exr(path.read_bytes(), name=path.name).pixels


def test_without_merged_pictures_the_rest_is_reported(decoding, tmp_path):
    dataset = write_dataset(tmp_path / "dataset", hdr=("mill",))
    answer = evaluated(dataset, tmp_path / "report", decoding)
    assert answer.exit_code == 0, answer.output
    assert "No table of HDR estimates" in answer.output
    assert "--hdr" in answer.output
    assert not (tmp_path / "report/hdr_images.csv").exists()
    assert json.loads((tmp_path / "report/evaluation.json").read_text())["hdr"] is None


def test_networks_without_light_have_no_such_table(dataset, tmp_path):
    run = run_of(tmp_path / "same", "Same")
    assert network_method(run, device="cpu", tile=None).light is None
    answer = evaluated(dataset, tmp_path / "report", run)
    assert answer.exit_code == 0, answer.output
    assert "HDR" not in answer.output
    assert not (tmp_path / "report/hdr_images.csv").exists()


def test_a_damaged_merged_picture_is_a_failure_of_its_scene(decoding, tmp_path):
    folder = write_dataset(tmp_path / "dataset", hdr=("arch", "barn"))
    (folder / "val/hdr/arch.exr").write_bytes(b"other bytes")
    dataset = open_dataset(folder, splits=("val",))
    pairs = dataset.split("val")
    networks = [network_method(decoding, device="cpu", tile=None)]
    found = hdr_estimates(pairs, lights_of(dataset, pairs), Protocol(folder, 32), networks)
    assert [(one.method, one.input) for one in found.failures] == [("", "val/hdr/arch.exr")]
    assert "SHA-256" in found.failures[0].reason
    assert set(found.images["scene"]) == {"barn"}


def test_a_network_that_fails_loses_only_its_own_rows(dataset, decoding):
    opened = open_dataset(dataset, splits=("val",))
    pairs = opened.split("val")
    network = network_method(decoding, device="cpu", tile=None)

    def fails(picture):
        raise RuntimeError("no light today")

    broken = replace(network, light=fails)
    found = hdr_estimates(pairs, lights_of(opened, pairs), Protocol(dataset, None), [broken])
    assert set(found.images["method"]) == {EV_GIVEN, EV_NOT_GIVEN}
    assert len(found.failures) == 6
    assert "no light today" in found.failures[0].reason
