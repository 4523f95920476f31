"""The views of a finished dataset: names, contents, hard links, the same bytes every time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from builder.__main__ import main
from builder.atomic_files import CannotWrite, write_folder_once
from builder.dataset.finished import read_scenes, write_table
from builder.export_formats import archive, bagit, paired, sice, triplets, view_writer, webdataset
from builder.images import read_image
from tests.builder.exported_views import AS_PNG, SIMULATED, make_views, tiny_dataset, write_documents
from tests.builder.exporting import contents, lines, rows
from tests.builder.foundry import ROOT, clean_environment

STAMP = "chosen by simulated raters"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A finished dataset; nobody changes it."""
    return tiny_dataset(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def views(dataset) -> Path:
    """All its views, on the same file system; nobody changes them."""
    return make_views(dataset, dataset.parent / "views")


@pytest.fixture
def own_dataset(dataset, tmp_path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(dataset, tmp_path / "1.0.0"))


def manifest(dataset: Path) -> list[dict[str, str]]:
    table = rows(dataset / "manifest.csv")
    assert {row["split"] for row in table} == {"train", "val", "test"}
    return table


def position(row: dict[str, str]) -> str:
    return Path(row["input"]).stem


def key(row: dict[str, str]) -> str:
    return f"{row['scene']}-{position(row)}"


def member_names(archive_path: Path) -> list[str]:
    with tarfile.open(archive_path) as packed:
        return packed.getnames()


def test_views_are_the_same_bytes_elsewhere_and_later(dataset, views, tmp_path):
    copy = tmp_path / "other" / dataset.name  # no hard links in common, other times, other order on disk
    shutil.copytree(dataset, copy)
    for number, path in enumerate(sorted(copy.rglob("*"))):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
        path.chmod(0o700)
    subprocess.run(
        [sys.executable, "-m", "tests.builder.exported_views", copy, tmp_path / "views"],
        check=True,
        cwd=ROOT,
        env=clean_environment(PYTHONHASHSEED="77", TZ="Asia/Tokyo", PYTHONPATH=str(ROOT)),
    )
    mine, theirs = contents(views), contents(tmp_path / "views")
    assert sorted(mine) == sorted(theirs)
    assert [path for path in mine if mine[path] != theirs[path]] == []


def test_views_leave_the_dataset_as_it_is(dataset, views):
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"],
        cwd=dataset, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (check.returncode, check.stdout) == (0, "")


def test_sice_has_its_names_and_links_what_is_jpeg_already(dataset, views):
    part = views / "sice" / "Dataset_Part1"
    table = manifest(dataset)
    expected = {f"{row['sice_number']}/{position(row)}.JPG" for row in table}
    expected |= {f"Label/{row['sice_number']}.JPG" for row in table}
    assert set(contents(part)) == expected
    for row in table:
        source = dataset / row["input"]
        exposure = part / row["sice_number"] / f"{position(row)}.JPG"
        assert source.suffix == ".png" or exposure.samefile(source)
    numbers = {row["scene"]: row["sice_number"] for row in table}
    for row in rows(views / "sice" / "scenes.csv"):
        assert numbers[row["scene"]] == row["number"]
        assert row["stamp"] == (STAMP if row["scene"] == SIMULATED else "")


def test_sice_pictures_are_what_they_were_as_jpeg_without_subsampling(dataset, views):
    converted = 0
    for row in manifest(dataset):
        label = views / "sice" / "Dataset_Part1" / "Label" / f"{row['sice_number']}.JPG"
        pairs = [(label, row["reference"])]
        if row["input"].endswith(".png"):
            assert row["scene"] == AS_PNG
            pairs.append((label.parents[1] / row["sice_number"] / f"{position(row)}.JPG", row["input"]))
            converted += 1
        for jpeg, source in pairs:
            with Image.open(jpeg) as picture, Image.open(dataset / source) as original:
                assert picture.format == "JPEG"
                assert all((h, v) == (1, 1) for _, h, v, _ in picture.layer)
                difference = np.abs(np.asarray(picture).astype(int) - np.asarray(original.convert("RGB")))
            assert difference.mean() < 3
    assert converted == 1


def test_paired_keeps_every_pixel(dataset, views):
    for row in manifest(dataset):
        low, high = (views / "paired" / row["split"] / kind / f"{key(row)}.png" for kind in ("low", "high"))
        assert high.samefile(dataset / row["reference"])
        assert low.read_bytes()[:4] == b"\x89PNG"
        assert np.array_equal(read_image(low), read_image(dataset / row["input"]))
        assert (dataset / row["input"]).suffix == ".jpg" or low.samefile(dataset / row["input"])


def test_shards_are_cut_at_the_size_asked_for(dataset, tmp_path):
    webdataset.write(dataset, tmp_path, shard_bytes=40_000)
    table = rows(tmp_path / "shards.csv")
    assert sum(int(row["samples"]) for row in table) == len(manifest(dataset))
    shards = [tmp_path / row["shard"] for row in table]
    assert sum(row["split"] == "train" for row in table) > 1
    assert all(shard.stat().st_size <= 40_000 + tarfile.RECORDSIZE for shard in shards)
    assert sorted(tmp_path.glob("*.tar")) == sorted(shards)
    names = [name for shard in shards for name in member_names(shard)]
    expected = {
        f"{key(row)}.{end}"
        for row in manifest(dataset)
        for end in (f"input{Path(row['input']).suffix}", "target.png", "json")
    }
    assert len(names) == len(set(names))
    assert set(names) == expected


def test_triplets_part_under_from_over(dataset, views):
    table = rows(views / "triplets" / "triplets.csv")
    evs = {key(row): float(row["relative_ev"]) for row in manifest(dataset)}
    assert len(table) == sum(ev != 0 for ev in evs.values())
    for row in table:
        ldr, hdr, reference = (views / "triplets" / row[column] for column in ("ldr", "hdr", "reference"))
        assert (evs[ldr.stem] > 0) == (row["exposure"] == "over") == (ldr.parent.name == "over")
        folder = dataset / row["split"]
        assert hdr.samefile(folder / "hdr" / f"{row['scene']}.exr")
        assert reference.samefile(folder / "references" / f"{row['scene']}.png")
        assert ldr.samefile(folder / "inputs" / row["scene"] / f"{ldr.stem.rpartition('-')[2]}{ldr.suffix}")
        assert (row["stamp"] == STAMP) == (row["scene"] == SIMULATED)


def test_triplets_of_unknown_exposures_go_by_their_order(own_dataset, tmp_path):
    table = rows(own_dataset / "manifest.csv")
    for row in table:
        if row["scene"] == "scene0001":
            row["relative_ev"] = ""
    columns = tuple(table[0])
    write_table(own_dataset / "manifest.csv", columns, [tuple(row.values()) for row in table])
    triplets.write(own_dataset, tmp_path / "out")
    found = [row for row in rows(tmp_path / "out" / "triplets.csv") if row["scene"] == "scene0001"]
    assert [(row["exposure"], row["relative_ev"], Path(row["ldr"]).stem) for row in found] == [
        ("under", "", "scene0001-1"),
        ("over", "", "scene0001-3"),
    ]


def test_triplets_need_hdr_pictures(own_dataset, tmp_path):
    documents = lines(own_dataset / "scenes.jsonl")
    del documents[3]["hdr"]
    write_documents(own_dataset / "scenes.jsonl", documents)
    with pytest.raises(ValueError, match=f"1 scenes .* first is '{documents[3]['scene']}'.* --hdr"):
        triplets.write(own_dataset, tmp_path / "out")


def test_every_view_carries_citation_and_warning(views):
    for name in ("sice", "paired", "webdataset", "triplets"):
        assert (views / name / "CITATION.cff").read_text().startswith("cff-version")
        assert STAMP in (views / name / "CHOSEN-BY-SIMULATED-RATERS.txt").read_text()


def test_tar_has_no_trace_of_who_packed_it(dataset, views):
    with tarfile.open(views / "packed.tar") as packed:
        members = packed.getmembers()
        unpacked = {one.name: packed.extractfile(one).read() for one in members if one.isfile()}
    expected = {f"1.0.0/{path}": content for path, content in contents(dataset).items()}
    assert unpacked == expected
    names = [one.name for one in members]
    assert names == sorted(names, key=str.encode)
    facts = {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in members}
    assert facts == {(0, 0, "", "", 315532800)}
    assert {(one.type, one.mode) for one in members} == {(tarfile.REGTYPE, 0o644), (tarfile.DIRTYPE, 0o755)}


def test_zip_has_no_trace_of_who_packed_it(dataset, views):
    with zipfile.ZipFile(views / "packed.zip") as packed:
        members = packed.infolist()
        unpacked = {one.filename: packed.read(one) for one in members if not one.is_dir()}
    assert unpacked == {f"1.0.0/{path}": content for path, content in contents(dataset).items()}
    names = [one.filename.rstrip("/") for one in members]
    assert names == sorted(names, key=str.encode)
    assert {(one.create_system, one.compress_type, one.date_time) for one in members} == {
        (3, zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
    }
    assert {one.external_attr >> 16 for one in members} == {0o100644, 0o40755}


def test_archives_carry_the_date_that_they_are_told(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    for suffix in (".tar", ".zip"):
        archive.write(dataset, tmp_path / f"packed{suffix}")
    with tarfile.open(tmp_path / "packed.tar") as tar, zipfile.ZipFile(tmp_path / "packed.zip") as stored:
        assert {one.mtime for one in tar} == {1_000_000_000}
        assert {one.date_time for one in stored.infolist()} == {(2001, 9, 9, 1, 46, 40)}


@pytest.mark.parametrize("date", ["yesterday", "-1", "", "4354819199", "²"])
def test_a_senseless_date_is_refused(dataset, tmp_path, monkeypatch, date):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
    with pytest.raises(ValueError, match=f"SOURCE_DATE_EPOCH='{date}': give whole seconds"):
        archive.write(dataset, tmp_path / "packed.tar")


@pytest.mark.parametrize("write", [archive.write, webdataset.write])
def test_a_damaged_file_is_not_packed(own_dataset, tmp_path, write):
    damaged = next((own_dataset / "val" / "references").iterdir())
    content = bytearray(damaged.read_bytes())
    content[-20] ^= 1
    damaged.write_bytes(content)
    target = tmp_path / ("packed.zip" if write is archive.write else "shards")
    if write is webdataset.write:
        target.mkdir()
    with pytest.raises(ValueError, match=f"{damaged.name} is damaged"):
        write(own_dataset, target)


@pytest.mark.parametrize("write", [sice.write, paired.write, webdataset.write, triplets.write, bagit.write])
def test_a_missing_file_is_named_and_no_view_appears(own_dataset, tmp_path, write):
    missing = next((own_dataset / "test" / "references").iterdir())
    missing.unlink()
    with pytest.raises(ValueError, match=f"{missing.name} is missing although the dataset lists it"):
        write_folder_once(tmp_path / "view", lambda view: write(own_dataset, view))
    assert not (tmp_path / "view").exists()


@pytest.mark.parametrize("write", [sice.write, bagit.write])
def test_a_folder_that_is_no_dataset_is_refused(tmp_path, write):
    with pytest.raises(ValueError, match="is no finished dataset: it has no manifest"):
        write(tmp_path, tmp_path / "view")


@pytest.mark.parametrize(("old", "new"), [("relative_ev", "ev"), (",48,32,", ",wide,32,")])
def test_a_manifest_of_another_version_is_refused(own_dataset, old, new):
    table = own_dataset / "manifest.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"manifest\.csv, line 2: not a row of this version's export"):
        list(read_scenes(own_dataset))


def test_views_are_copies_where_there_are_no_hard_links(dataset, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    bagit.write(dataset, tmp_path)
    assert contents(tmp_path / "data") == contents(dataset)
    assert (tmp_path / "data" / "README.md").stat().st_nlink == 1


def test_a_full_disk_is_told_with_the_path(dataset, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(CannotWrite, match=r"sice: cannot be written \(No space left on device\)"):
        write_folder_once(tmp_path / "sice", lambda view: sice.write(dataset, view))


def test_only_files_of_the_dataset_are_taken(own_dataset, tmp_path):
    before = contents(own_dataset)
    (own_dataset / ".DS_Store").write_bytes(b"stray")
    (own_dataset / "views" / "sice").mkdir(parents=True)
    (own_dataset / "views" / "sice" / "scenes.csv").write_bytes(b"a view")
    bagit.write(own_dataset, tmp_path / "bag")
    assert contents(tmp_path / "bag" / "data") == before


def test_webdataset_facts_are_those_of_the_manifest(dataset, views):
    table = {key(row): row for row in manifest(dataset)}
    seen = 0
    for shard in sorted((views / "webdataset").glob("*.tar")):
        with tarfile.open(shard) as packed:
            for name in packed.getnames():
                if name.endswith(".json"):
                    facts = json.loads(packed.extractfile(name).read())
                    row = table[name.removesuffix(".json")]
                    assert {column: str(facts[column]) for column in ("scene", "split", "stamp")} == {
                        column: row[column] for column in ("scene", "split", "stamp")
                    }
                    assert facts["relative_ev"] == float(row["relative_ev"])
                    seen += 1
    assert seen == len(table)


def test_the_command_makes_views_once_and_changes_none(dataset, tmp_path):
    data = Path(shutil.copytree(dataset.parents[1] / "data", tmp_path / "data"))
    output = tmp_path / "exports"
    shutil.copytree(dataset, output / dataset.name)
    arguments = [
        "export", "--data", str(data), "--output", str(output), "--format", "sice", "--format", "bagit",
        "--archive", "tar",
    ]  # fmt: skip
    for _ in range(2):
        answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
    made = output / dataset.name / "views"
    assert sorted(path.name for path in made.iterdir()) == ["bagit", "sice"]
    assert contents(made / "sice" / "Dataset_Part1" / "Label")
    assert sorted(path.name for path in output.iterdir()) == ["1.0.0", "1.0.0.tar"]


def test_an_unknown_view_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="known are: sice, paired, webdataset, triplets, bagit"):
        view_writer("hdf5")
