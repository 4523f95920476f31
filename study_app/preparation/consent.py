"""A consent text's hash and plain mark-up; the text itself is in consent_text.py and in each study. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One piece of the text: a heading, a paragraph, or the points of a list."""

    kind: str  # heading, paragraph, points
    lines: tuple[str, ...]


def text_hash(text: str) -> str:
    """SHA-256 of the text that a rater was shown; stored with the consent."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def blocks(text: str) -> list[Block]:
    """Split at line ends: `# ` opens a heading, `- ` a point, all else is a paragraph of one line."""
    found: list[Block] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("# "):
            found.append(Block("heading", (line[2:],)))
        elif line.startswith("- ") and found and found[-1].kind == "points":
            found[-1] = Block("points", (*found[-1].lines, line[2:]))
        elif line.startswith("- "):
            found.append(Block("points", (line[2:],)))
        else:
            found.append(Block("paragraph", (line,)))
    return found
