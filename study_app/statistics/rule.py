"""The rule as data: what a study fixes before its first vote, its presets, and the hash that names it. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from study_app.statistics.ranking import DELTA, PRIOR_SD

RULE_VERSION = 1  # counts up when the table of evaluation.py or a constant of ranking.py changes
MODES = ("posterior", "most-votes")


@dataclass(frozen=True)
class Rule:
    """All that a verdict depends on besides the answers. `hash` identifies it in every vote."""

    mode: str = (
        "posterior"  # or "most-votes": a fixed number of votes (`cap`), strictly most first picks wins
    )
    p_best: float = 0.95
    p_near: float = 0.95
    minimum: int = 8
    cap: int = 30  # on counted votes plus "cannot tell"
    acceptable: float = 0.90
    delta: float = DELTA
    prior_sd: float = PRIOR_SD
    version: int = RULE_VERSION

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"rule: mode is {self.mode!r}; known are {', '.join(MODES)}")
        for name in ("p_best", "p_near", "acceptable"):
            self._check_number(name, 0.5, 1.0)
        for name in ("delta", "prior_sd"):
            self._check_number(name, 0.0, 10.0)
        for name in ("minimum", "cap", "version"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"rule: {name} is {getattr(self, name)!r}; a whole number expected")
        if not 1 <= self.minimum <= self.cap <= 1000:
            raise ValueError(
                f"rule: minimum is {self.minimum} and cap is {self.cap}; 1 <= minimum <= cap <= 1000 expected"
            )
        if self.version != RULE_VERSION:
            raise ValueError(f"rule: version is {self.version}; this program knows {RULE_VERSION} only")

    def _check_number(self, name: str, above: float, below: float) -> None:
        value = getattr(self, name)
        if type(value) not in (int, float) or not above < value < below:
            raise ValueError(f"rule: {name} is {value!r}; a number above {above} and below {below} expected")
        object.__setattr__(self, name, float(value))  # 1 and 1.0 are one rule, with one hash

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def rule_from_json(text: str) -> Rule:
    """The rule that `to_json` wrote; ValueError names an unknown or impossible field."""
    try:
        fields: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"rule: not JSON ({error}); expected what `Rule.to_json` writes") from error
    if not isinstance(fields, dict):
        raise ValueError(f"rule: {text[:40]!r} is not a JSON object; expected what `Rule.to_json` writes")
    known = {field.name for field in dataclasses.fields(Rule)}
    for wrong, problem in ((fields.keys() - known, "unknown"), (known - fields.keys(), "missing")):
        if wrong:
            raise ValueError(
                f"rule: {problem} field {', '.join(sorted(wrong))}; known: {', '.join(sorted(known))}"
            )
    return Rule(**fields)


PRESETS = {
    "standard": Rule(),
    "strict": Rule(p_best=0.99, p_near=0.99, minimum=12, cap=60),
    "quick": Rule(p_best=0.90, p_near=0.90, minimum=5, cap=15),
    "most-votes": Rule(mode="most-votes", minimum=15, cap=15),
}
