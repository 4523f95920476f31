"""What a browser may send as a vote, checked once, at the edge. Pure: bytes in, a frozen value or VoteError out."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from study_app.storage.models import REASONS, VOTE_KINDS

LETTERS = "ABCDEFGHIJKLM"
MAX_PICKS = 3
MAX_COMMENT = 500  # characters, as in the table
MAX_VERSION = 1000
MAX_DEPTH = 8  # of the record of behaviour
MAX_SAFE_INTEGER = 2**53  # JavaScript's; beyond it a number is no longer what the page meant
CLIENT_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PUBLIC_ID = re.compile(r"[0-9a-f]{32}")
FIELDS = (
    "assignment",
    "version",
    "kind",
    "picks",
    "acceptable",
    "reasons",
    "comment",
    "client_at",
    "behaviour",
)


class VoteError(ValueError):
    """The body cannot be a vote: `field` says where, `reason` what is wrong with it. Nothing was stored."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True)
class VoteBody:
    """A vote as sent: letters, not items; `hash` covers all that was sent."""

    assignment: str
    version: int
    kind: str
    picks: tuple[str, ...]  # letters, best first
    acceptable: bool | None
    reasons: tuple[str, ...]
    comment: str
    client_at: datetime | None  # UTC without zone; the browser's clock, never trusted
    behaviour: dict[str, Any]
    hash: str


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; VoteError where it is none, or holds what no database can keep."""
    try:
        found = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise VoteError("body", "nested too deeply") from None
    except ValueError:
        raise VoteError("body", "expected JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise VoteError("body", "expected a JSON object")
    for name, value in found.items():
        _require_storable(_shown(name), value)
    return found


def parse_vote(data: bytes) -> VoteBody:
    """The vote in the body of a request; VoteError names the first field that is wrong."""
    found = parse_object(data)
    for name in found:
        if name not in FIELDS:
            raise VoteError(_shown(name), "unknown field")
    for name in ("assignment", "version", "kind"):
        if name not in found:
            raise VoteError(name, "missing")
    parts: dict[str, Any] = {name: CHECKS[name](found.get(name)) for name in FIELDS}
    vote = VoteBody(**parts, hash=_digest(found))
    _require_whole(vote)
    return vote


def parse_key(header: str | None) -> str:
    """The vote's own name, chosen by the browser; VoteError where it is no UUID of version 4."""
    key = (header or "").strip().lower()
    if not CLIENT_KEY.fullmatch(key):
        raise VoteError("Idempotency-Key", "expected a UUID of version 4 in this header")
    return key


def public_id(value: object, field: str) -> str:
    """A public id out of a body; VoteError where it has not the form of one."""
    if not isinstance(value, str) or not PUBLIC_ID.fullmatch(value):
        raise VoteError(field, "expected 32 hexadecimal digits")
    return value


def _digest(found: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _shown(name: str) -> str:
    """A field's name as an answer may repeat it: short and printable."""
    return "".join(sign for sign in name if sign.isascii() and sign.isprintable())[:40] or "body"


def _require_storable(field: str, value: object) -> None:
    """Refuse what one of the databases would choke on: NUL, half characters, infinities, giant numbers."""
    waiting = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise VoteError(field, f"nested more than {MAX_DEPTH} deep")
        if isinstance(node, dict):
            waiting += [(part, depth + 1) for pair in node.items() for part in pair]
        elif isinstance(node, list):
            waiting += [(part, depth + 1) for part in node]
        elif isinstance(node, str):
            _require_text(field, node)
        elif isinstance(node, int | float):
            _require_number(field, node)


def _require_number(field: str, number: float) -> None:
    is_fit = abs(number) <= MAX_SAFE_INTEGER if isinstance(number, int) else math.isfinite(number)
    if not is_fit:
        raise VoteError(field, "a number is too large")


def _require_text(field: str, text: str) -> None:
    if "\0" in text:
        raise VoteError(field, "NUL is not allowed")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise VoteError(field, "half of a character (a lone surrogate) is not allowed")


def _version(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_VERSION:
        raise VoteError("version", f"expected a whole number from 1 to {MAX_VERSION}")
    return value


def _kind(value: object) -> str:
    if not isinstance(value, str) or value not in VOTE_KINDS:
        raise VoteError("kind", f"expected one of {', '.join(VOTE_KINDS)}")
    return value


def _picks(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_PICKS:
        raise VoteError("picks", f"expected a list of at most {MAX_PICKS} letters, best first")
    if any(not isinstance(letter, str) or len(letter) != 1 or letter not in LETTERS for letter in value):
        raise VoteError("picks", "expected letters from A to M without a gap")
    if len(set(value)) != len(value):
        raise VoteError("picks", "a letter stands twice")
    return tuple(value)


def _acceptable(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise VoteError("acceptable", "expected true, false or null")
    return value


def _reasons(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or any(
        not isinstance(reason, str) or reason not in REASONS for reason in value
    ):
        raise VoteError("reasons", f"expected a list out of {', '.join(REASONS)}")
    if len(set(value)) != len(value):
        raise VoteError("reasons", "a reason stands twice")
    return tuple(value)


def _comment(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_COMMENT:
        raise VoteError("comment", f"expected a text of at most {MAX_COMMENT} characters")
    return value


def _client_at(value: object) -> datetime | None:
    """Any time will do, also a wrong one: the server's clock is the one that counts."""
    if value is None:
        return None
    try:
        if not isinstance(value, str) or len(value) > 40:
            raise ValueError
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        raise VoteError("client_at", "expected a time such as 2026-01-31T14:03:22Z, or null") from None


def _behaviour(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise VoteError("behaviour", "expected an object")
    return value


CHECKS: dict[str, Callable[[object], Any]] = {
    "assignment": lambda value: public_id(value, "assignment"),
    "version": _version,
    "kind": _kind,
    "picks": _picks,
    "acceptable": _acceptable,
    "reasons": _reasons,
    "comment": _comment,
    "client_at": _client_at,
    "behaviour": _behaviour,
}


def _require_whole(vote: VoteBody) -> None:
    """What the fields say together: a choice has a first pick and says whether it will do."""
    if vote.kind == "choice":
        if not vote.picks:
            raise VoteError("picks", "a first pick is needed")
        if vote.acceptable is None:
            raise VoteError("acceptable", "say whether the first pick is acceptable as a reference")
    elif vote.picks:
        raise VoteError("picks", "only a choice has picks")
    elif vote.acceptable is not None:
        raise VoteError("acceptable", "only a choice says whether its first pick is acceptable")
    if vote.reasons and vote.acceptable is not False:
        raise VoteError("reasons", "reasons belong to a first pick that is not acceptable")
