"""What a dataset says about itself: README (a datasheet), figures, citation, Croissant, a warning where one is due."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.atomic_files import new_text
from builder.dataset.datasheet_sections import (
    YAML_SIZES,
    composition,
    distribution,
    files_and_loading,
    labeling,
    motivation_and_collection,
    uses,
)
from builder.dataset.figures import bar_chart
from builder.dataset.records import Excluded
from builder.dataset.splits import SPLITS
from builder.dataset.summary import Summary
from builder.export_formats.croissant import About, croissant_text, license_address
from builder.settings import ExportSettings

SOMEBODY = "the makers of this dataset"


@dataclass(frozen=True)
class Sheet:
    """All that the texts are made from."""

    settings: ExportSettings
    summary: Summary
    excluded: tuple[Excluded, ...]

    @property
    def stamp(self) -> str:
        """`not chosen by people`, `chosen by simulated raters`, both, or ""."""
        return " and ".join(sorted(self.summary.stamps))

    @property
    def title(self) -> str:
        """The title; nobody can read it without the stamp."""
        return f"{self.settings.title} (references {self.stamp})" if self.stamp else self.settings.title

    @property
    def description(self) -> str:
        """One paragraph."""
        summary = self.summary
        own = self.settings.description.strip()
        parts = [f"{own.rstrip('.')}." if own else ""]
        parts += [
            f"{summary.scenes.total()} scenes with {summary.pairs.total()} exposures, each exposure paired with the "
            f"reference of its scene."
        ]
        if self.stamp:
            parts.append(
                f"WARNING: the references of {summary.stamps.total()} of these scenes were {self.stamp}."
            )
        return " ".join(part for part in parts if part)

    @property
    def date(self) -> str:
        """Day of publication, or the last year of the photographs."""
        return self.settings.date or str(max(self.summary.years, default=""))

    @property
    def citation(self) -> str:
        """One line for a list of references."""
        creator = self.settings.creator or SOMEBODY
        parts = [
            creator,
            self.date[:4],
            f"{self.title}, version {self.settings.version}",
            self.settings.url,
        ]
        return ". ".join(part for part in parts if part) + "."


def write_descriptions(
    folder: Path, settings: ExportSettings, summary: Summary, excluded: Sequence[Excluded]
) -> list[str]:
    """Write all texts about a dataset whose tables are written; their paths."""
    sheet = Sheet(settings, summary, tuple(excluded))
    about = About(sheet.title, sheet.description, sheet.citation, sheet.date)
    texts = {
        **{f"figures/{name}.svg": text for name, text in figures(summary, sheet.stamp)},
        "README.md": readme(sheet),
        "CITATION.cff": citation_file(sheet),
        "croissant.json": croissant_text(folder, settings, about),
    }
    if sheet.stamp:
        texts[warning_name(sheet.stamp)] = warning(sheet)
    for path, text in texts.items():
        with new_text(folder / path) as stream:
            stream.write(text)
    return list(texts)


def warning_name(stamp: str) -> str:
    """The name of the file that warns: it can be read without opening it."""
    return f"{stamp.upper().replace(' ', '-')}.txt"


def warning(sheet: Sheet) -> str:
    """The text of the file that warns."""
    return (
        f"{sheet.title}\n\nThe references of {sheet.summary.stamps.total()} of {sheet.summary.scenes.total()} scenes "
        f"were {sheet.stamp}. They show that the programs work;\nthey are no judgement of quality, and nothing that "
        f"is measured against them is one.\nThe column `stamp` of manifest.csv marks them.\n"
    )


def figures(summary: Summary, stamp: str) -> Iterator[tuple[str, str]]:
    """(name, SVG) of the pictures in the README."""
    note = f"{summary.stamps.total()} of {summary.scenes.total()} references {stamp}" if stamp else ""
    yield "splits", bar_chart("Scenes by split", [(split, summary.scenes[split]) for split in SPLITS])
    steps = range(min(summary.relative_ev, default=0), max(summary.relative_ev, default=-1) + 1)
    yield (
        "exposures",
        bar_chart(
            "Exposures by EV against the middle one",
            [(f"{step:+d} EV" if step else "0 EV", summary.relative_ev[step]) for step in steps],
            f"{summary.unknown_ev} of unknown exposure" if summary.unknown_ev else "",
        ),
    )
    wins = sorted(summary.wins.items(), key=lambda pair: (-pair[1], pair[0]))
    yield "algorithms", bar_chart("References by the algorithm that made them", wins, note)
    if summary.certainty:
        bars = [
            (f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}", summary.certainty[tenth]) for tenth in range(10)
        ]
        yield (
            "agreement",
            bar_chart("References by the probability that they are the best candidate", bars, note),
        )


def readme(sheet: Sheet) -> str:
    """Front matter for Hugging Face, then the datasheet."""
    banner = (
        f"> **Warning: the references of {sheet.summary.stamps.total()} of {sheet.summary.scenes.total()} scenes were "
        f"{sheet.stamp}.** They show that the programs work and are no judgement of quality.\n\n"
        if sheet.stamp
        else ""
    )
    sections = [
        f"# {sheet.title}\n\n{banner}{sheet.description}",
        f"Version {sheet.settings.version}. License: {sheet.settings.license}. Please cite: {sheet.citation}",
        files_and_loading(sheet.summary),
        motivation_and_collection(sheet.summary, sheet.settings),
        composition(sheet.summary, sheet.excluded),
        labeling(sheet.summary, sheet.stamp),
        uses(sheet.stamp),
        distribution(sheet.settings),
    ]
    return _front_matter(sheet) + "\n\n".join(section.strip() for section in sections) + "\n"


def _front_matter(sheet: Sheet) -> str:
    """YAML that Hugging Face reads; JSON strings are YAML strings."""
    settings, pairs = sheet.settings, sheet.summary.pairs.total()
    size = next(name for limit, name in YAML_SIZES if pairs < limit)
    is_identifier = " " not in settings.license and "://" not in settings.license
    lines = [
        "---",
        f"license: {json.dumps(settings.license.lower())}"
        if is_identifier
        else f"license: other\nlicense_name: {json.dumps(settings.license)}",
        f"pretty_name: {json.dumps(sheet.title)}",
        "task_categories:\n- image-to-image",
        "tags:\n- multi-exposure\n- contrast-enhancement\n- exposure-fusion",
        f"size_categories:\n- {size}",
        "configs:\n- config_name: default\n  data_files:",
    ]
    names = {"train": "train", "val": "validation", "test": "test"}
    for split in SPLITS:
        if sheet.summary.scenes[split]:
            paths = [f"{split}/metadata.jsonl", f"{split}/inputs/**", f"{split}/references/**"]
            lines.append(f"  - split: {names[split]}\n    path: {json.dumps(paths)}")
    return "\n".join([*lines, "---", "", ""])


def citation_file(sheet: Sheet) -> str:
    """CITATION.cff 1.2.0."""
    settings = sheet.settings
    is_identifier = " " not in settings.license and "://" not in settings.license
    lines = [
        "cff-version: 1.2.0",
        'message: "If you use this dataset, please cite it as below."',
        "type: dataset",
        f"title: {json.dumps(sheet.title, ensure_ascii=False)}",
        f"abstract: {json.dumps(sheet.description, ensure_ascii=False)}",
        f"version: {json.dumps(settings.version)}",
        f"license: {settings.license}"
        if is_identifier
        else f"license-url: {json.dumps(license_address(settings.license))}",
        f"authors:\n- name: {json.dumps(settings.creator or SOMEBODY, ensure_ascii=False)}",
    ]
    if settings.date:
        lines.append(f"date-released: {json.dumps(settings.date)}")
    if settings.url:
        lines.append(f"url: {json.dumps(settings.url)}")
    return "\n".join([*lines, ""])
