"""The first sections: what went in, and the candidates that were made of it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from builder.story.markup import code, element, paragraph, table
from builder.story.pictures import THUMBNAIL, captioned, picture
from builder.story.source import Frame, Fused, SceneFacts, Source
from fusion_algos import ALGORITHMS


def ev_text(ev: float | None) -> str:
    """`+2 EV`, with a real minus sign."""
    return "EV unknown" if ev is None else f"{ev:+g} EV".replace("-", "−").replace("+0 ", "0 ")


def shutter(seconds: float | None) -> str:
    """`1/250 s` as on a camera."""
    if not seconds:
        return ""
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:g} s"


def brackets(source: Source) -> list[Element]:
    """The followed scene as a filmstrip, and all scenes small."""
    scene = source.followed
    frames = sum(len(one.frames) for one in source.scenes.values())
    strip = element("div", *(_frame(scene, one) for one in scene.frames), class_="filmstrip")
    contact = element("div", *(_thumbnail(one) for one in source.scenes.values()), class_="contact")
    return [
        paragraph(
            f"{len(source.scenes)} scenes with {frames} photographs went in, several exposures of each view. ",
            "No single one of them shows everything: the dark ones keep the lights, the bright ones the shadows. "
            "This is the bracket of ", code(scene.name), ", which the story follows; relative exposure and shutter "
            "time are those that the builder read from the files.",
        ),
        *_simulation_notice(source),
        strip,
        element("h3", f"All {len(source.scenes)} scenes, each by its middle exposure"),
        contact,
    ]  # fmt: skip


def _simulation_notice(source: Source) -> list[Element]:
    count = source.simulated_frames
    if not count:
        return []
    words = f"{count} photographs of this run were computed from models of scenes; no camera took them."
    return [paragraph(element("strong", "Simulated: "), words, class_="notice")]


def _frame(scene: SceneFacts, frame: Frame) -> Element:
    words = f"Exposure {frame.position + 1} of {scene.name}, {ev_text(frame.relative_ev)}"
    shown = picture(frame.picture, words, width=480)
    return captioned(
        shown, element("strong", ev_text(frame.relative_ev)), element("span", shutter(frame.seconds))
    )


def _thumbnail(scene: SceneFacts) -> Element:
    middle = scene.middle
    shown = picture(middle.picture if middle else None, f"Middle exposure of {scene.name}", width=THUMBNAIL)
    flags = "".join(f", {flag}" for flag in scene.flags)
    return captioned(shown, scene.name, element("span", f"{len(scene.frames)} frames{flags}"))


def candidates(source: Source) -> list[Element]:
    """What each algorithm made of the followed scene."""
    scene = source.followed
    made = [one for one in scene.candidates if one.picture]
    total = sum(1 for each in source.scenes.values() for one in each.candidates if one.picture)
    grid = element("div", *(_candidate(scene, one) for one in scene.candidates), class_="grid")
    rows = [
        (code(one.name), one.family.replace("_", " "), one.title, one.cite)
        for name in dict.fromkeys(candidate.algorithm for candidate in scene.candidates)
        if (one := ALGORITHMS.get(name))
    ]
    papers = element(
        "details",
        element("summary", "The papers behind the names"),
        table(("name", "family", "title", "citation"), rows, texts=4),
    )
    return [
        paragraph(
            f"Each bracket was aligned, and {len(made)} published algorithms made {len(made)} pictures of ",
            code(scene.name), f"; {total:,} candidates over all scenes. MEF-SSIM says how much of the exposures' "
            "structure a candidate keeps (1 is all). It is a companion figure: it never picks a reference. A gate "
            "refuses candidates with a measurable fault, which the picture below then names.",
        ),
        grid,
        papers,
    ]  # fmt: skip


def _candidate(scene: SceneFacts, candidate: Fused) -> Element:
    shown = picture(candidate.picture, f"Candidate {candidate.algorithm} of {scene.name}", width=480)
    score = "no MEF-SSIM" if candidate.mef_ssim is None else f"MEF-SSIM {candidate.mef_ssim:.3f}"
    faults = [
        element("span", text, class_="fault")
        for text in (*candidate.gate_failures, candidate.failure)
        if text
    ]
    return captioned(shown, element("strong", candidate.algorithm), element("span", score), *faults)
