"""The page: a head that says what was done, the sections in order, each with the files that it was read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from xml.etree.ElementTree import Element

from builder.story import judging, learning, making
from builder.story.markup import as_html, code, element, paragraph
from builder.story.pictures import captioned, picture
from builder.story.source import Missing, Source


@dataclass(frozen=True)
class Section:
    """A part of the story; `build` raises Missing where the run lacks its files."""

    anchor: str
    title: str
    build: Callable[[Source], list[Element]]
    read: str  # the files that its figures come from


EXPORT, TRAINING, EVALUATION = "of the export", "of the training", "of the evaluation"
SECTIONS = (
    Section("brackets", "What went in", making.brackets, "catalog, previews/"),
    Section("candidates", "Many ways to fuse a bracket", making.candidates, "catalog, previews/"),
    Section("raters", "What the raters picked", judging.raters, f"candidates.csv, scenes.jsonl {EXPORT}"),
    Section("references", "The references", judging.references, f"manifest.csv, inputs/, references/ {EXPORT}"),
    Section("left-out", "What did not become a reference", judging.left_out, f"excluded.csv {EXPORT}, catalog"),
    Section("dataset", "The dataset", judging.dataset, f"manifest.csv {EXPORT}"),
    Section("training", "A network learns from it", learning.training, f"metrics.jsonl, settings.toml {TRAINING}"),
    Section("evaluation", "Beside the classics", learning.evaluation, f"summary.csv, evaluation.json {EVALUATION}"),
    Section("enhanced", "Before and after", learning.enhanced, "the enhanced pictures, manifest.csv, images.csv"),
    Section("steps", "How this was made", learning.steps, "steps.tsv and runs/*/run.json of the data folder"),
)  # fmt: skip


@dataclass(frozen=True)
class Story:
    """The finished page, and a sentence for each section that lacks its files."""

    html: bytes
    missing: Sequence[str]


def tell(source: Source) -> Story:
    """The whole page from the files of a run; ValueError or CatalogError only where there is no data folder."""
    missing: list[str] = []
    sections = [_section(source, number, one, missing) for number, one in enumerate(SECTIONS, 1)]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", "Contrast Foundry: the story of one run"),
        element("style", (files("builder.story") / "page.css").read_text(encoding="utf-8")),
    )
    body = element("body", _opening(source), element("main", *sections), _closing())
    return Story(as_html(element("html", head, body, lang="en")), missing)


def _section(source: Source, number: int, section: Section, missing: list[str]) -> Element:
    try:
        content = [*section.build(source), paragraph(f"Read from: {section.read}.", class_="from")]
    except Missing as error:
        missing.append(f"{section.title}: {error}")
        content = [paragraph("Nothing to show here: ", str(error), ".", class_="missing")]
    title = element("h2", element("span", f"{number}", class_="number"), section.title)
    return element("section", title, *content, id=section.anchor)


def _opening(source: Source) -> Element:
    links = [element("a", one.title, href=f"#{one.anchor}") for one in SECTIONS]
    return element(
        "header",
        paragraph("Contrast Foundry", class_="brand"),
        element("h1", "From bracketed photographs to a trained enhancer"),
        paragraph(
            "Photographs of one view at several exposures went in; a dataset and a network that repairs single "
            "exposures came out. This page follows one run, the one in ", code(source.data.name),
            ". Every picture and figure on it was read from the files of that run.", class_="lead",
        ),
        *_numbers(source),
        *_first_sight(source),
        element("nav", *links, aria_label="Sections"),
    )  # fmt: skip


def _numbers(source: Source) -> list[Element]:
    """The run in large figures, as far as it got; its sections say what is missing."""
    scenes = source.scenes.values()
    figures = [
        (len(scenes), "scenes"),
        (sum(len(one.frames) for one in scenes), "photographs"),
        (sum(1 for one in scenes for each in one.candidates if each.picture), "candidates"),
    ]
    try:
        figures += [(len(source.judged), "references"), (len(source.pairs), "pairs of input and reference")]
        notice = judging.stamp_notice(source)
    except Missing:
        notice = []
    cells = [
        element("div", element("strong", f"{number:,}"), element("span", name)) for number, name in figures
    ]
    return [element("div", *cells, class_="numbers"), *notice]


def _first_sight(source: Source) -> list[Element]:
    """Before and after at once, if the run got that far."""
    try:
        pairs = learning.shown_pairs(source)[:1]
    except Missing:
        return []
    cells = []
    for pair, path in pairs:
        before = picture(source.exported(pair.input), f"{pair.scene} at {making.ev_text(pair.relative_ev)}")
        cells.append(captioned(before, f"one exposure of {pair.scene}, {making.ev_text(pair.relative_ev)}"))
        cells.append(
            captioned(
                picture(path, f"{pair.scene} after the network"),
                "the same, enhanced by the network of this run",
            )
        )
    return [element("div", *cells, class_="pair")] if cells else []


def _closing() -> Element:
    return element(
        "footer",
        paragraph(
            "Written by ",
            code("python -m builder story"),
            ". One file: nothing on it is loaded from elsewhere.",
        ),
    )
