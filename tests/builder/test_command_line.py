"""The command line: wrong usage is one sentence and exit code 2; nothing is written then."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from builder.__main__ import main


def run(*arguments: object) -> Result:
    """The command in this process; its output and errors together in `output`."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "--shard", "5/4"), "shard '5/4' is not i/n with 1 <= i <= n"),
        (("build", "--executor", "cloud"), "executor 'cloud' is not known; choose one of: serial"),
        (("build", "--jobs", "2", "--executor", "serial"), "give one of them"),
        (("build", "--scale", "3"), "scale '3' is not a fraction"),
        (("build", "nowhere"), "nowhere"),
        (("build", "--simulated", "nowhere"), "give one of them"),
        (("ingest",), "sequences.csv is not there: scan a folder of photographs first"),
        (("import-candidates", "nowhere", "--name", "enfuse"), "nowhere is not a folder"),
        (("import-candidates", ".", "--name", "mertens2009"), "one of this program's own algorithms"),
        (("import-candidates", ".", "--name", "a b"), "use letters, digits"),
        (("simulate", "--size", "big"), "size 'big' is not WIDTHxHEIGHT"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments, message, tmp_path):
    answer = run(*arguments, "--data", tmp_path / "data")
    assert answer.exit_code == 2
    assert message in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[fuse]\nalgorithms = ['mertens2010']",
            "unknown algorithm 'mertens2010'; known algorithms: mertens2009",
        ),
        (
            "[algorithms.li2013]\nradios = 3",
            "[algorithms.li2013]: unknown parameter 'radios'; its parameters:",
        ),
        ("[algorithms.nobody2020]\nx = 3", "unknown algorithm 'nobody2020'"),
        (
            "[align]\nproxy_sight = 3",
            "unknown key 'proxy_sight'; did you mean 'proxy_side'? known keys: enabled",
        ),
        ("[align", "not valid TOML"),
    ],
)
def test_wrong_settings_are_one_sentence_and_exit_2(text, message, tmp_path):
    (tmp_path / "project.toml").write_text(text)
    answer = run("build", "--data", tmp_path)
    assert answer.exit_code == 2
    assert message in answer.output
    assert "Traceback" not in answer.output


def test_an_empty_data_folder_says_what_to_do(tmp_path):
    answer = run("status", "--data", tmp_path)
    assert answer.exit_code == 0
    assert "give a folder of photographs: build SOURCE" in answer.output
