"""The README promises only what is there: its commands, targets, files and algorithms exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.__main__ import main as builder
from fusion_algos import ALGORITHMS
from study_app.__main__ import main as study_app
from trainer.__main__ import main as trainer
from trainer.settings import preset_names

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_algorithm_stands_in_the_table_with_its_paper_and_family():
    rows = {line.split("|")[1].strip(" `"): line for line in README.splitlines() if line.startswith("| `")}
    for name, algorithm in ALGORITHMS.items():
        assert algorithm.family in rows[name]
        assert algorithm.cite in rows[name]
    named = {name for name in rows if re.fullmatch(r"[a-z]+\d{4}", name)}
    assert named == set(ALGORITHMS)


def test_every_make_target_named_exists():
    listed = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert f"make {target} " in listed, target


PROGRAMS = {"builder": builder, "study_app": study_app, "trainer": trainer}
OTHERS_OPTIONS = {"--threads", "--nproc-per-node"}  # gunicorn's and torchrun's


@pytest.mark.parametrize(
    ("program", "command"),
    sorted(set(re.findall(r"python -m (builder|study_app|trainer) ([a-z-]+)", README))),
)
def test_every_command_named_exists(program, command):
    assert CliRunner().invoke(PROGRAMS[program], [command, "--help"]).exit_code == 0


def test_every_option_named_exists():
    texts = "".join(
        CliRunner().invoke(program, [command, "--help"]).output
        for program in PROGRAMS.values()
        for command in program.list_commands(None)  # type: ignore[arg-type]
    )
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - OTHERS_OPTIONS:
        assert option in texts, option


def test_every_file_named_exists():
    for path in set(re.findall(r"`((?:builder|fusion_algos|study_app|trainer)/[\w./]*)`", README)):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_no_line_is_left_to_fill_in():
    assert not re.search(r"ALGORITHM_TABLE|BENCHMARK_FIGURES|TODO", README)


def test_every_preset_is_named():
    assert [name for name in preset_names() if f"`{name}`" not in README] == []
