"""What earlier scans found in camera files, kept by content: equal bytes say the same and need no parsing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from builder.atomic_files import replace_file
from builder.camera_metadata import FACTS_REVISION, FrameFacts, file_number


class KnownFacts:
    """The facts of one dataset's camera files in one JSON file; deleting it costs the next scan some time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers = f"{FACTS_REVISION}, exifread {version('exifread')}, rawpy {version('rawpy')}"
        self._entries = self._read()

    def find(self, data: bytes, path: str) -> FrameFacts | None:
        """The facts of a file with these bytes, as if it had been parsed under this path."""
        if not self._entries:  # a first scan: whoever parses hashes too, and once is enough
            return None
        entry = self._entries.get(hashlib.sha256(data).hexdigest())
        if entry is None:
            return None
        try:
            taken = entry["captured_at"]
            moment = datetime.fromisoformat(taken) if taken else None
            fields = {**entry, "flags": tuple(entry["flags"]), "captured_at": moment}
            return replace(FrameFacts(**fields), path=path, number=file_number(path))
        except (TypeError, ValueError, LookupError):
            return None  # a damaged entry is as good as none

    def keep(self, facts: Iterable[FrameFacts]) -> None:
        """Keep these and no others, for the next scan."""
        entries = {one.sha256: _entry(one) for one in facts}
        if entries != self._entries:
            document = {"readers": self._readers, "facts": entries}
            replace_file(self._path, json.dumps(document, sort_keys=True).encode())

    def _read(self) -> dict[str, Any]:
        """Entries by SHA-256; none where there is no file, a damaged one, or one that other readers made."""
        try:
            document = json.loads(self._path.read_bytes())
            return dict(document["facts"]) if document["readers"] == self._readers else {}
        except (OSError, ValueError, LookupError, TypeError):
            return {}


def _entry(facts: FrameFacts) -> dict[str, Any]:
    """What does not depend on where the file lies."""
    taken = facts.captured_at.isoformat() if facts.captured_at else None
    return {**asdict(facts), "path": "", "number": None, "flags": list(facts.flags), "captured_at": taken}
