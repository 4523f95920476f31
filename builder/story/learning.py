"""The last sections: training, evaluation, enhanced pictures, and how all of it was made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from builder.dataset.finished import Pair
from builder.story.charts import Curve, Interval, curves, intervals
from builder.story.judging import stamp_notice
from builder.story.making import ev_text
from builder.story.markup import Child, code, element, paragraph, table
from builder.story.pictures import captioned, picture
from builder.story.source import Missing, Source

KINDS = {"under": "Under-exposed input", "over": "Over-exposed input", "well": "Well-exposed input"}
COLUMNS = {"psnr": ("PSNR, dB", 2), "ssim_rgb_g11": ("SSIM", 3), "mef_ssim": ("MEF-SSIM", 3)}
GATE = {
    "itself_mean": "references, mean dB",
    "itself_p5": "references, 5th percentile dB",
    "well_change": "well-exposed, change dB",
}
UNKNOWN = "–"
MEAN, DIFFERENCE = ("mean", "low", "high"), ("difference", "difference_low", "difference_high")


def training(source: Source) -> list[Element]:
    """Loss and validation over the steps."""
    log, settings = source.training_log, source.settings
    losses = [line for line in log if line.get("loss") is not None]
    if not losses:
        raise Missing("metrics.jsonl has no line yet: the training has only begun")
    names = [name for name, weight in settings["losses"].items() if weight]
    charts = [
        curves(
            [Curve("loss", [(one["step"], one["loss"]) for one in losses], "network")],
            title="Training loss", unit=" + ".join(names),
        )
    ]  # fmt: skip
    charts += _validation_charts([line for line in log if "validation" in line])
    steps, batch = settings["optimization"]["steps"], settings["optimization"]["batch"]
    return [
        paragraph(
            "A network learns to turn any one exposure into the reference of its scene. This one is ",
            code(settings["network"]), f", trained for {losses[-1]['step']:,} of {steps:,} steps with {batch} crops of "
            f"{settings['data']['crop']} pixels each, seed {settings['run']['seed']}. Validation scenes take no part: "
            "they choose which state of the network is kept.",
        ),
        element("div", *charts, class_="charts"),
    ]  # fmt: skip


def _validation_charts(lines: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]]) -> Iterator[Element]:
    for kind, title in KINDS.items():
        found = [line for line in lines if kind in line["validation"]]
        if not found:
            continue
        rows = [
            Curve(name, [(float(line["step"]), line["validation"][kind][key]) for line in found], style)  # type: ignore[arg-type]
            for name, key, style in (
                ("network", "psnr", "network"), ("gamma", "gamma", "second"), ("unchanged", "identity", "third"),
            )
            if key in found[-1]["validation"][kind]
        ]  # fmt: skip
        yield curves(rows, title=title, unit="PSNR in dB, validation scenes")


def evaluation(source: Source) -> list[Element]:
    """Tables and charts of PSNR by kind of input, networks beside baselines."""
    header = source.report["header"]
    bootstrap, images = header["bootstrap"], header["images"]
    kinds = [kind for kind in KINDS if any(row["table"] == kind for row in source.summary)]
    shown = ", ".join(f"{count} {kind}" for kind, count in images.items())
    return [
        paragraph(
            f"How near does each method come to the reference? Split {header['split']}: {header['scenes']} scenes, "
            f"inputs: {shown}. Images are averaged in their scene, scenes weigh alike; brackets and lines are "
            f"{bootstrap['level']:.0%} intervals of {bootstrap['resamples']:,} bootstrap resamples of scenes: few "
            "scenes give wide ones.",
        ),
        *_warnings(source),
        *(_comparison(source, kind) for kind in kinds),
        *_gate(source),
    ]


def _warnings(source: Source) -> list[Element]:
    """What stands beside every figure that was measured against such references."""
    return stamp_notice(source) if source.dataset else []


def _comparison(source: Source, kind: str) -> Element:
    rows = [row for row in source.summary if row["table"] == kind]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    cells = {(row["method"], row["metric"]): row for row in rows}
    against = source.report["header"]["against"]
    lines = [
        (
            _method(source, method),
            *(
                _with_interval(cells.get((method, key)), MEAN, f".{digits}f")
                for key, (_, digits) in COLUMNS.items()
            ),
            _with_interval(cells.get((method, "psnr")), DIFFERENCE, "+.2f"),
        )
        for method in methods
    ]
    titles = [title for title, _ in COLUMNS.values()]
    chart = intervals(
        [_interval(source, cells[method, "psnr"]) for method in methods if (method, "psnr") in cells],
        title=f"{KINDS[kind]}: mean PSNR in dB and its interval",
    )
    return element(
        "div",
        element("h3", KINDS[kind]),
        element(
            "div",
            captioned(chart, "PSNR in dB, mean and interval"),
            table(("method", *titles, f"PSNR against {against}"), lines),
            class_="comparison",
        ),
    )


def _method(source: Source, name: str) -> Child:
    return element("strong", name) if name in source.networks else name


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _with_interval(row: Mapping[str, str] | None, names: Sequence[str], form: str) -> Child:
    """A mean, and its interval below it; `names` are the columns of the three."""
    mean, low, high = (_number(row[name]) if row else math.nan for name in names)
    if math.isnan(mean):
        return UNKNOWN
    if math.isnan(low):
        return format(mean, form)
    interval = element("span", f"[{low:{form}}, {high:{form}}]".replace("-", "−"), class_="interval")
    return element("span", f"{mean:{form}} ".replace("-", "−"), interval)


def _interval(source: Source, row: Mapping[str, str]) -> Interval:
    kind = "network" if row["method"] in source.networks else ""
    mean, low, high = (_number(row[key]) for key in MEAN)
    return Interval(row["method"], mean, low, high, kind)


def _gate(source: Source) -> list[Element]:
    """Which methods spoil what needs nothing, in the evaluation's own words."""
    rows = source.report["do_no_harm"]
    lines = [
        (
            _method(source, row["method"]),
            f"harms: {row['harm']}" if row["harm"] else "passed",
            *(_two(row[key]) for key in GATE),
        )
        for row in rows
    ]
    return [
        element("h3", "Do no harm: references and well-exposed pictures as input"),
        table(("method", "verdict", *GATE.values()), lines, texts=2),
    ]


def _two(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}".replace("-", "−")


def enhanced(source: Source) -> list[Element]:
    """Darkest and brightest input of each scene: before, after, reference."""
    if source.enhanced is None:
        raise Missing(
            "no enhanced pictures were named: --enhanced DIR, a folder of python -m trainer enhance"
        )
    rows = [_triptych(source, *one) for one in shown_pairs(source)]
    if not rows:
        raise Missing(f"{source.shown(source.enhanced)} has no enhanced version of an input of the dataset")
    return [
        paragraph(
            "Single exposures through the trained network: the darkest and the brightest of each scene that it was "
            "not trained on. The reference stands beside them.",
        ),
        *rows,
    ]


def shown_pairs(source: Source) -> list[tuple[Pair, Path]]:
    """Darkest and brightest input of each held-out scene with its enhanced version, the followed scene first."""
    by_scene: dict[str, list[Pair]] = {}
    for pair in source.pairs:
        if pair.split != "train":
            by_scene.setdefault(pair.scene, []).append(pair)
    followed = source.followed.name
    names = sorted(by_scene, key=lambda name: name != followed)
    ends = [pair for name in names for pair in (by_scene[name][0], by_scene[name][-1])]
    return [(pair, path) for pair in ends if (path := source.enhanced_of(pair))]


def _triptych(source: Source, pair: Pair, path: Path) -> Element:
    folder = source.exported("manifest.csv").parent
    before = picture(folder / pair.input, f"{pair.scene}, input at {ev_text(pair.relative_ev)}", width=560)
    after = picture(path, f"{pair.scene}, the same after the network", width=560)
    goal = picture(folder / pair.reference, f"Reference of {pair.scene}", width=560)
    captions = (
        captioned(before, element("strong", "before"), element("span", _score(source, pair, "identity"))),
        captioned(after, element("strong", "after"), element("span", _network_score(source, pair)), class_="after"),
        captioned(goal, element("strong", "reference"), element("span", pair.algorithm), class_="reference"),
    )  # fmt: skip
    title = element("h3", code(pair.scene), f" at {ev_text(pair.relative_ev)}")
    return element("div", title, element("div", *captions, class_="triptych"), class_="scene")


def _network_score(source: Source, pair: Pair) -> str:
    found = source.networks if source.evaluation else ()
    return _score(source, pair, found[0]) if len(found) == 1 else ""


def _score(source: Source, pair: Pair, method: str) -> str:
    """As the evaluation measured it; nothing where it did not."""
    if source.evaluation is None:
        return ""
    rows = [row for row in source.images if row["input"] == pair.input and row["method"] == method]
    return f"PSNR {float(rows[0]['psnr']):.2f} dB" if rows and rows[0]["psnr"] else ""


def steps(source: Source) -> list[Element]:
    """Commands with their times, and versions."""
    records = source.records
    try:
        done = source.steps
    except Missing as missing:
        done = [(one["started"], float(one["seconds"]), _typed(one)) for one in records]
        note = f"{missing}; these are the commands that the builder recorded itself."
    else:
        note = "The command that wrote this page is not in the list: it was still running."
    if not done:
        raise Missing(f"{source.shown(source.data / 'runs')} has no record of a command")
    rows = [
        (code(command), start.replace("T", " ")[:19], _duration(seconds)) for start, seconds, command in done
    ]
    total = sum(seconds for _, seconds, _ in done)
    parts = [
        paragraph(f"Each command as it was called, in order: {len(done)} in {_duration(total)}. {note}"),
        table(("command", "start, UTC", "took"), rows),
    ]
    if records:
        parts.append(_versions(records))
    return parts


def _typed(record: Mapping[str, Sequence[str]]) -> str:
    return " ".join(["python -m builder", *record["arguments"]])


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _versions(records: Sequence[Mapping[str, Mapping[str, str]]]) -> Element:
    names = ", ".join(f"{name} {number}" for name, number in records[-1]["versions"].items())
    commit = records[-1].get("commit")
    return paragraph(f"Made with {names}" + (f"; commit {commit}." if commit else "."), class_="from")
