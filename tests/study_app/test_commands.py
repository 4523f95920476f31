"""`python -m study_app`: a study from the first start to the export, and every mistake answered by a sentence."""

from __future__ import annotations

import gc
import json
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select
from werkzeug.security import check_password_hash

from builder.catalog import Candidate, Reference, Scene
from study_app import serving
from study_app.__main__ import main
from study_app.commands.workspace import PRESET_NAMES
from study_app.keeping import hourly_backups
from study_app.preparation import first_run
from study_app.preparation.invites import check_invite
from study_app.settings import SECRET_FILE, StudySettingsError, load_study_settings
from study_app.statistics.rule import PRESETS
from study_app.storage.database import open_database
from study_app.storage.models import AuditEvent, Experimenter, Invite, Rater, Study, Vote
from tests.study_app.scenery import START

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path, dataset, sqlite_template, monkeypatch) -> Path:
    """A data folder as the builder leaves it."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "previews").symlink_to(dataset / "previews")
    shutil.copyfile(sqlite_template, folder / "catalog.sqlite")
    return folder


def call(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [arguments[0], "--data", str(data), *arguments[1:]])


def ok(data: Path, *arguments: str) -> str:
    result = call(data, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(data: Path, *arguments: str) -> str:
    result = call(data, *arguments)
    assert result.exit_code == 2, result.output
    return result.output


def ask(data: Path, query):
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.reading() as session:
        found = session.scalars(query).all()
    catalog.close()
    return found


def test_a_whole_study_by_commands(data):
    assert "5 scenes" in ok(data, "create", "--open", "--rule", "quick", "--seed", "5")
    said = ok(data, "simulate-raters", "--raters", "9", "--seed", "2", "--strengths", "hash")
    assert re.search(r"simulated raters gave \d+ votes; \d scenes undecided", said)
    assert "is open, rule" in ok(data, "results")
    assert "dry run: nothing was written" in ok(data, "decide", "--dry-run")
    assert ask(data, select(Reference)) == []
    said = ok(data, "decide")
    assert "5 scenes have a new decision; the study is frozen" in said
    assert "SIMULATED: " in said
    assert "0 scenes have a new decision" in ok(data, "decide")
    assert len(ask(data, select(Reference))) == 5

    export = data / "export.zip"
    ok(data, "export", "--output", str(export))
    first = export.read_bytes()
    ok(data, "export", "--output", str(export))
    assert export.read_bytes() == first
    checked = CliRunner().invoke(main, ["check-export", str(export)])
    assert "5 verdicts follow from the votes in it, byte for byte" in checked.output

    ok(data, "report")
    assert "<h1>Which picture is the best?</h1>" in (data / "study/report.html").read_text()
    ok(data, "backup")
    assert "give the recorded results; 0 votes came since" in ok(data, "restore-check")
    assert "1 studies ended more than 0 days ago" in ok(data, "expire", "--days", "0")


def test_a_rater_can_be_taken_out_and_erased(data):
    ok(data, "create", "--open", "--seed", "5")
    ok(data, "simulate-raters", "--raters", "3", "--trials", "1", "--experts", "0")
    first, second, _ = ask(data, select(Rater.public_id).order_by(Rater.id))
    votes = ask(data, select(func.count(Vote.id)))[0]
    assert "computed again" in ok(data, "withdraw", "--rater", first)
    assert "backups made before still hold the answers" in ok(data, "erase", "--rater", second, "--yes")
    assert ask(data, select(Rater.state).order_by(Rater.id)) == ["withdrawn", "erased", "active"]
    assert ask(data, select(func.count(Vote.id)))[0] < votes
    assert call(data, "erase", "--rater", first).exit_code == 1  # nobody said yes
    assert "no rater has the pseudonym 'nobody'" in refused(data, "withdraw", "--rater", "nobody")


def test_drafts_are_opened_and_studies_closed(data):
    assert "is draft" in ok(data, "create", "--title", "First")
    assert "no study was opened yet" in refused(data, "results")
    assert "study 'First' is open" in ok(data, "open")
    assert "there is no draft to open" in refused(data, "open")
    assert "study 'First' is closed" in ok(data, "close")
    assert "cannot become closed" in refused(data, "close")
    assert "a link would let nobody in" in refused(data, "invite")
    assert "only an open study takes votes" in refused(data, "simulate-raters")
    assert "no study has the id 'x'" in refused(data, "results", "--study", "x")


def test_scenes_that_cannot_be_shown_are_listed_and_stop_create_unless_allowed(data):
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.writing() as session:
        elm = session.scalars(select(Scene).where(Scene.name == "elm")).one()
        session.scalars(select(Candidate).where(Candidate.scene_id == elm.id)).first().status = "failed"
    catalog.close()
    result = call(data, "create")
    assert result.exit_code == 1
    assert "elm" in result.output
    assert "--allow-missing" in result.output
    assert ask(data, select(Study)) == []
    said = ok(data, "create", "--allow-missing")
    assert re.search(r"left out: elm: .*2 to 13 are needed", said)
    assert "4 scenes" in said


def test_a_rule_may_come_from_a_file(data, tmp_path):
    rule = tmp_path / "rule.json"
    rule.write_text(replace(PRESETS["strict"], cap=40).to_json())
    ok(data, "create", "--rule-file", str(rule))
    assert json.loads(ask(data, select(Study.rule_json))[0])["cap"] == 40
    rule.write_text('{"cap": 3}')
    assert "missing field" in refused(data, "create", "--rule-file", str(rule))


def test_invitations_print_a_link_that_lets_in(data):
    ok(data, "create", "--open")
    link = ok(
        data, "invite", "--personal", "--expert", "--label", "Ada", "--base-url", "https://lab.example/"
    )
    assert link.startswith("https://lab.example/join/")
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.reading() as session:
        at = session.scalars(select(Study.opened_at)).one()
        invite = check_invite(session, link.strip().rpartition("/")[2], at)
        assert (invite.is_personal, invite.is_expert, invite.max_uses, invite.label) == (True, True, 1, "Ada")
        assert (invite.expires_at - invite.created_at).days == 90
    catalog.close()


def test_accounts_are_made_and_changed(data, monkeypatch):
    said = ok(data, "create-admin", "--generate")
    password = re.search(r"password (\S+)", said)[1]
    account = ask(data, select(Experimenter))[0]
    assert check_password_hash(account.password_hash, password)
    assert account.password_hash.startswith("scrypt:")
    monkeypatch.setenv("EXPERIMENTER_PASSWORD", "correct horse battery")
    assert "changed: admin (viewer)" in ok(data, "create-admin", "--role", "viewer")
    account = ask(data, select(Experimenter))[0]
    assert check_password_hash(account.password_hash, "correct horse battery")
    monkeypatch.setenv("EXPERIMENTER_PASSWORD", "short")
    assert "give at least 12" in refused(data, "create-admin")
    assert "correct horse" not in str([event.detail for event in ask(data, select(AuditEvent))])


def test_the_planner_says_what_it_takes_and_on_what_it_rests():
    result = CliRunner().invoke(main, ["plan", "--scenes", "100", "--runs", "5", "--gap", "2", "1"])
    assert result.exit_code == 0
    assert re.search(r"trials for 100 scenes: \d+ hours of rating, at least \d+ people", result.output)
    assert "assumptions" in result.output
    result = CliRunner().invoke(main, ["plan", "--gap", "-1", "1"])
    assert result.exit_code == 2
    assert "a gap >= 0" in result.output


def test_a_folder_without_a_dataset_gets_a_sentence_and_no_files(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for command in ("serve", "create", "results", "decide", "export", "report", "backup", "simulate-raters"):
        assert "make build-dataset" in refused(tmp_path, command)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_scenes_is_not_served(data):
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.writing() as session:
        for scene in session.scalars(select(Scene)):
            scene.status = "failed"
    catalog.close()
    assert "there is nothing to rate; make a dataset first: make build-dataset" in refused(data, "serve")
    assert not (data / SECRET_FILE).exists()


@pytest.fixture
def started(data, monkeypatch):
    """Run `serve` up to the point where it would listen; what it printed and how it would serve."""

    def start(*arguments: str):
        served = []
        monkeypatch.setattr(serving, "run", lambda *how: served.append(how))
        return ok(data, "serve", *arguments), served[0]

    return start


def test_the_first_start_makes_all_that_is_missing_once(data, started):
    said, (settings, host, port) = started()
    assert (host, port) == ("127.0.0.1", 8000)
    password = re.search(r"password (\S+)", said)[1]
    account = ask(data, select(Experimenter))[0]
    assert (account.name, account.role) == ("admin", "admin")
    assert check_password_hash(account.password_hash, password)
    assert stat.S_IMODE((data / SECRET_FILE).stat().st_mode) == 0o600
    assert settings.secret_key == (data / SECRET_FILE).read_text()
    assert ask(data, select(Study.state)) == ["open"]
    link = re.search(r"http://127\.0\.0\.1:8000/join/\w{40}", said)[0]
    assert re.search(r"http://127\.0\.0\.1:8000/lab/", said)
    assert re.search(r"\(5 scenes, open; \d\.\d\d GiB of pictures on disk\)", said)

    again, _ = started()
    assert "password" not in again
    assert link in again
    assert (len(ask(data, select(Study))), len(ask(data, select(Invite)))) == (1, 1)


def test_two_folders_have_two_passwords_and_secrets(data, started, tmp_path):
    said, (settings, _, _) = started()
    other = load_study_settings(_empty(tmp_path / "other"), make_secret=True)
    assert settings.secret_key != other.secret_key
    assert len(re.search(r"password (\S+)", said)[1]) >= 16


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_start_tells_which_scenes_the_study_leaves_out(data, started):
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.writing() as session:
        for candidate in session.scalars(select(Candidate).join(Scene).where(Scene.name == "elm")):
            candidate.gate_failures = ["more than 2 % clipped"]
    catalog.close()
    said, _ = started()
    assert re.search(r"left out:  elm: .*more than 2 % clipped", said)


def test_a_study_that_is_over_gets_no_link(data, started):
    started()
    ok(data, "close")
    said, _ = started()
    assert "/join/" not in said
    assert "(5 scenes, closed;" in said


def test_only_drafts_are_not_opened_behind_ones_back(data, started):
    ok(data, "create")
    said, _ = started()
    assert "only drafts" in said
    assert ask(data, select(Study.state)) == ["draft"]


def test_a_used_up_lab_link_is_replaced(data, started):
    first, _ = started()
    catalog = open_database(f"sqlite:///{data / 'catalog.sqlite'}")
    with catalog.writing() as session:
        invite = session.scalars(select(Invite)).one()
        invite.uses = invite.max_uses
    catalog.close()
    second, _ = started()
    assert re.search(r"/join/\w+", first)[0] != re.search(r"/join/\w+", second)[0]


def test_plain_http_beyond_this_machine_must_be_asked_for(data, started, monkeypatch):
    monkeypatch.delenv("INSECURE_LAN", raising=False)
    said = refused(data, "serve", "--host", "0.0.0.0")
    assert "anybody on the network could read" in said
    assert "INSECURE_LAN=1" in said
    monkeypatch.setenv("INSECURE_LAN", "1")
    monkeypatch.setattr(serving, "own_addresses", lambda _host: ("192.0.2.7",))
    said, (settings, host, _) = started("--host", "0.0.0.0", "--port", "8010")
    assert "http://192.0.2.7:8010/join/" in said
    assert "192.0.2.7" in settings.hosts
    assert host == "0.0.0.0"


def test_behind_tls_links_name_the_public_host(data, started, monkeypatch):
    monkeypatch.setenv("SECURE_COOKIES", "1")
    monkeypatch.setenv("STUDY_HOSTS", "study.example.org")
    said, _ = started("--host", "0.0.0.0")
    assert "https://study.example.org/join/" in said


def test_the_factory_refuses_without_secret_or_administrator(data, monkeypatch):
    monkeypatch.setenv("STUDY_DATA", str(data))
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with pytest.raises(StudySettingsError, match="no secret key: set SECRET_KEY"):
        serving.application()
    monkeypatch.setenv("SECRET_KEY", "a long and random secret")
    with pytest.raises(
        StudySettingsError, match="no administrator yet; run `python -m study_app create-admin"
    ):
        serving.application()
    ok(data, "create-admin", "--generate")
    app = serving.application()
    assert app.test_client().get("/healthz").status_code == 200
    assert gc.get_freeze_count() > 0  # the collector leaves the loaded libraries alone
    gc.unfreeze()
    app.extensions["hourly_backup"].stop()
    app.extensions["study_database"].close()


def test_an_open_study_is_backed_up_by_itself(data, started, monkeypatch):
    started()
    written = threading.Event()
    monkeypatch.setattr(hourly_backups.log, "info", lambda *_words: written.set())
    hourly = hourly_backups.HourlyBackup(load_study_settings(data), every_seconds=0.01)
    hourly.start()
    assert written.wait(60)
    hourly.stop()
    assert len(list((data / "study/backups").glob("*-hourly.sqlite.json"))) == 1  # the next is not due yet


def test_a_failing_backup_is_logged_and_the_next_one_tried(data, started, monkeypatch, caplog):
    started()
    tries = []

    def fails(*_arguments, **_keywords):
        tries.append(1)
        raise OSError("no space left on device")

    monkeypatch.setattr(hourly_backups, "make_backup", fails)
    hourly = hourly_backups.HourlyBackup(load_study_settings(data))
    hourly.back_up()
    hourly.back_up()
    assert len(tries) == 2
    assert "the hourly backup failed: no space left on device" in caplog.text


def test_the_server_starts_for_real_and_answers(data):
    """One process from outside: links printed, pages served, ended well by a signal."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "study_app", "serve", "--data", str(data), "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            lines = iter(server.stderr.readline, "")
            assert any("Serving on" in line for line in lines)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20) as answer:
                assert answer.status == 200
                assert "waitress" not in str(answer.headers).lower()
        finally:
            server.terminate()
        assert server.wait(60) == 0
        assert f"http://127.0.0.1:{port}/join/" in server.stdout.read()


def test_a_taken_port_is_a_sentence(data):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert f"127.0.0.1 port {port} cannot be listened on" in refused(data, "serve", "--port", port)


@pytest.mark.parametrize("command", main.list_commands(None))
def test_every_command_tells_what_it_does(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert main.commands[command].help


def test_the_names_of_presets_are_those_of_the_rules():
    assert tuple(PRESETS) == PRESET_NAMES


def test_help_loads_only_what_it_needs():
    code = (
        "import sys, runpy\nsys.argv = ['study_app', '--help']\n"
        "try:\n    runpy.run_module('study_app', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({'numpy', 'pandas', 'sqlalchemy', 'flask', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "simulate-raters" in answer.stdout
    assert answer.stdout.strip().splitlines()[-1] == "LOADED"


def test_preparing_twice_at_once_is_preparing_once(data):
    settings = load_study_settings(data, make_secret=True)
    catalog = open_database(settings.database_url)
    tokens = []
    for _ in range(2):
        with catalog.writing() as session:
            tokens.append(first_run.prepare(session, settings, START + timedelta(days=1)).token)
    catalog.close()
    assert tokens[0] == tokens[1] is not None
