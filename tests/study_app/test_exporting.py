"""The export: the same bytes each time, nobody's name in it, and the verdicts follow from it alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from builder.atomic_files import sha256_hex
from builder.catalog import Candidate
from study_app.outcomes.deciding import decide
from study_app.outcomes.export_files import as_csv, as_zip, guarded, unguarded
from study_app.outcomes.exporting import export_zip
from study_app.outcomes.recomputing import ExportError, check, read_files, verdicts_of
from study_app.storage.models import Decision, RaterContact, Study
from tests.study_app import ballot_box
from tests.study_app.ballot_box import LATER

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    "votes", "picks", "raters", "sittings", "scenes", "items", "looks", "decisions", "exclusions", "verdicts",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(sqlite_template, dataset, tmp_path_factory):
    """A filled study that nobody changes."""
    with ballot_box.filled_study(sqlite_template, tmp_path_factory.mktemp("filled"), dataset) as found:
        yield found


@pytest.fixture(scope="module")
def export(filled) -> bytes:
    return exported(*filled)


@pytest.fixture
def rule():
    return ballot_box.RULE


def exported(catalog, study_id: int) -> bytes:
    with catalog.reading() as session:
        return export_zip(session, session.get_one(Study, study_id))


def repacked(export: bytes, **changed: bytes) -> bytes:
    """The export with other contents, and a manifest that fits them: a forgery with care."""
    files = read_files(export) | {name.replace("_", "."): data for name, data in changed.items()}
    manifest = json.loads(files["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name]["sha256"] = sha256_hex(files[name])
    return as_zip(files | {"manifest.json": json.dumps(manifest).encode()})


def table(files, name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[f"{name}.csv"]), dtype=str, keep_default_na=False)


def test_the_same_votes_give_the_same_bytes(filled, export):
    assert exported(*filled) == export
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_it_holds_every_table_and_a_manifest_of_hashes(export):
    files = read_files(export)
    assert {name.removesuffix(".csv") for name in files if name.endswith(".csv")} == TABLES
    manifest = json.loads(files["manifest.json"])["files"]
    assert set(manifest) == set(files) - {"manifest.json"}
    assert all(sha256_hex(files[name]) == entry["sha256"] for name, entry in manifest.items())


def test_nothing_leads_to_a_person_or_a_file(catalog, study, new_rater):
    rater = new_rater(resume_hash="f00d" * 16)
    with catalog.writing() as session:
        session.add(RaterContact(rater_id=rater.id, email="somebody@example.org"))
    files = read_files(exported(catalog, study.id))
    content = b"".join(files.values())
    assert rater.public_id.encode() in content
    for secret in (b"example.org", b"f00df00d", b"previews/", b"fused/", b".png", b"originals"):
        assert secret not in content


def test_every_vote_with_its_versions_and_picks_is_there(export):
    files = read_files(export)
    votes, picks = table(files, "votes"), table(files, "picks")
    changed = votes[votes["version"] == "3"]
    assert len(changed) == 1
    assert list(picks[picks["vote"] == changed["vote"].item()]["rank"]) == ["1", "2"]
    assert (votes["late"] == "true").sum() == 2
    assert set(votes["role"]) == {"real", "training"}
    assert set(table(files, "exclusions")["reason"]) == {"asked for it"}


def test_a_pick_tells_where_its_picture_stood(export):
    files = read_files(export)
    votes, picks, items = (table(files, name) for name in ("votes", "picks", "items"))
    joined = picks.merge(votes[["vote", "order"]], on="vote").merge(items[["item", "candidate"]], on="item")
    assert len(joined) == len(picks)
    assert (joined["candidate_x"] == joined["candidate_y"]).all()
    stood = [row.order.split()[int(row.position) - 1] for row in joined.itertuples()]
    assert stood == list(joined["item"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''-x"])
def test_no_cell_is_a_formula_and_the_text_comes_back(text):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "plain", "1-2", "it's", "'quoted'", "a=b"])
def test_harmless_text_stays_as_it_is(text):
    assert guarded(text) == text == unguarded(text)


def test_formulas_in_comments_and_reasons_are_guarded(export):
    files = read_files(export)
    assert f"'{ballot_box.FORMULA}" in set(table(files, "votes")["comment"])
    assert f"'{ballot_box.VOID_REASON}" in set(table(files, "scenes")["void_reason"])


def test_cells_are_plain():
    made = as_csv(pd.DataFrame({"a": [True, 0.12345, None, LATER]}, dtype=object))
    assert made == b'a\ntrue\n0.123\n""\n2026-03-04T09:00:00.000000Z\n'


def test_verdicts_follow_from_the_export_alone_as_decided(catalog, study, new_rater):
    """Proof test 10: computed in a second process, which loads neither Flask nor SQLAlchemy."""
    ballot_box.fill(catalog, study, new_rater)
    with catalog.writing() as session:
        decide(session, session.get_one(Study, study.id), by="ada", at=LATER)
        keys = dict(session.execute(select(Candidate.id, Candidate.key)).all())
        decided = [
            [row.details["scene"], row.verdict, keys.get(row.candidate_id), row.votes_digest, row.reason]
            for row in session.scalars(select(Decision).order_by(Decision.id))
        ]
    code = (
        "import json, sys\n"
        "from study_app.outcomes.recomputing import check, read_files, verdicts_of\n"
        "export = sys.stdin.buffer.read()\n"
        "check(export)\n"
        "verdicts = verdicts_of(read_files(export))\n"
        "assert not {'flask', 'sqlalchemy'} & set(sys.modules), 'an export needs neither'\n"
        "print(json.dumps([[v.scene, v.verdict, v.candidate, v.votes_digest, v.reason] for v in verdicts]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=exported(catalog, study.id),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    assert json.loads(answer.stdout) == decided
    assert [row[1] for row in decided] == list(ballot_box.EXPECTED.values())


def test_a_verdict_that_does_not_follow_is_found(export):
    assert check(export) == 5
    wrong = read_files(export)["verdicts.csv"].replace(b"ambiguous", b"accept")
    with pytest.raises(ExportError, match=r"verdicts\.csv is not what the votes in the export give"):
        check(repacked(export, verdicts_csv=wrong))


def test_a_vote_that_was_taken_out_is_found(export):
    lines = read_files(export)["votes.csv"].splitlines(keepends=True)
    kept = [line for line in lines if b",chapel," not in line]
    assert len(kept) < len(lines)
    with pytest.raises(ExportError, match="is not what the votes"):
        check(repacked(export, votes_csv=b"".join(kept)))


def test_a_changed_file_is_found_by_its_hash(export):
    files = read_files(export)
    broken = as_zip(files | {"votes.csv": files["votes.csv"] + b" "})
    with pytest.raises(ExportError, match=r"votes\.csv is missing or not what the manifest says"):
        check(broken)


def test_what_is_no_export_says_so():
    with pytest.raises(ExportError, match="not an export of a study"):
        check(b"no zip at all")


def test_who_does_not_count_is_found_again_from_the_tables(export):
    """The excluded, the colour-blind, the late and the outdated: all in votes.csv, none in a verdict."""
    files = read_files(export)
    votes, raters = table(files, "votes"), table(files, "raters")
    assert (raters["excluded"] == "true").sum() == 1
    assert (raters["colour_passed"] == "false").sum() == 1
    elm = votes[votes["scene"] == "elm"]
    assert len(elm) == 5
    assert next(verdict for verdict in verdicts_of(files) if verdict.scene == "elm").raters == 1
