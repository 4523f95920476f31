"""Settings: file, variables, defaults; whatever is wrong is named with its place."""

from __future__ import annotations

import dataclasses

import pytest

from builder.settings import Settings, SettingsError, load_settings


def write(tmp_path, text: str):
    path = tmp_path / "project.toml"
    path.write_text(text)
    return path


def test_defaults():
    assert load_settings(None, {}) == Settings()


def test_file_then_variables(tmp_path):
    path = write(
        tmp_path, '[run]\nexecutor = "serial"\ntimeout_seconds = 5\n[algorithms.mertens2009]\nsigma = 0.3'
    )
    settings = load_settings(
        path, {"FOUNDRY_RUN_TIMEOUT_SECONDS": "7", "FOUNDRY_FUSE_ALGORITHMS": '["li2013"]'}
    )
    assert settings.run.executor == "serial"
    assert settings.run.timeout_seconds == 7.0
    assert settings.fuse.algorithms == ("li2013",)
    assert settings.algorithms == {"mertens2009": {"sigma": 0.3}}


def test_none_replaces_nothing():
    assert Settings().replaced("run", executor=None) == Settings()
    assert Settings().replaced("run", executor="serial").run.executor == "serial"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[allign]\n", r"unknown key 'allign'; did you mean 'align'\? known keys: scan, align"),
        ("[align]\nproxy = 3", r"\[align\]: unknown key 'proxy'.* known keys: enabled"),
        ("[align]\nproxy_side = 30", r"\[align\] proxy_side: expected a value from 200 to 10000, found 30"),
        ("[align]\nenabled = 1", r"\[align\] enabled: expected bool, found 1"),
        ("[scan]\nprefer = 'best'", r"\[scan\] prefer: expected one of raw, jpeg, found 'best'"),
        ("[fuse]\nalgorithms = 'li2013'", r"\[fuse\] algorithms: expected a list of texts, found 'li2013'"),
        ("[run]\nmemory_gb = 'much'", r"\[run\] memory_gb: expected float or NoneType, found 'much'"),
        ("algorithms = 3", r"\[algorithms\] must be a table"),
        ("[algorithms]\nli2013 = 3", r"\[algorithms.li2013\] must be a table"),
        ("[align", r"not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(path, {})
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none.toml: the settings file cannot be read"):
        load_settings(tmp_path / "none.toml", {})


def test_a_wrong_variable_is_named():
    with pytest.raises(
        SettingsError, match=r"FOUNDRY_ALIGN_SCALE: expected a value from 0\.01 to 1\.0, found 2\.0"
    ):
        load_settings(None, {"FOUNDRY_ALIGN_SCALE": "2"})


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().align = None  # type: ignore[assignment,misc]
