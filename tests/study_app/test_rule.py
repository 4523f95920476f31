"""The rule as data: its canonical JSON, its hash, and what it refuses."""

from __future__ import annotations

import hashlib
import json

import pytest

from study_app.statistics.evaluation import Answer
from study_app.statistics.rule import PRESETS, Rule, rule_from_json
from study_app.storage.models import SCENE_STATES, STUDY_MODES, VOTE_KINDS

STANDARD = PRESETS["standard"]


def test_the_words_are_those_of_the_tables() -> None:
    assert {preset.mode for preset in PRESETS.values()} <= set(STUDY_MODES)
    assert {"continue", "accept", "accept-equivalent", "reject", "adjudicate", "ambiguous"} < set(
        SCENE_STATES
    )
    for kind in VOTE_KINDS:
        assert Answer(1, kind, (0,) if kind == "choice" else (), True if kind == "choice" else None)


def test_canonical_json_and_its_hash() -> None:
    text = (
        '{"acceptable":0.9,"cap":30,"delta":0.5,"minimum":8,"mode":"posterior","p_best":0.95,"p_near":0.95,'
        '"prior_sd":1.5,"version":1}'
    )
    assert STANDARD.to_json() == text
    assert STANDARD.hash == hashlib.sha256(text.encode()).hexdigest()
    assert Rule(prior_sd=2).hash == Rule(prior_sd=2.0).hash != STANDARD.hash


@pytest.mark.parametrize("name", PRESETS)
def test_json_brings_a_rule_back(name: str) -> None:
    assert rule_from_json(PRESETS[name].to_json()) == PRESETS[name]


def test_presets_of_the_specification() -> None:
    figures = {name: (rule.p_best, rule.minimum, rule.cap) for name, rule in PRESETS.items()}
    assert figures["standard"] == (0.95, 8, 30)
    assert figures["strict"] == (0.99, 12, 60)
    assert figures["quick"] == (0.90, 5, 15)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("mode", "lottery", "mode is 'lottery'; known are posterior, most-votes"),
        ("p_best", 1.5, "p_best is 1.5"),
        ("p_best", 0.5, "p_best is 0.5"),
        ("p_near", float("nan"), "p_near is nan"),
        ("acceptable", "0.9", "acceptable is '0.9'"),
        ("delta", 0, "delta is 0"),
        ("delta", True, "delta is True"),
        ("prior_sd", -1.0, "prior_sd is -1.0"),
        ("minimum", 0, "minimum is 0"),
        ("minimum", 31, "minimum is 31 and cap is 30"),
        ("cap", 30.0, "cap is 30.0; a whole number"),
        ("cap", 10_000, "cap is 10000"),
        ("version", 2, "version is 2; this program knows 1"),
    ],
)
def test_an_impossible_rule_names_its_field(field: str, value: object, message: str) -> None:
    text = json.dumps({**json.loads(STANDARD.to_json()), field: value})
    with pytest.raises(ValueError, match=message):
        rule_from_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "rule: not JSON"),
        ("[1]", "not a JSON object"),
        (STANDARD.to_json()[:-1] + ',"luck":1}', "unknown field luck"),
        (STANDARD.to_json().replace('"cap":30,', ""), "missing field cap"),
    ],
)
def test_unreadable_rules(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule_from_json(text)
