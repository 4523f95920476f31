"""The ledger: markers while a step runs, records of what failed, and who is charged for a dead process."""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import socket
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from builder.execution.executor import LocalExecutor
from builder.execution.ledger import Ledger, QuarantinedError
from builder.execution.record_files import write_record
from builder.execution.step import Step
from tests.builder import executor_tasks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def die_in_step(ledger: Ledger, harm: str, timeout_seconds: float | None) -> None:
    with Step(ledger, "church", "mertens2009", timeout_seconds=timeout_seconds):
        executor_tasks.fail_by(harm)


def die_in_outer_step(ledger: Ledger, harm: str, timeout_seconds: float) -> None:
    """The outer step's time must hold again once an inner step, with a time of its own, has ended."""
    with Step(ledger, "church", "align", timeout_seconds=timeout_seconds):
        with Step(ledger, "church", "warp", timeout_seconds=60):
            pass
        executor_tasks.fail_by(harm)


def die_in_inner_step(ledger: Ledger, harm: str, timeout_seconds: float) -> None:
    outer = Step(ledger, "church", "align", timeout_seconds=timeout_seconds)
    with outer, Step(ledger, "church", "warp", timeout_seconds=60):
        executor_tasks.fail_by(harm)


def lose_worker(function: object, *arguments: object) -> None:
    with LocalExecutor(1) as executor, pytest.raises(BrokenProcessPool):
        executor.submit(function, *arguments).result()


def leftovers(ledger: Ledger) -> list[str]:
    return [path.name for path in (ledger.root / "running").iterdir()]


def test_a_marker_names_the_step_while_it_runs(ledger: Ledger) -> None:
    with Step(ledger, "church", "align", timeout_seconds=600):
        (running,) = ledger.running()
        assert (running.scene, running.step, running.pid) == ("church", "align", os.getpid())
        assert running.host == socket.gethostname()
        assert running.timeout_seconds == pytest.approx(
            600, abs=1
        )  # it is what is left when the marker is written
        assert json.loads(ledger.marker_path("church").read_text())["step"] == "align"
    assert ledger.running() == ()
    assert leftovers(ledger) == []


def test_nested_and_successive_steps_name_the_innermost(ledger: Ledger) -> None:
    names = []
    with Step(ledger, "church", "task"):
        for step in ("align", "mertens2009"):
            with Step(ledger, "church", step, timeout_seconds=600):
                names += [running.step for running in ledger.running()]
            names += [running.step for running in ledger.running()]
    assert names == ["align", "task", "mertens2009", "task"]
    assert leftovers(ledger) == []


def test_steps_of_different_scenes_have_markers_of_their_own(ledger: Ledger) -> None:
    with Step(ledger, "church", "align"):
        with Step(ledger, "bridge", "align"):
            assert [running.scene for running in ledger.running()] == ["bridge", "church"]
        assert [running.scene for running in ledger.running()] == ["church"]


def test_an_exception_is_recorded_once_and_success_clears_it(ledger: Ledger) -> None:
    task = Step(ledger, "church", "task")
    with pytest.raises(ValueError, match="odd size"), task, Step(ledger, "church", "li2013"):
        raise ValueError("odd size")
    (failure,) = ledger.failures()
    assert (failure.scene, failure.step, failure.kind) == ("church", "li2013", "error")
    assert failure.message == "ValueError: odd size"
    assert failure.kills == 0
    assert task.failure == failure
    assert 'raise ValueError("odd size")' in failure.traceback
    assert leftovers(ledger) == []
    with Step(ledger, "church", "li2013"):
        pass
    assert ledger.failures() == ()


def test_an_error_handled_within_a_task_is_not_held_against_the_task(ledger: Ledger) -> None:
    task = Step(ledger, "church", "task")
    with task, pytest.raises(ValueError, match="odd size"), Step(ledger, "church", "li2013"):
        raise ValueError("odd size")
    assert task.failure is None
    assert [failure.step for failure in ledger.failures()] == ["li2013"]


def test_an_interrupt_is_nobodys_failure(ledger: Ledger) -> None:
    with pytest.raises(KeyboardInterrupt), Step(ledger, "church", "align"):
        raise KeyboardInterrupt
    assert ledger.failures() == ()
    assert leftovers(ledger) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "memory"),
        (OSError(12, "Cannot allocate memory"), "memory"),
        (OSError(2, "gone"), "error"),
    ],
)
def test_want_of_memory_is_a_kind_of_its_own(ledger: Ledger, error: Exception, kind: str) -> None:
    with pytest.raises(type(error)), Step(ledger, "church", "align") as step:
        raise error
    assert ledger.failures()[0].kind == kind
    assert step.short_of_memory == (kind == "memory")


def test_two_kills_put_the_step_in_quarantine(ledger: Ledger) -> None:
    ledger.record_kill("church", "li2013", "its process was killed")
    assert (ledger.kills("church", "li2013"), ledger.is_quarantined("church", "li2013")) == (1, False)
    ledger.record_error("church", "li2013", ValueError("odd size"))  # an error in between forgives nothing
    ledger.record_kill("church", "li2013", "timed out after 600 s")
    assert (ledger.kills("church", "li2013"), ledger.is_quarantined("church", "li2013")) == (2, True)
    assert ledger.failure("church", "li2013").kind == "quarantined"
    expected = "scene 'church': step 'li2013' is quarantined: timed out after 600 s"
    with pytest.raises(QuarantinedError, match=expected), Step(ledger, "church", "li2013"):
        pytest.fail("the step began")
    assert not ledger.is_quarantined("church", "align")
    assert not ledger.is_quarantined("bridge", "li2013")


def test_a_refused_step_stays_on_record_as_quarantined(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.record_kill("church", "align", "its process was killed")
    with (
        pytest.raises(QuarantinedError) as raised,
        Step(ledger, "church", "task"),
        Step(ledger, "church", "align"),
    ):
        pytest.fail("the step began")
    ledger.record_error("church", "align", raised.value)
    assert [(failure.step, failure.kind) for failure in ledger.failures()] == [("align", "quarantined")]
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_success_forgives_a_kill(ledger: Ledger) -> None:
    ledger.record_kill("church", "align", "its process was killed")
    with Step(ledger, "church", "align"):
        pass
    assert ledger.kills("church", "align") == 0
    assert ledger.failures() == ()


def test_clear_forgets_one_step_or_a_scene(ledger: Ledger) -> None:
    for scene, step in [("church", "align"), ("church", "li2013"), ("church tower", "align")]:
        ledger.record_kill(scene, step, "its process was killed")
    ledger.clear("church", "align")
    assert [(failure.scene, failure.step) for failure in ledger.failures()] == [
        ("church", "li2013"),
        ("church tower", "align"),
    ]
    ledger.clear("church")
    assert [failure.scene for failure in ledger.failures()] == ["church tower"]


@pytest.mark.parametrize(
    "other", ["church", "a/b", "..", "a\nb", "Zürich", "x" * 400, "x" * 401, "bad \udcff byte"]
)
def test_any_scene_name_has_files_of_its_own(ledger: Ledger, other: str) -> None:
    ledger.record_error("Church", "align", ValueError("mine"))
    ledger.record_error(other, "align", ValueError("other's"))
    assert [failure.scene for failure in ledger.failures(other)] == [other]
    assert {failure.scene for failure in ledger.failures()} == {"Church", other}
    names = {path.name.casefold() for path in (ledger.root / "failures").iterdir()}
    assert len(names) == 2
    with Step(ledger, other, "align"):
        assert [running.scene for running in ledger.running()] == [other]


@pytest.mark.parametrize("harm", ["kill", "crash", "hang"])
def test_a_dead_process_is_charged_to_the_step_that_it_was_in(ledger: Ledger, harm: str) -> None:
    timeout_seconds = 0.5 if harm == "hang" else 60
    lose_worker(die_in_step, ledger, harm, timeout_seconds)
    failure = ledger.charge_death("church")
    kind, message = {
        "kill": ("killed", "its process was killed"),
        "crash": ("killed", "crashed in native code (Segmentation fault) in string_at ("),
        "hang": ("timeout", "timed out after 0.5 s in hang_in_native_code (executor_tasks.py:"),
    }[harm]
    assert (failure.step, failure.kind, failure.kills) == ("mertens2009", kind, 1)
    assert failure.message.startswith(message)
    assert ("fail_by" in failure.traceback) == (harm != "kill")  # SIGKILL leaves no stack
    assert leftovers(ledger) == []
    assert ledger.charge_death("church") is None


@pytest.mark.parametrize(("function", "step"), [(die_in_outer_step, "align"), (die_in_inner_step, "warp")])
def test_the_shorter_time_of_nested_steps_holds(ledger: Ledger, function: object, step: str) -> None:
    lose_worker(function, ledger, "hang", 0.5)
    failure = ledger.charge_death("church")
    assert (failure.step, failure.kind) == (step, "timeout")


def test_the_watchdog_is_off_after_the_last_step(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: calls.append("armed"))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: calls.append("off"))
    enabled = faulthandler.is_enabled()
    with Step(ledger, "church", "task", timeout_seconds=60), Step(ledger, "church", "align"):
        pass
    assert calls == ["armed", "armed", "off", "armed", "off"]
    assert faulthandler.is_enabled() == enabled


def test_a_build_killed_as_a_whole_leaves_nobody_to_blame(ledger: Ledger) -> None:
    lose_worker(die_in_step, ledger, "kill", None)
    assert len(ledger.running()) == 1
    ledger.forget_interrupted("church")
    assert (ledger.running(), ledger.failures()) == ((), ())
    assert leftovers(ledger) == []


def test_a_serial_build_ended_by_a_timeout_is_charged_by_the_next(ledger: Ledger) -> None:
    script = (
        "import sys; from pathlib import Path; from builder.execution.ledger import Ledger\n"
        "from tests.builder.test_ledger import die_in_step\n"
        "die_in_step(Ledger(Path(sys.argv[1])), 'hang', 0.3)"
    )
    command = [sys.executable, "-c", script, str(ledger.root)]
    done = subprocess.run(command, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1
    ledger.forget_interrupted("church")
    (failure,) = ledger.failures()
    assert (failure.step, failure.kind, failure.kills) == ("mertens2009", "timeout", 1)


def test_only_the_marker_of_a_process_that_is_gone_is_a_lost_attempt(ledger: Ledger) -> None:
    with Step(ledger, "church", "align"):
        assert ledger.charge_lost_attempt("church") is None
        assert len(ledger.running()) == 1
    lose_worker(die_in_step, ledger, "kill", None)
    assert ledger.charge_lost_attempt("church").step == "mertens2009"


def test_a_process_on_a_host_that_was_cut_off_is_charged_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works on, so its marker comes back; nothing but its own success says that it was never dead."""
    monkeypatch.setattr(socket, "gethostname", lambda: "host-b")
    with Step(ledger, "church", "task"):
        with monkeypatch.context() as there:
            there.setattr(socket, "gethostname", lambda: "host-a")
            failure = ledger.charge_lost_attempt("church")
        assert (failure.step, failure.kills) == ("task", 1)
        assert failure.message == "its process on host-b was killed, or the host was cut off"
        with Step(ledger, "church", "align"):
            pass
        with monkeypatch.context() as there:
            there.setattr(socket, "gethostname", lambda: "host-a")
            again = ledger.charge_lost_attempt("church")
        assert (again.step, again.kills, again.kind) == ("task", 1, "killed")
        ledger.record_error("church", "task", ValueError("odd size"))
        assert ledger.record_kill("church", "task", "again", process=again.process).kills == 1
    assert (ledger.failures(), ledger.running()) == ((), ())


def test_a_late_process_leaves_the_marker_to_the_one_that_took_its_scene_over(ledger: Ledger) -> None:
    with Step(ledger, "church", "task"):
        (mine,) = ledger.running()
        theirs = replace(mine, host="host-a", step="li2013", process="another")
        write_record(ledger.marker_path("church"), asdict(theirs))
        with Step(ledger, "church", "align"):
            assert ledger.running() == (theirs,)
        assert ledger.running() == (theirs,)
    assert ledger.running() == (theirs,)
    with Step(ledger, "church", "task"):
        assert [running.step for running in ledger.running()] == ["task"]  # a new attempt takes it over
    assert leftovers(ledger) == []


def test_a_file_cut_by_a_power_failure_counts_as_absent(ledger: Ledger) -> None:
    ledger.record_kill("church", "align", "its process was killed")
    (path,) = (ledger.root / "failures").iterdir()
    path.write_text('{"scene": "chu')
    assert ledger.failures() == ()
    assert ledger.kills("church", "align") == 0


def test_an_empty_folder_has_no_records(ledger: Ledger) -> None:
    assert (ledger.failures(), ledger.running(), ledger.charge_death("church")) == ((), (), None)
    assert not ledger.root.exists()
    assert pickle.loads(pickle.dumps(ledger)) == ledger
