"""README.md and docs/ promise only what is there: commands, targets, options, files, variables and links exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.__main__ import main as builder
from fusion_algos import ALGORITHMS
from study_app.__main__ import main as study_app
from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.enhancers.__main__ import main as enhancers
from tests.study_app.proof import main as proof
from trainer.__main__ import main as trainer
from trainer.settings import preset_names

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}
README = PAGES[ROOT / "README.md"]
EVERYTHING = "\n".join(PAGES.values())
PROGRAMS = {"builder": builder, "study_app": study_app, "trainer": trainer}
OTHERS_OPTIONS = {
    "--threads", "--bind",  # gunicorn
    "--nproc-per-node",  # torchrun
    "--pwprompt", "--owner", "--no-owner", "--dbname",  # PostgreSQL's programs
    "--help",
}  # fmt: skip


def code(text: str) -> str:
    """What stands in blocks and between backticks, a line each."""
    blocks = re.findall(r"^ *```.*?\n(.*?)^ *```$", text, flags=re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join((*blocks, *re.findall(r"`([^`\n]+)`", rest)))


CODE = "\n".join(code(text) for text in PAGES.values())


def slug(heading: str) -> str:
    """The address of a heading within its page."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links() -> list[tuple[Path, str]]:
    """(page, target) of every link and picture that leads to a file of the project."""
    found = [
        (page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)
    ]
    return [(page, target) for page, target in found if not target.startswith("http")]


def test_every_algorithm_stands_in_the_table_with_its_paper_and_family():
    text = PAGES[ROOT / "docs/algorithms.md"]
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    for name, algorithm in ALGORITHMS.items():
        assert algorithm.family in rows[name]
        assert algorithm.cite in rows[name]
    assert set(rows) == set(ALGORITHMS)
    assert set(re.findall(r"`([a-z]+\d{4})`", README)) == set(ALGORITHMS)


def test_every_make_target_named_exists():
    listed = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    named = set(re.findall(r"\bmake ([a-z-]+)", CODE))
    assert len(named) > 10
    for target in named:
        assert f"make {target} " in listed, target


@pytest.mark.parametrize(
    ("program", "command"),
    sorted(set(re.findall(r"python -m (builder|study_app|trainer) ([a-z][a-z-]+)", EVERYTHING))),
)
def test_every_command_named_exists(program, command):
    assert CliRunner().invoke(PROGRAMS[program], [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m (tests\.[\w. ]+\w)", CODE))))
def test_every_program_of_the_tests_that_is_named_exists(command):
    module, _, part = command.partition(" ")
    assert find_spec(module) is not None
    if module == "tests.benchmarks" and part != "NAME":
        assert not part or part in BENCHMARKS
    if module == "tests.study_app.proof":
        assert not part or part in proof.commands


def test_every_benchmark_of_the_figures_exists():
    table = PAGES[ROOT / "docs/figures.md"].partition("## Study")[0]
    named = re.findall(r"\| `(\w+)` \|$", table, flags=re.MULTILINE)
    assert len(named) > 5
    assert set(named) <= set(BENCHMARKS)


def test_every_option_named_exists():
    texts = "".join(
        CliRunner().invoke(program, [command, "--help"]).output
        for program in PROGRAMS.values()
        for command in program.list_commands(None)  # type: ignore[arg-type]
    )
    texts += CliRunner().invoke(enhancers, ["--help"]).output
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", EVERYTHING)) - OTHERS_OPTIONS:
        assert option in texts, option


def test_every_file_named_exists():
    for path in set(re.findall(r"`((?:builder|fusion_algos|study_app|trainer|tests)/[\w./]*)`", EVERYTHING)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda part: str(part).removeprefix(f"{ROOT}/"))
def test_every_link_leads_somewhere(page, target):
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    assert path.is_file()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert anchor in map(slug, headings)


def test_every_picture_is_shown_and_small():
    shown = {(page.parent / target).resolve() for page, target in links()}
    for path in (ROOT / "docs/images").iterdir():
        assert path in shown, path
        assert path.stat().st_size < 250_000, path


def test_every_variable_of_the_study_is_read_somewhere():
    table = PAGES[ROOT / "docs/study.md"].partition("## Environment")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([A-Z_]+)` \|", table, flags=re.MULTILINE)
    sources = "".join(
        path.read_text(encoding="utf-8")
        for package in ("study_app", "builder")
        for path in (ROOT / package).rglob("*.py")
    )
    assert len(named) > 5
    for variable in named:
        assert re.search(rf'(?:get\(|environ\[)"{variable}"', sources), variable


def test_no_line_is_left_to_fill_in():
    assert not re.search(r"ALGORITHM_TABLE|BENCHMARK_FIGURES|TODO", EVERYTHING)


def test_every_preset_is_named():
    assert [name for name in preset_names() if f"`{name}`" not in PAGES[ROOT / "docs/trainer.md"]] == []


def test_one_version_everywhere():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == declared
    assert re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == declared


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_is_the_installed_one(program):
    said = CliRunner().invoke(PROGRAMS[program], ["--version"])
    assert said.output.split() == ["contrast-foundry,", "version", version("contrast-foundry")]
