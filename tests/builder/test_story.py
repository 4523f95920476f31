"""The page of a run: its sections, that its figures are those of the files, and that it needs nothing else."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.__main__ import main
from builder.commands.story import StoryRequest, write_story
from builder.story.charts import Curve, curves
from builder.story.markup import as_html, element, paragraph
from builder.story.page import SECTIONS
from tests.builder.exporting import export, lines, rows
from tests.builder.faked_dataset import JUDGED_SCENES, FakeScene, fake_dataset, many_scenes
from tests.builder.finished_run import NETWORK, finished_run

VOID = {"img", "meta", "br", "link", "input"}


class Page(HTMLParser):
    """Text by section, and every element with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._section, self._open = "", 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self._open += tag not in VOID
        if tag == "section":
            self._section = str(dict(attributes)["id"])

    def handle_endtag(self, tag: str) -> None:
        self._open -= 1
        if tag == "section":
            self._section = ""

    def handle_data(self, text: str) -> None:
        self.texts[self._section] = self.texts.get(self._section, "") + text + " "

    @property
    def is_balanced(self) -> bool:
        return self._open == 0


@pytest.fixture(scope="module")
def request_of_all(published: Path, tmp_path_factory: pytest.TempPathFactory) -> StoryRequest:
    return finished_run(tmp_path_factory.mktemp("story"), published)


@pytest.fixture(scope="module")
def html(judged: Path, request_of_all: StoryRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    data = Path(shutil.copytree(judged, tmp_path_factory.mktemp("told") / "data"))
    (data / "steps.tsv").write_text("2026-11-22T05:06:00\t75\tpython -m builder build 'a & b'\n")
    report = write_story(data, request_of_all)
    assert not report.tables, report.tables
    return request_of_all.output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_all_sections_are_there_in_order_and_none_lacks_its_files(page):
    ids = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert ids == [section.anchor for section in SECTIONS]
    assert "Nothing to show here" not in " ".join(page.texts.values())
    assert page.is_balanced


def test_nothing_is_referenced_outside_the_page(html, page):
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        if tag == "img":
            assert attributes["src"].startswith("data:image/jpeg;base64,")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "action"):
                assert value.startswith(("#", "data:image/jpeg;base64,"))
    assert not re.search(r"url\(|@import", html)


def test_every_picture_has_an_alternative_text(page):
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) > len(JUDGED_SCENES)
    assert all(attributes["alt"] for attributes in pictures)
    assert all(attributes["aria-label"] for tag, attributes in page.elements if tag == "svg")


def test_the_figures_of_the_study_are_those_of_the_export(published, page):
    judged, text = lines(published / "scenes.jsonl"), page.texts["raters"]
    answers = sum(one["reference"]["raters"] for one in judged)
    assert f"{len(judged)} scenes that became part of the dataset {answers} answers counted" in text
    picks: dict[str, int] = {}
    for row in rows(published / "candidates.csv"):
        picks[row["algorithm"]] = picks.get(row["algorithm"], 0) + int(row["first_picks"])
    for algorithm, count in picks.items():
        references = sum(one["reference"]["algorithm"] == algorithm for one in judged)
        assert f"{algorithm} {count} · reference of {references} scene" in text
    for one in judged:
        assert f"{one['reference']['p_best']:.3f}" in text


def test_simulated_raters_are_marked_with_their_number(published, page):
    stamped = [one for one in lines(published / "scenes.jsonl") if one["reference"]["stamp"]]
    assert len(stamped) == 1
    assert f"{len(stamped)} of {len(lines(published / 'scenes.jsonl'))} references" in page.texts["raters"]
    assert "were simulated" in page.texts["left-out"]


def test_simulated_brackets_are_marked_and_counted(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(1))
    table = [
        "status,role,file",
        f"accepted,frame,{data}/simulated/photos/a/1.jpg",
        "accepted,frame,/photos/2.jpg",
    ]
    (data / "sequences.csv").write_text(
        "\n".join([*table, f"rejected,frame,{data}/simulated/photos/b/1.jpg"])
    )
    write_story(data, StoryRequest(tmp_path / "story.html"))
    page = Page((tmp_path / "story.html").read_text(encoding="utf-8"))
    assert "Simulated:  1 photographs" in page.texts["brackets"]


def test_references_stand_beside_their_exposures(published, page):
    text = page.texts["references"]
    scenes = [row["scene"] for row in rows(published / "manifest.csv")]
    assert text.count("reference ") >= 4
    assert len({name for name in scenes if f" {name} " in text}) == 4


def test_what_is_left_out_stands_there_with_its_reason(published, page):
    for row in rows(published / "excluded.csv"):
        assert row["scene"] in page.texts["left-out"]
        assert row["sentence"] in page.texts["left-out"]


def test_the_dataset_is_counted_by_split(published, page):
    manifest = rows(published / "manifest.csv")
    for split in ("train", "val", "test"):
        own = [row for row in manifest if row["split"] == split]
        scenes = {row["scene"] for row in own}
        assert f"{split} {len(own)} pairs of {len(scenes)} scenes" in page.texts["dataset"]


def test_training_and_evaluation_show_the_numbers_of_their_files(page):
    training, evaluation = page.texts["training"], page.texts["evaluation"]
    for figure in ("400 of 400 steps", "8 crops of 96 pixels", "0.1375", "21.25", "15.75", "8.5"):
        assert figure in training, figure
    for figure in (
        "8.12",
        "[7.50, 9.25]",
        "19.38",
        "[17.50, 21.25]",
        "+11.25",
        "[+10.50, −12.12]",
        "0.875",
        "22.12",
    ):
        assert figure in evaluation, figure
    assert f"{NETWORK} harms: itself_mean < 32" in evaluation


def test_enhanced_pictures_stand_beside_the_score_of_the_same_input(published, page):
    first, last = 1, 3
    scenes = {row["scene"] for row in rows(published / "manifest.csv") if row["split"] == "test"}
    text = page.texts["enhanced"]
    assert text.count("after PSNR") == 2 * len(scenes)
    for position in (first, last):
        assert text.count(f"PSNR {23 + position / 4:.2f} dB") == len(scenes)


def test_commands_and_times_are_those_noted(page):
    assert "python -m builder build 'a & b'" in page.texts["steps"]
    assert "1 min 15 s" in page.texts["steps"]


def test_a_bare_data_folder_gives_a_page_that_says_what_is_missing(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(2))
    report = write_story(data, StoryRequest(tmp_path / "story.html"))
    page = Page((tmp_path / "story.html").read_text(encoding="utf-8"))
    told = {anchor for anchor, text in page.texts.items() if anchor and "Nothing to show here" not in text}
    assert told == {"brackets", "candidates"}
    assert len(report.tables["Sections without their files"]) == len(SECTIONS) - 2
    assert "python -m builder export" in page.texts["raters"]
    assert "--model RUN" in page.texts["training"]


def test_a_damaged_file_takes_only_its_section(judged, request_of_all, tmp_path):
    model = Path(shutil.copytree(request_of_all.model, tmp_path / "model"))
    (model / "metrics.jsonl").write_text("{")
    report = write_story(judged, replace(request_of_all, model=model, output=tmp_path / "story.html"))
    said = list(report.tables["Sections without their files"]["section"])
    assert [sentence for sentence in said if "metrics.jsonl cannot be read" in sentence]
    assert not [sentence for sentence in said if sentence.startswith("Before and after")]


def test_names_are_text_whatever_they_hold(tmp_path):
    name = "a <script>alert(1)</script> & 'b'"
    data = fake_dataset(tmp_path / "data", [FakeScene(name.replace("/", "|"), 1)])
    write_story(data, StoryRequest(tmp_path / "story.html"))
    page = Page((tmp_path / "story.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in page.elements}
    assert name.replace("/", "|") in page.texts["brackets"]
    assert as_html(paragraph("<i>", element("b", "&"))) == b"<!DOCTYPE html>\n<p>&lt;i&gt;<b>&amp;</b></p>"


def test_the_newest_export_is_told_unless_one_is_named(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(3))
    export(data, data / "exports")
    report = write_story(data, StoryRequest(tmp_path / "story.html"))
    assert not [one for one in report.tables["Sections without their files"]["section"] if "export" in one]


@pytest.mark.parametrize("option", ["dataset", "evaluation", "model", "enhanced"])
def test_a_folder_that_is_not_there_is_named(judged, tmp_path, option):
    arguments = [
        "story",
        "--data",
        str(judged),
        "--output",
        str(tmp_path / "s.html"),
        f"--{option}",
        "nowhere",
    ]
    answer = CliRunner().invoke(main, arguments)
    assert (answer.exit_code, f"--{option} nowhere: there is no such folder" in answer.output) == (2, True)


def test_a_folder_without_catalog_is_refused_and_left_alone(tmp_path):
    answer = CliRunner().invoke(
        main, ["story", "--data", str(tmp_path), "--output", str(tmp_path / "s.html")]
    )
    assert answer.exit_code == 2
    assert "has no catalog.sqlite: build first" in answer.output
    assert not list(tmp_path.iterdir())


def test_a_curve_of_one_value_has_an_axis_around_it():
    figure = curves([Curve("flat", [(1, 2.0), (2, 2.0)], "network")], title="Flat", unit="dB")
    ticks = [float(one.text) for one in figure.iter("text") if one.text != "step"]
    assert min(ticks) < 2 < max(ticks)
    assert next(figure.iter("polyline")).get("points")
