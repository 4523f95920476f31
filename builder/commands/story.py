"""The command `story`: one self-contained page that shows a run from brackets to enhanced pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from builder.atomic_files import replace_file
from builder.commands.report import Report
from builder.story.page import tell
from builder.story.source import Source, newest_export


@dataclass(frozen=True)
class StoryRequest:
    """What the page shows besides the data folder; None leaves a section that says what is missing."""

    output: Path
    dataset: Path | None = None
    evaluation: Path | None = None
    model: Path | None = None
    enhanced: Path | None = None


def write_story(data: Path, request: StoryRequest) -> Report:
    """Write the page. ValueError if `data` holds no catalog or a named folder is not there."""
    if not (data / "catalog.sqlite").is_file() and not os.environ.get("DATABASE_URL"):
        raise ValueError(f"{data} has no catalog.sqlite: build first, or name the data folder with --data")
    for option in ("dataset", "evaluation", "model", "enhanced"):
        folder = getattr(request, option)
        if folder is not None and not folder.is_dir():
            raise ValueError(f"--{option} {folder}: there is no such folder")
    dataset = request.dataset or newest_export(data)
    story = tell(Source(data, dataset, request.evaluation, request.model, request.enhanced))
    replace_file(request.output, story.html)
    tables = {}
    if story.missing:
        tables["Sections without their files"] = pd.DataFrame({"section": story.missing})
    return Report(tables, (f"{request.output}: {len(story.html) / 1e6:.1f} MB; open it in a browser.",))
