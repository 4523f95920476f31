"""What a dataset says of people: who chose, on which terms, and nothing that is theirs alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.__main__ import main
from tests.builder.exporting import contents, export, lines, rows, splits_of
from tests.builder.faked_dataset import (
    ARTIST,
    COMMENT,
    OWNER,
    PLACE,
    SERIAL,
    SETTINGS,
    VOTED_AT,
    XMP_SECRET,
    FakeScene,
    fake_dataset,
    many_scenes,
)

SECRETS = [SERIAL, OWNER, ARTIST, COMMENT, XMP_SECRET, PLACE.decode(), "IMG_", "img_0520"]
SECRETS += [f"{VOTED_AT:%H:%M:%S}", f"{VOTED_AT:%Y-%m-%d}", "2018-01-01", "12:00:00", "dddddddd"]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_exported_byte_tells_place_person_camera_or_time(judged, published, secret):
    needles = [secret.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    found = [
        path for path, content in contents(published).items() if any(needle in content for needle in needles)
    ]
    assert not found
    names = [path for path in contents(published) if secret.lower() in path.lower()]
    assert not names


def test_the_scan_for_secrets_would_find_them(judged):
    originals = b"".join(contents(judged / "originals").values())
    assert all(secret.encode() in originals for secret in (SERIAL, OWNER, ARTIST, COMMENT, XMP_SECRET))


def test_files_hold_no_metadata_at_all(published):
    """JPEG: the segments of a picture only. PNG: header, pixels, end."""
    for path, content in contents(published).items():
        if path.endswith(".jpg"):
            assert not any(bytes([0xFF, 0xE0 + k]) in content[:600] for k in (1, 2, 13))
        if path.endswith(".png"):
            assert {content[at : at + 4] for at in _png_chunks(content)} <= {b"IHDR", b"IDAT", b"IEND"}


def _png_chunks(content: bytes):
    position = 8
    while position < len(content):
        yield position + 4
        position += 12 + int.from_bytes(content[position : position + 4], "big")


def test_votes_are_counts(published):
    table = [row for row in rows(published / "candidates.csv") if row["scene"] == "equals"]
    assert [(row["algorithm"], row["first_picks"]) for row in table] == [
        ("bruce2014", "9"), ("li2013", "1"), ("mertens2009", "1"),
    ]  # fmt: skip
    assert [row["algorithm"] for row in table if row["is_reference"] == "1"] == ["bruce2014"]
    scene = next(one for one in lines(published / "scenes.jsonl") if one["scene"] == "equals")
    assert scene["reference"]["raters"] == 11
    assert scene["reference"]["first_picks"] == 9
    assert scene["reference"]["verdict"] == "accept-equivalent"
    assert scene["reference"]["p_best"] == 0.97


def test_simulated_raters_are_named_where_they_chose(published):
    stamps = {row["scene"]: row["stamp"] for row in rows(published / "manifest.csv")}
    assert stamps.pop("simulated") == "chosen by simulated raters"
    assert set(stamps.values()) == {""}
    assert "chosen by simulated raters" in (published / "README.md").read_text()
    assert (published / "CHOSEN-BY-SIMULATED-RATERS.txt").exists()


def test_an_export_by_algorithm_says_so_wherever_it_could_be_misread(judged, tmp_path):
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    outcome = export(own, tmp_path / "out", reference="algorithm:li2013")
    stamp = "not chosen by people"
    for name in (
        "README.md",
        "croissant.json",
        "CITATION.cff",
        "NOT-CHOSEN-BY-PEOPLE.txt",
        "figures/algorithms.svg",
    ):
        assert stamp in (outcome.dataset / name).read_text(), name
    for name in ("manifest.csv", "candidates.csv"):
        assert {row["stamp"] for row in rows(outcome.dataset / name)} == {stamp}
    assert {row["reference"]["stamp"] for row in lines(outcome.dataset / "scenes.jsonl")} == {stamp}
    for split in ("train", "val", "test"):
        assert {row["stamp"] for row in lines(outcome.dataset / split / "metadata.jsonl")} <= {stamp}
    assert {row["algorithm"] for row in rows(outcome.dataset / "manifest.csv")} == {"li2013"}
    assert not (own / "splits.lock").exists()  # a trial freezes nothing
    assert "undecided" in splits_of(outcome.dataset)
    assert "moving" not in splits_of(outcome.dataset)


def test_a_dataset_without_stamps_has_no_warning(tmp_path):
    dataset = export(fake_dataset(tmp_path / "data", many_scenes(2)), tmp_path / "out").dataset
    everything = b"".join(contents(dataset).values())
    assert b"not chosen" not in everything
    assert b"simulated" not in everything


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "python -m study_app decide"),
        (("--reference", "algorithm:nobody2020"), "there are: bruce2014, li2013, mertens2009"),
        (("--reference", "nobody2020"), "give algorithm:NAME"),
        (("--version", "../up"), "version '../up'"),
        (("--format", "nonsense"), "--format nonsense: unknown"),
    ],
)
def test_what_cannot_be_exported_ends_with_2_and_a_sentence(tmp_path, options, sentence):
    data = fake_dataset(tmp_path / "data", [FakeScene("a", 1, None), FakeScene("b", 2, "reject")])
    answer = CliRunner().invoke(main, ["export", "--data", str(data), *options])
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (data / "exports").exists()


def test_a_license_is_required(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(1), settings='[export]\ntitle = "x"\n')
    with pytest.raises(ValueError, match=r'license = "CC-BY-4\.0"'):
        export(data, tmp_path / "out")


def test_settings_of_the_export_are_in_its_texts(tmp_path):
    settings = SETTINGS + 'contact = "lab@example.org"\ndate = "2026-11-22"\nversion = "2.0"\n'
    dataset = export(
        fake_dataset(tmp_path / "data", many_scenes(2), settings=settings), tmp_path / "out"
    ).dataset
    assert dataset.name == "2.0"
    readme, citation = ((dataset / name).read_text() for name in ("README.md", "CITATION.cff"))
    assert all(text in readme for text in ("lab@example.org", "CC-BY-4.0", "A lab", "Tiny brackets"))
    assert 'date-released: "2026-11-22"' in citation


def test_readme_has_the_seven_headings_and_its_figures(published):
    text = (published / "README.md").read_text()
    headings = (
        "Motivation",
        "Composition",
        "Collection process",
        "Preprocessing",
        "Uses",
        "Distribution",
        "Maintenance",
    )
    assert all(f"\n## {heading}" in text for heading in headings)
    figures = sorted(path.name for path in (published / "figures").iterdir())
    assert figures == ["agreement.svg", "algorithms.svg", "exposures.svg", "splits.svg"]
    assert all(f"(figures/{name})" in text for name in figures)
