"""Files are written once, completely, under a name that follows from their recipe."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from builder.atomic_files import (
    UNFINISHED,
    CannotWrite,
    NotDeterministic,
    readable_name,
    replace_file,
    replacing,
    write_folder_once,
    write_once,
)
from builder.store import Recipe, Store, canonical_json, library_versions


def recipe(**settings: object) -> Recipe:
    return Recipe("fused", "church", "mertens2009", ("a" * 64,), {"algorithm": "mertens2009", **settings})


def make(store: Store, made: Recipe, data: bytes = b"pixels"):
    draft = store.draft(made)
    draft.add_file(data, ".png")
    return draft.finish({"width": 3}, {"seconds": 1.0})


def test_a_product_is_found_again(tmp_path):
    store = Store(tmp_path)
    assert store.find(recipe()) is None
    make(store, recipe())
    product = store.find(recipe())
    assert product is not None
    assert (tmp_path / product.path(".png")).read_bytes() == b"pixels"
    assert product.result["width"] == 3
    assert product.inputs == ("a" * 64,)
    assert product.path(".png") == f"fused/church/mertens2009-{recipe().key[:12]}.png"


def test_every_part_of_the_recipe_decides_the_key():
    keys = {
        recipe().key,
        recipe(revision=2).key,
        Recipe("fused", "church", "mertens2009", ("b" * 64,), {"algorithm": "mertens2009"}).key,
        Recipe("fused", "church", "li2013", ("a" * 64,), {"algorithm": "mertens2009"}).key,
        Recipe("aligned", "church", "mertens2009", ("a" * 64,), {"algorithm": "mertens2009"}).key,
    }
    assert len(keys) == 5


def test_the_scene_name_and_the_order_of_settings_do_not_decide_the_key():
    one = Recipe("fused", "church", "x", (), {"a": 1, "b": 2.0})
    other = Recipe("fused", "renamed", "x", (), {"b": 2.0, "a": 1})
    assert one.key == other.key


def test_the_key_is_stable_across_releases():
    """A changed key would orphan every derived file and every vote: change SCHEMA knowingly."""
    fixed = Recipe("fused", "church", "mertens2009", ("0" * 64,), {"revision": 1, "sigma": 0.2})
    assert fixed.key == "4c121299e8c7a141a78891912f78b463ede79e30dc313dd2ad8debbb0049f1a2"


def test_canonical_json_refuses_nan():
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json({"a": float("nan")})


def test_a_lost_file_or_a_changed_size_means_make_it_again(tmp_path):
    store = Store(tmp_path)
    path = tmp_path / make(store, recipe()).path(".png")
    path.unlink()
    assert store.find(recipe()) is None
    make(store, recipe())
    path.write_bytes(b"short")
    assert store.find(recipe()) is None


def test_a_sidecar_of_another_schema_or_half_of_one_is_ignored(tmp_path):
    store = Store(tmp_path)
    make(store, recipe())
    sidecar = store.sidecar(recipe())
    text = sidecar.read_text()
    sidecar.write_text(text[: len(text) // 2])
    assert store.find(recipe()) is None
    document = json.loads(text)
    document["recipe"]["schema"] = 99
    sidecar.write_text(json.dumps(document))
    assert store.find(recipe()) is None


def test_other_bytes_under_a_taken_name_are_refused(tmp_path):
    store = Store(tmp_path)
    make(store, recipe(), b"first")
    with pytest.raises(NotDeterministic, match=r"mertens2009-.*\.png: the same recipe gave other bytes"):
        make(store, recipe(), b"other")
    assert (tmp_path / store.find(recipe()).path(".png")).read_bytes() == b"first"


def test_the_same_bytes_again_are_fine_and_change_nothing(tmp_path):
    store = Store(tmp_path)
    make(store, recipe())
    before = store.sidecar(recipe()).stat()
    draft = store.draft(recipe())
    draft.add_file(b"pixels", ".png")
    product = draft.finish({"width": 3}, {"seconds": 99.0})  # a host that was cut off comes late
    assert product.run["seconds"] == 1.0
    after = store.sidecar(recipe()).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not list(tmp_path.rglob(f"{UNFINISHED}*"))


def test_a_sidecar_whose_file_has_another_size_is_replaced(tmp_path):
    store = Store(tmp_path)
    product = make(store, recipe())
    (tmp_path / product.path(".png")).unlink()
    again = make(store, recipe(), b"more pixels")
    assert store.find(recipe()) == again


def test_verify_finds_a_flipped_byte_of_the_same_size(tmp_path):
    store = Store(tmp_path)
    product = make(store, recipe())
    assert store.verify(product) == ()
    path = tmp_path / product.path(".png")
    path.write_bytes(b"pixelz")
    assert store.find(recipe()) is not None  # the size agrees: only hashing can tell
    assert store.verify(product) == (product.path(".png"),)


def test_a_folder_appears_complete_or_not_at_all(tmp_path):
    store = Store(tmp_path)

    def half(folder: Path) -> None:
        (folder / "a.jpg").write_bytes(b"a")
        raise RuntimeError("the tile writer broke")

    with pytest.raises(RuntimeError, match="tile writer"):
        store.draft(recipe()).add_folder(half)
    assert not (store.folder("fused", "church") / recipe().name).exists()

    def whole(folder: Path) -> None:
        (folder / "a.jpg").write_bytes(b"a")
        (folder / "b").mkdir()
        (folder / "b" / "c.jpg").write_bytes(b"cc")

    draft = store.draft(recipe())
    draft.add_folder(whole)
    product = draft.finish({}, {})
    assert (product.files[0].entries, product.files[0].size) == (2, 3)
    assert store.find(recipe()) == product
    assert store.verify(product) == ()


def fill_with(content: bytes):
    def fill(folder: Path) -> None:
        (folder / "a.jpg").write_bytes(content)

    return fill


def test_two_hosts_may_finish_the_same_folder_at_once(tmp_path):
    """Neither sees the other's before its own is complete; the later one finds the name taken."""
    final = tmp_path / "tiles"

    def overtaken(content: bytes):
        def fill(folder: Path) -> None:
            fill_with(b"tile")(folder)
            (final).mkdir()
            fill_with(content)(final)

        return fill

    assert write_folder_once(final, overtaken(b"tile"))[1:] == (4, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["tiles"]
    (final / "a.jpg").unlink()
    final.rmdir()
    with pytest.raises(NotDeterministic, match="tiles: the same recipe gave other bytes"):
        write_folder_once(final, overtaken(b"other"))
    assert (final / "a.jpg").read_bytes() == b"other"


def test_only_run_differs_between_two_makings(tmp_path):
    documents = []
    for folder in ("one", "two"):
        store = Store(tmp_path / folder)
        make(store, recipe())
        documents.append(json.loads(store.sidecar(recipe()).read_text()))
    for document in documents:
        assert set(document.pop("run")) >= {"started", "finished", "host", "processor", "seconds"}
    assert documents[0] == documents[1]


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builder.atomic_files.os.fsync", full)
    with pytest.raises(
        CannotWrite, match=r"church.*cannot be written \(No space left on device\).*make room"
    ):
        make(Store(tmp_path), recipe())
    monkeypatch.undo()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert make(Store(tmp_path), recipe())


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE as Linux has it")
def test_a_real_limit_of_the_system_leaves_nothing_half_written(tmp_path):
    code = f"""
    import resource, signal, sys
    from pathlib import Path
    from builder.atomic_files import CannotWrite, write_once
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        write_once(Path({str(tmp_path)!r}) / "big.png", bytes(5000))
    except CannotWrite as error:
        print(error)
    """
    answer = run_python(code)
    assert "big.png: cannot be written (File too large)" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=root, check=False
    )


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "fused").write_text("not a folder")
    with pytest.raises(CannotWrite, match=r"fused.church.*cannot be written"):
        make(Store(tmp_path), recipe())


def test_killed_while_writing_leaves_only_unfinished_names(tmp_path):
    code = f"""
    import os, signal
    from pathlib import Path
    import builder.atomic_files as store
    store.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
    store.write_once(Path({str(tmp_path)!r}) / "x.png", b"pixels")
    """
    answer = run_python(code)
    assert answer.returncode == -signal.SIGKILL
    assert all(path.name.startswith(UNFINISHED) for path in tmp_path.iterdir())
    write_once(tmp_path / "x.png", b"pixels")
    assert (tmp_path / "x.png").read_bytes() == b"pixels"


def test_replace_file_replaces(tmp_path):
    replace_file(tmp_path / "a.json", b"1")
    replace_file(tmp_path / "a.json", b"2")
    assert (tmp_path / "a.json").read_bytes() == b"2"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_another_program_writes_appears_when_it_is_whole(tmp_path):
    final = tmp_path / "new" / "a.sqlite"
    with replacing(final) as unfinished:
        unfinished.write_bytes(b"pages")
        unfinished.chmod(0o600)
        assert not final.exists()
    assert final.read_bytes() == b"pages"
    assert final.stat().st_mode & 0o777 == 0o600
    assert list(final.parent.iterdir()) == [final]


def test_what_another_program_raises_goes_through_and_the_file_stays_as_it_was(tmp_path):
    final = tmp_path / "a.sqlite"
    final.write_bytes(b"before")

    def fails(unfinished: Path) -> None:
        unfinished.write_bytes(b"half")
        raise FileNotFoundError("pg_dump")

    with pytest.raises(FileNotFoundError, match="pg_dump"), replacing(final) as path:
        fails(path)
    assert final.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [final]


def test_a_full_disk_after_another_program_has_written_is_named(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builder.atomic_files.os.fsync", full)
    with (
        pytest.raises(CannotWrite, match=r"a.sqlite: cannot be written"),
        replacing(tmp_path / "a.sqlite") as path,
    ):
        path.write_bytes(b"pages")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"), [("a b", "a-b"), ("../x", "x"), ("", "scene"), ("größe", "gr-e"), ("IMG_1", "IMG_1")]
)
def test_readable_name(text, name):
    assert readable_name(text) == name


def test_library_versions_name_what_may_change_pixels():
    found = library_versions("numpy", "rawpy")
    assert found["numpy"].isdecimal()
    assert found["rawpy"].startswith("0.") or found["rawpy"].isdecimal()
