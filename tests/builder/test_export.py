"""The export as a whole: what is in a dataset, what is not, and that it is the same every time."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from builder.__main__ import main
from builder.atomic_files import digest_path, sha256_hex
from builder.catalog import Candidate, catalog_url, open_catalog
from builder.dataset.duplicates import hash_distance, perceptual_hash
from builder.images import encode_png, read_image
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
from tests.builder.foundry import foundry

MORNING = datetime(2019, 3, 2, 9)
LEFT_OUT = {
    "moving": "dynamic",
    "refused": "reject",
    "unclear": "ambiguous",
    "voided": "void",
    "undecided": "no-reference",
    "crooked": "not-aligned",
    "broken": "not-built",
}
SCENES = [
    *many_scenes(12),
    FakeScene("equals", 50, "accept-equivalent"),
    FakeScene("simulated", 51, rule_version="posterior-1:0123456789ab+simulated"),
    FakeScene("img_0520", 52),  # named after its first camera file
    FakeScene("twin", 53),
    FakeScene("twin-brighter", 53, brightness=0.93, captured_at=MORNING),
    FakeScene("market-1", 54, group="market"),
    FakeScene("market-2", 55, group="market"),
    FakeScene("moving", 60, flags=("dynamic",)),
    FakeScene("refused", 61, "reject"),
    FakeScene("unclear", 62, "ambiguous"),
    FakeScene("voided", 63, "void"),
    FakeScene("undecided", 64, None),
    FakeScene("crooked", 65, status="rejected"),
    FakeScene("broken", 66, status="failed"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A judged data folder; nobody changes it."""
    return fake_dataset(tmp_path_factory.mktemp("judged") / "data", SCENES)


@pytest.fixture(scope="module")
def dataset(data, tmp_path_factory) -> Path:
    """Its export; nobody changes it."""
    own = Path(shutil.copytree(data, tmp_path_factory.mktemp("exported") / "data"))
    return export(own, own.parent / "exports").dataset


def test_two_exports_on_two_folders_are_byte_identical(data, dataset, tmp_path):
    for seed in ("1", "77"):
        own = tmp_path / f"elsewhere-{seed}" / "data"
        shutil.copytree(data, own)
        answer = foundry("export", "--data", own, "--output", own.parent / "out", PYTHONHASHSEED=seed)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert contents(own.parent / "out" / "1.0.0") == contents(dataset)
        assert [path.name for path in (own.parent / "out").iterdir()] == ["1.0.0"]


def test_every_checksum_is_right_and_no_file_is_missing(dataset):
    sums = dict(
        reversed(line.split("  ", 1)) for line in (dataset / "manifest-sha256.txt").read_text().splitlines()
    )
    assert sorted(sums) == sorted(set(contents(dataset)) - {"manifest-sha256.txt"})
    assert all(digest_path(dataset / path) == sha256 for path, sha256 in sums.items())


def test_manifest_has_a_row_per_pair_with_facts_that_are_true(dataset):
    table = rows(dataset / "manifest.csv")
    accepted = len(SCENES) - len(LEFT_OUT)
    assert len(table) == accepted * 3
    assert sorted({int(row["sice_number"]) for row in table}) == list(range(1, accepted + 1))
    for row in table:
        exposure, reference = (read_image(dataset / row[column]) for column in ("input", "reference"))
        assert exposure.shape == reference.shape == (int(row["height"]), int(row["width"]), 3)
        assert digest_path(dataset / row["input"]) == row["input_sha256"]
        assert digest_path(dataset / row["reference"]) == row["reference_sha256"]
        assert row["input"].startswith(f"{row['split']}/inputs/{row['scene']}/")
    by_scene: dict[str, list[float]] = {}
    for row in table:
        by_scene.setdefault(row["scene"], []).append(float(row["relative_ev"]))
    assert all(evs == [-2.0, 0.0, 2.0] for evs in by_scene.values())


def test_inputs_are_the_cameras_pixels(data, dataset):
    for k, name in enumerate(sorted((data / "originals" / "scene0003").iterdir()), start=1):
        split = splits_of(dataset)["scene0003"]
        assert np.array_equal(read_image(name), read_image(dataset / split / "inputs/scene0003" / f"{k}.jpg"))


def test_scenes_left_out_are_named_with_their_reason(dataset):
    found = {row["scene"]: row["reason"] for row in rows(dataset / "excluded.csv")}
    assert found == LEFT_OUT
    assert all(len(row["sentence"]) > 20 for row in rows(dataset / "excluded.csv"))
    assert not set(found) & set(splits_of(dataset))


def test_splits_are_disjoint_by_group_by_file_and_by_look(dataset):
    splits, looks = splits_of(dataset), {}
    owners: dict[tuple[str, str], set[str]] = {}
    for row in rows(dataset / "manifest.csv"):
        assert splits[row["scene"]] == row["split"]
        for kind in ("group", "input_sha256", "reference_sha256"):
            owners.setdefault((kind, row[kind]), set()).add(row["split"])
        if row["relative_ev"] == "0":
            looks[row["scene"]] = perceptual_hash(read_image(dataset / row["input"]))
    assert all(len(found) == 1 for found in owners.values())
    near = [
        (one, other)
        for one in looks
        for other in looks
        if one < other and hash_distance(looks[one], looks[other]) <= 6
    ]
    assert near == [("twin", "twin-brighter")]
    assert splits["twin"] == splits["twin-brighter"]
    assert splits["market-1"] == splits["market-2"]
    groups = {row["scene"]: row["group"] for row in rows(dataset / "splits" / "groups.csv")}
    assert groups["twin"] == groups["twin-brighter"] == "twin"
    assert groups["market-1"] == groups["market-2"] == "market"


def test_a_hand_made_groups_file_wins_over_looks(data, tmp_path):
    own = Path(shutil.copytree(data, tmp_path / "data"))
    text = "scene,group\ntwin,twin\ntwin-brighter,other view\nscene0001,pair\nscene0002,pair\n"
    (own / "groups.csv").write_text(text)
    export(own, tmp_path / "out")
    groups = {row["scene"]: row["group"] for row in rows(tmp_path / "out/1.0.0/splits/groups.csv")}
    assert groups["twin"] != groups["twin-brighter"]
    assert groups["scene0001"] == groups["scene0002"] == "pair"


def test_adding_scenes_moves_none_and_changes_no_number(tmp_path):
    scenes = many_scenes(30)
    data = fake_dataset(tmp_path / "data", scenes[10:])
    first = export(data, tmp_path / "out", exact_splits=True)
    fake_dataset(data, scenes[:10])
    second = export(data, tmp_path / "out", exact_splits=True, version="1.1.0")
    before = {place.scene: (place.split, place.number) for place in first.places}
    after = {place.scene: (place.split, place.number) for place in second.places}
    assert {scene: after[scene] for scene in before} == before
    assert sorted(number for _, number in after.values()) == list(range(1, 31))
    counts = [sum(split == name for split, _ in after.values()) for name in ("train", "val", "test")]
    assert counts == [21, 3, 6]


SECRETS = [SERIAL, OWNER, ARTIST, COMMENT, XMP_SECRET, PLACE.decode(), "IMG_", "img_0520"]
SECRETS += [f"{VOTED_AT:%H:%M:%S}", f"{VOTED_AT:%Y-%m-%d}", "2018-01-01", "12:00:00", "dddddddd"]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_exported_byte_tells_place_person_camera_or_time(data, dataset, secret):
    needles = [secret.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    found = [
        path for path, content in contents(dataset).items() if any(needle in content for needle in needles)
    ]
    assert not found
    names = [path for path in contents(dataset) if secret.lower() in path.lower()]
    assert not names


def test_the_scan_for_secrets_would_find_them(data):
    originals = b"".join(contents(data / "originals").values())
    assert all(secret.encode() in originals for secret in (SERIAL, OWNER, ARTIST, COMMENT, XMP_SECRET))


def test_files_hold_no_metadata_at_all(dataset):
    """JPEG: the segments of a picture only. PNG: header, pixels, end."""
    for path, content in contents(dataset).items():
        if path.endswith(".jpg"):
            assert not any(bytes([0xFF, 0xE0 + k]) in content[:600] for k in (1, 2, 13))
        if path.endswith(".png"):
            assert {content[at : at + 4] for at in _png_chunks(content)} <= {b"IHDR", b"IDAT", b"IEND"}


def _png_chunks(content: bytes):
    position = 8
    while position < len(content):
        yield position + 4
        position += 12 + int.from_bytes(content[position : position + 4], "big")


def test_votes_are_counts(dataset):
    table = [row for row in rows(dataset / "candidates.csv") if row["scene"] == "equals"]
    assert [(row["algorithm"], row["first_picks"]) for row in table] == [
        ("bruce2014", "9"), ("li2013", "1"), ("mertens2009", "1"),
    ]  # fmt: skip
    assert [row["algorithm"] for row in table if row["is_reference"] == "1"] == ["bruce2014"]
    scene = next(one for one in lines(dataset / "scenes.jsonl") if one["scene"] == "equals")
    assert scene["reference"]["raters"] == 11
    assert scene["reference"]["first_picks"] == 9
    assert scene["reference"]["verdict"] == "accept-equivalent"
    assert scene["reference"]["p_best"] == 0.97


def test_simulated_raters_are_named_where_they_chose(dataset):
    stamps = {row["scene"]: row["stamp"] for row in rows(dataset / "manifest.csv")}
    assert stamps.pop("simulated") == "chosen by simulated raters"
    assert set(stamps.values()) == {""}
    assert "chosen by simulated raters" in (dataset / "README.md").read_text()
    assert (dataset / "CHOSEN-BY-SIMULATED-RATERS.txt").exists()


def test_an_export_by_algorithm_says_so_wherever_it_could_be_misread(data, tmp_path):
    own = Path(shutil.copytree(data, tmp_path / "data"))
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


def test_a_version_is_never_overwritten(data, dataset):
    before = contents(dataset)
    with pytest.raises(ValueError, match="never overwritten"):
        export(data, dataset.parent)
    assert contents(dataset) == before


def test_a_damaged_scene_is_left_out_and_told(data, tmp_path):
    own = Path(shutil.copytree(data, tmp_path / "data"))
    original = sorted((own / "originals" / "scene0002").iterdir())[2]
    original.write_bytes(original.read_bytes()[:-40])
    answer = CliRunner().invoke(main, ["export", "--data", str(own)])
    assert answer.exit_code == 1
    assert original.name in answer.stdout
    found = {row["scene"]: row["reason"] for row in rows(own / "exports/1.0.0/excluded.csv")}
    assert found["scene0002"] == "damaged"
    assert not [path for path in contents(own / "exports/1.0.0") if "scene0002" in path]


def replace_candidate(data: Path, scene: str, content: bytes) -> None:
    """Another picture under the chosen candidate's name, as if the catalog had meant it."""
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        for row in session.scalars(select(Candidate).where(Candidate.path.like(f"fused/{scene}/%"))):
            row.sha256 = sha256_hex(content)
            (data / str(row.path)).write_bytes(content)
    catalog.close()


def test_the_memory_does_not_grow_with_pictures(tmp_path):
    """Only names and checksums stay: some kilobytes a scene, whatever the size of its pictures."""
    peaks = []
    for count in (10, 50):
        data = fake_dataset(tmp_path / f"data{count}", many_scenes(count))
        tracemalloc.start()
        export(data, tmp_path / f"out{count}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 40 * 16_384


def test_a_catalog_in_another_order_gives_the_same_dataset(tmp_path):
    one = fake_dataset(tmp_path / "one", many_scenes(6))
    other = fake_dataset(tmp_path / "other", many_scenes(6)[::-1])
    assert contents(export(one, tmp_path / "a").dataset) == contents(export(other, tmp_path / "b").dataset)


def test_settings_of_the_export_are_in_its_texts(tmp_path):
    settings = SETTINGS + 'contact = "lab@example.org"\ndate = "2026-11-22"\nversion = "2.0"\n'
    dataset = export(
        fake_dataset(tmp_path / "data", many_scenes(2), settings=settings), tmp_path / "out"
    ).dataset
    assert dataset.name == "2.0"
    readme, citation = ((dataset / name).read_text() for name in ("README.md", "CITATION.cff"))
    assert all(text in readme for text in ("lab@example.org", "CC-BY-4.0", "A lab", "Tiny brackets"))
    assert 'date-released: "2026-11-22"' in citation


def test_a_scene_with_a_reference_of_another_view_or_size_is_left_out(data, tmp_path):
    own = Path(shutil.copytree(data, tmp_path / "data"))
    replace_candidate(own, "scene0001", (own / next_candidate(own, "scene0005")).read_bytes())
    replace_candidate(own, "scene0002", encode_png(np.full((32, 50, 3), 90, np.uint8)))
    outcome = export(own, tmp_path / "out")
    found = {one.scene: one.reason for one in outcome.excluded}
    assert found["scene0001"] == "reference-mismatch"
    assert found["scene0002"] == "reference-size"
    assert "scene0005" in splits_of(outcome.dataset)


def next_candidate(data: Path, scene: str) -> str:
    return next((data / "fused" / scene).iterdir()).relative_to(data).as_posix()


def test_readme_has_the_seven_headings_and_its_figures(dataset):
    text = (dataset / "README.md").read_text()
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
    figures = sorted(path.name for path in (dataset / "figures").iterdir())
    assert figures == ["agreement.svg", "algorithms.svg", "exposures.svg", "splits.svg"]
    assert all(f"(figures/{name})" in text for name in figures)


def test_a_changed_reference_is_written_anew_in_the_next_version(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(3))
    export(data, tmp_path / "out")
    other = fake_dataset(tmp_path / "other", [replace(one, brightness=0.8) for one in many_scenes(3)])
    second = export(other, tmp_path / "out", version="2")
    assert second.kept == 0
    first = rows(tmp_path / "out/1.0.0/manifest.csv")
    assert {row["reference_sha256"] for row in first}.isdisjoint(
        row["reference_sha256"] for row in rows(second.dataset / "manifest.csv")
    )
