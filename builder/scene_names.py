"""Readable names that are safe as folder names everywhere: a-z, 0-9, - and _."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from builder.brackets import BracketSequence

MAX_LENGTH = 60
SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_TRANSLITERATED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l"}
)


def safe_name(text: str) -> str:
    """`text` in lower case, umlauts spelled out, accents dropped, the rest as hyphens; may come out empty."""
    spelled = unicodedata.normalize("NFC", text).lower().translate(_TRANSLITERATED)
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:MAX_LENGTH].rstrip("-_")


def derived_names(
    sequences: Sequence[BracketSequence], earlier: Mapping[str, str], taken_names: Collection[str] = ()
) -> list[str]:
    """One unique name for each sequence: as in an earlier scan, else its folder's, else its first file's.

    The only bracket of a folder gets the folder's name. `earlier`: sha256 of a frame -> its sequence's name.
    Clashes get -2, -3 ... in the order given, names from earlier scans first.
    """
    kept = [_earlier_name(sequence, earlier) for sequence in sequences]
    taken = set(taken_names)
    for position, name in enumerate(kept):
        kept[position] = None if name in taken else name
        taken |= {name} if name else set()
    brackets = Counter(_folder(sequence) for sequence in sequences if sequence.status != "rejected")
    names = []
    for sequence, name in zip(sequences, kept, strict=True):
        if name is None:
            name = _unique(_proposal(sequence, brackets), taken)
            taken.add(name)
        names.append(name)
    return names


def _earlier_name(sequence: BracketSequence, earlier: Mapping[str, str]) -> str | None:
    """The name that most of its frames had."""
    votes = Counter(earlier[frame.sha256] for frame in sequence.frames if frame.sha256 in earlier)
    return min(votes, key=lambda name: (-votes[name], name)) if votes else None


def _folder(sequence: BracketSequence) -> PurePosixPath:
    return PurePosixPath(_first_path(sequence)).parent


def _first_path(sequence: BracketSequence) -> str:
    return min(file.path for file in sequence.frames or sequence.excluded)


def _proposal(sequence: BracketSequence, brackets: Counter[PurePosixPath]) -> str:
    folder = _folder(sequence)
    only_one = brackets[folder] == 1 and sequence.status != "rejected"
    whole_folder = safe_name(folder.name) if only_one or sequence.by == "folder" else ""
    return whole_folder or safe_name(PurePosixPath(_first_path(sequence)).stem) or "scene"


def _unique(name: str, taken: set[str]) -> str:
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
