"""The consent text: the one shipped with the program, its hash, and its plain mark-up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

DEFAULT_VERSION = "1"
DEFAULT_FILE = Path(__file__).parent / "templates" / "texts" / "consent.txt"


@dataclass(frozen=True)
class Block:
    """One piece of the text: a heading, a paragraph, or the points of a list."""

    kind: str  # heading, paragraph, points
    lines: tuple[str, ...]


def default_text() -> str:
    """The text that a study takes if it brings none of its own."""
    return DEFAULT_FILE.read_text(encoding="utf-8")


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
