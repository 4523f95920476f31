"""The proof of two hosts itself: it can fail, it names what is broken, and it says when it cannot run."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cluster import data_folder, network
from tests.cluster.__main__ import SKIPPED, main
from tests.cluster.outcome import Aftermath, Cut, Difference, Outcome

WHOLE = Outcome(
    scenes=12,
    candidates=156,
    by_host={"host-a": 140, "host-b": 16},
    seconds=60.0,
    exits={"build": 0, "second build": 0, "status --verify": 0},
    second_build="0 candidates made, 12 of 12 scenes were up to date",
    cut=Cut("host-b", 20.0, "interior", "li2013", 31),
    aftermath=Aftermath(28.0, {"interior": 10}, ("interior",), 3, 0, 1, (), 50.0),
    difference=Difference(4239, (), (), (), 300, (), (), ()),
)


def test_an_outcome_that_keeps_the_promise_has_no_problems() -> None:
    assert WHOLE.problems() == []
    assert WHOLE.figures()["files as in the local build"] == "4239 of 4239"
    assert WHOLE.figures()["scenes handed on"] == "interior (10 to make)"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"missing": ("fused/a.png",)}, "missing files: fused/a.png"),
        ({"unexpected": ("fused/b.png",)}, "unexpected files: fused/b.png"),
        ({"different": ("fused/c.png",)}, "other bytes than locally: fused/c.png"),
        ({"rows_of_one": ("Scene interior failed",)}, "rows of one catalog only: Scene interior failed"),
        ({"failures": ("interior: li2013: killed",)}, "failures on record: interior: li2013: killed"),
    ],
)
def test_each_difference_is_a_problem(broken: dict[str, tuple[str, ...]], sentence: str) -> None:
    assert replace(WHOLE, difference=replace(WHOLE.difference, **broken)).problems() == [sentence]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (replace(WHOLE, exits={"build": 1}), "build: exit 1"),
        (
            replace(WHOLE, second_build="13 candidates made, 11 of 12 scenes were up to date"),
            "found something",
        ),
        (replace(WHOLE, aftermath=replace(WHOLE.aftermath, handed_on={})), "nothing is shown"),
        (
            replace(WHOLE, aftermath=replace(WHOLE.aftermath, changed_late=("a.json",))),
            "late results: a.json",
        ),
    ],
)
def test_each_broken_promise_is_a_problem(outcome: Outcome, sentence: str) -> None:
    (problem,) = outcome.problems()
    assert sentence in problem


def test_files_are_compared_but_for_who_made_them_and_when(tmp_path: Path) -> None:
    for host, score in (("host-a", 1), ("host-b", 1), ("host-b", 2)):
        fused = tmp_path / f"{host}{score}" / "fused" / "church"
        fused.mkdir(parents=True)
        (fused / "li2013-0a.png").write_bytes(b"pixels")
        (fused / "li2013-0a.json").write_text(json.dumps({"result": score, "run": {"host": host}}))
        (fused / f"unfinished-{host}").touch()
    one, same, other = (
        data_folder.comparable_files(tmp_path / name) for name in ("host-a1", "host-b1", "host-b2")
    )
    assert sorted(one) == ["fused/church/li2013-0a.json", "fused/church/li2013-0a.png"]
    assert one == same
    assert {path for path in one if one[path] != other[path]} == {"fused/church/li2013-0a.json"}
    assert data_folder.unfinished(tmp_path / "host-a1") == ("fused/church/unfinished-host-a",)


def test_without_root_the_command_says_so_and_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(network.sys, "platform", "linux")
    answer = CliRunner().invoke(main, ["two-hosts"])
    assert answer.exit_code == SKIPPED
    assert answer.output.startswith("skipped: making network namespaces takes root")
