"""README, citation and croissant of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.atomic_files import new_text
from builder.dataset.records import Excluded
from builder.dataset.summary import Summary
from builder.settings import ExportSettings


def write_descriptions(
    folder: Path, settings: ExportSettings, summary: Summary, excluded: Sequence[Excluded]
) -> list[str]:
    """Write all texts about the dataset; their paths."""
    with new_text(folder / "README.md") as stream:
        stream.write(f"# {settings.title} {settings.version}\n")
    return ["README.md"]
