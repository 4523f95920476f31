"""The small JSON files of the ledger: names that every file system takes, and no file that is half there."""

from __future__ import annotations

import json
import os
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote


def file_name(scene: str) -> str:
    """A name that every file system takes: a readable part, and a digest since cases and ends may collide."""
    name = os.fsencode(scene)
    return f"{quote(name, safe=' ')[:80]}-{sha256(name).hexdigest()[:8]}"


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Write or replace a record at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}.unfinished")
    unfinished.write_text(json.dumps(content, indent=1))
    unfinished.replace(path)


def read_record(path: Path) -> dict[str, Any] | None:
    """The record, or None where there is none that can be read."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # the latter: a power cut before the bytes were on disk
        return None
