"""The middle sections: what raters picked, what became a reference, what did not, and the dataset of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from builder.dataset.finished import Pair
from builder.dataset.splits import SPLITS
from builder.story.charts import bars
from builder.story.making import ev_text
from builder.story.markup import Child, code, element, paragraph, table
from builder.story.pictures import THUMBNAIL, captioned, picture
from builder.story.source import Missing, Source

REFERENCE_SCENES, MANIFEST_ROWS = 4, 6
VERDICTS = {
    "accept": "accept: the best",
    "accept-equivalent": "accept-equivalent: the best or hardly less liked",
}


def raters(source: Source) -> list[Element]:
    """First picks of the followed scene and over all scenes, verdicts."""
    judged, scene = source.judged, source.followed.name
    references = [one["reference"] for one in judged.values()]
    answers = sum(one["raters"] for one in references)
    parts: list[Element] = [
        paragraph(
            "People look at the candidates blind, side by side at the same place and zoom, and pick the best. ",
            f"For the {len(judged)} scenes that became part of the dataset {answers} answers counted. ",
            "P_best is the probability that the candidate in front is really the best, given the answers.",
        )
    ]
    parts += stamp_notice(source)
    if scene in judged:
        parts += [element("h3", "First picks for ", code(scene)), _picks(source, scene)]
        parts.append(_verdict(judged[scene]["reference"]))
    parts += [element("h3", "First picks over all scenes, and references"), _league(source)]
    rows = [_verdict_row(name, one) for name, one in judged.items()]
    columns = ("scene", "reference", "verdict", "raters", "first picks", "P_best", "acceptable")
    parts.append(
        element(
            "details",
            element("summary", f"The verdict on each of the {len(judged)} scenes"),
            table(columns, rows, texts=3),
        )
    )
    return parts


def stamp_notice(source: Source) -> list[Element]:
    """Whose choice the references are, where it was not people's."""
    stamps = Counter(one["reference"]["stamp"] for one in source.judged.values() if one["reference"]["stamp"])
    return [
        element(
            "p", element("strong", f"{stamp[:1].upper()}{stamp[1:]}: "),
            f"{count} of {len(source.judged)} references. They show that the programs work; they are no judgement "
            "of quality, and nothing that is measured against them is one.", class_="notice",
        )
        for stamp, count in stamps.items()
    ]  # fmt: skip


def _picks(source: Source, scene: str) -> Element:
    rows = [row for row in source.picks if row["scene"] == scene]
    shown = sorted(rows, key=lambda row: (-int(row["first_picks"] or -1), row["algorithm"]))
    return bars(
        [
            (
                row["algorithm"],
                int(row["first_picks"] or 0),
                row["first_picks"]
                or "not shown" + (f": {row['gate_failures']}" if row["gate_failures"] else ""),
                "chosen" if row["is_reference"] == "1" else "" if row["first_picks"] else "unseen",
            )
            for row in shown
        ]
    )


def _verdict(reference: Mapping[str, Any]) -> Element:
    facts = [
        ("Verdict", VERDICTS.get(reference["verdict"], reference["verdict"])),
        ("Reference", reference["algorithm"]),
        ("P_best", _figure(reference["p_best"])),
        ("Raters", str(reference["raters"])),
        ("Its first picks", str(reference["first_picks"])),
        ("Say it could be a reference", _share(reference["acceptable_share"])),
    ]
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *pairs, class_="facts")


def _league(source: Source) -> Element:
    picks, references = Counter[str](), Counter[str]()
    for row in source.picks:
        picks[row["algorithm"]] += int(row["first_picks"] or 0)
        references[row["algorithm"]] += int(row["is_reference"])
    order = sorted(picks, key=lambda name: (-picks[name], name))
    return bars(
        [
            (
                name,
                picks[name],
                f"{picks[name]}" + _times(references[name]),
                "chosen" if references[name] else "",
            )
            for name in order
        ]
    )


def _times(count: int) -> str:
    return f" · reference of {count} scene{'s' * (count != 1)}" if count else ""


def _verdict_row(name: str, document: Mapping[str, Any]) -> tuple[Child, ...]:
    one = document["reference"]
    return (
        code(name), one["algorithm"], one["verdict"], str(one["raters"]), str(one["first_picks"]),
        _figure(one["p_best"]), _share(one["acceptable_share"]),
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def references(source: Source) -> list[Element]:
    """Some scenes: darkest, middle and brightest exposure beside the reference, the followed scene first."""
    by_scene: dict[str, list[Pair]] = {}
    for pair in source.pairs:
        by_scene.setdefault(pair.scene, []).append(pair)
    followed = source.followed.name
    others = sorted(name for name in by_scene if name != followed)
    count = min(REFERENCE_SCENES - 1, len(others))
    spread = [others[(2 * place + 1) * len(others) // (2 * count)] for place in range(count)]
    chosen = [*(name for name in by_scene if name == followed), *spread]
    return [
        paragraph(
            f"The winner becomes the reference of its scene: {len(by_scene)} of them. Beside three of the "
            "exposures one sees what it gained.",
        ),
        *(_beside(source, by_scene[name]) for name in chosen),
    ]


def _beside(source: Source, pairs: list[Pair]) -> Element:
    inputs = list({pair.key: pair for pair in (pairs[0], pairs[len(pairs) // 2], pairs[-1])}.values())
    dataset = source.exported("manifest.csv").parent
    cells = [
        captioned(
            picture(dataset / pair.input, f"{pair.scene} at {ev_text(pair.relative_ev)}", width=480),
            ev_text(pair.relative_ev),
        )
        for pair in inputs
    ]
    shown = picture(dataset / pairs[0].reference, f"Reference of {pairs[0].scene}", width=480)
    words = (element("strong", "reference"), element("span", pairs[0].algorithm))
    cells.append(captioned(shown, *words, class_="reference"))
    return element(
        "div", element("h3", code(pairs[0].scene)), element("div", *cells, class_="beside"), class_="scene"
    )


def left_out(source: Source) -> list[Element]:
    """The scenes of excluded.csv with their reasons."""
    rows = source.excluded
    if not rows:
        return [paragraph("Every scene became part of the dataset.")]
    reasons = ", ".join(
        f"{count} × {reason}" for reason, count in Counter(row["reason"] for row in rows).items()
    )
    return [
        paragraph(f"{len(rows)} of {len(source.scenes)} scenes are not in the dataset ({reasons}). A wrong pair "
                  "teaches a network what is wrong, so each scene has to earn its place."),
        *_simulated_raters_notice(source),
        element("div", *(_excluded(source, row) for row in rows), class_="contact wide"),
    ]  # fmt: skip


def _simulated_raters_notice(source: Source) -> list[Element]:
    """The sentences of excluded.csv speak of raters."""
    if not any("simulated" in one["reference"]["stamp"] for one in source.judged.values()):
        return []
    return [paragraph("The raters of this run were simulated.", class_="notice")]


def _excluded(source: Source, row: Mapping[str, str]) -> Element:
    scene = source.scenes.get(row["scene"])
    middle = scene.middle if scene else None
    shown = picture(middle.picture if middle else None, f"Scene {row['scene']}, left out", width=THUMBNAIL)
    words = [element("strong", row["scene"]), element("em", row["reason"]), element("span", row["sentence"])]
    if row["reason"] == "dynamic" and scene and scene.ghost_score is not None:
        words.append(element("span", f"{scene.ghost_score:.2%} of the picture moved"))
    return captioned(shown, *words)


def dataset(source: Source) -> list[Element]:
    """Splits and the head of the manifest."""
    pairs = source.pairs
    scenes = {split: len({one.scene for one in pairs if one.split == split}) for split in SPLITS}
    counts = Counter(pair.split for pair in pairs)
    rows = [
        (split, counts[split], f"{counts[split]} pairs of {scenes[split]} scenes", "") for split in SPLITS
    ]
    columns = ("input", "reference", "exposure", "seconds", "width", "height", "SHA-256 of the input")
    excerpt = [
        (code(one.input), code(one.reference), ev_text(one.relative_ev),
         f"{one.seconds:g}" if one.seconds else "–", str(one.width), str(one.height), f"{one.input_sha256[:12]}…")
        for one in _excerpt(source)
    ]  # fmt: skip
    return [
        paragraph(
            f"{len(pairs)} pairs of an exposure and its reference, in {sum(scenes.values())} scenes. Scenes of one "
            "place are never split apart: what a network is tested on, it has not seen.",
        ),
        bars(rows),
        element("h3", f"{len(excerpt)} of the {len(pairs)} rows of ", code("manifest.csv")),
        table(columns, excerpt, texts=2),
    ]


def _excerpt(source: Source) -> list[Pair]:
    """The rows of the followed scene first."""
    pairs = source.pairs
    if not pairs:
        raise Missing("manifest.csv has no rows")
    own = [pair for pair in pairs if pair.scene == source.followed.name]
    return [*own, *(pair for pair in pairs if pair not in own)][:MANIFEST_ROWS]
