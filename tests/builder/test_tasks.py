"""`run_tasks`: whatever one task does, the others finish, on every executor alike."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from builder.execution.executor import ExecutorSpec, LocalExecutor
from builder.execution.ledger import Failure, Ledger
from builder.execution.tasks import run_tasks
from tests.builder import executor_tasks
from tests.builder.dask_cluster import mortal_cluster
from tests.builder.executor_tasks import STEPS, SceneTask, build_scene, expected_number, scene_of

ROOT = Path(__file__).resolve().parents[2]
SERIAL = ExecutorSpec("serial")
ONE_WORKER = ExecutorSpec("local", workers=1)
TWO_WORKERS = ExecutorSpec("local", workers=2)


@pytest.fixture(params=["local:2", "dask"])
def parallel(request: pytest.FixtureRequest) -> ExecutorSpec:
    if request.param == "dask":
        return ExecutorSpec.parse(f"dask:{request.getfixturevalue('cluster').scheduler_address}")
    return ExecutorSpec.parse(request.param)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def scenes(ledger: Ledger, count: int, **spoiled: SceneTask) -> list[SceneTask]:
    """Tasks scene0, scene1 ...; those given by name have their poison."""
    tasks = [SceneTask(f"scene{number}", number, ledger.root) for number in range(count)]
    harmful = {name: replace(task, folder=ledger.root) for name, task in spoiled.items()}
    return [replace(harmful.get(task.scene, task), scene=task.scene, seed=task.seed) for task in tasks]


def harm(kind: str, step: str = "mertens2009", attempts: int = 0, seconds: float | None = None) -> SceneTask:
    return SceneTask("", 0, Path(), step, kind, attempts, seconds)


def run(
    tasks: list[Any],
    ledger: Ledger,
    spec: ExecutorSpec,
    function: Callable[[Any], Any] = build_scene,
    name: Callable[[Any], str] = scene_of,
    **options: Any,
) -> dict[str, Any]:
    """All outcomes by scene; each task must be handed over exactly once, and no marker stay."""
    outcomes: dict[str, Any] = {}

    def keep(task: Any, outcome: Any) -> None:
        assert name(task) not in outcomes
        outcomes[name(task)] = outcome

    run_tasks(function, tasks, spec=spec, ledger=ledger, name=name, on_result=keep, **options)
    assert ledger.running() == ()
    assert sorted(outcomes) == sorted(name(task) for task in tasks)
    return outcomes


def numbers(task: SceneTask, without: str = "") -> dict[str, int]:
    return {step: expected_number(task, step) for step in STEPS if step != without}


def test_all_executors_give_the_same(ledger: Ledger, cluster: LocalCluster) -> None:
    tasks = scenes(ledger, 12)
    specs = [SERIAL, TWO_WORKERS, ExecutorSpec("dask", address=cluster.scheduler_address)]
    outcomes = [run(tasks, ledger, spec) for spec in specs]
    assert outcomes[0] == {task.scene: numbers(task) for task in tasks}
    assert outcomes[1] == outcomes[0]
    assert outcomes[2] == outcomes[0]
    assert ledger.failures() == ()


def test_an_exception_is_the_failure_of_its_task_only(ledger: Ledger, cluster: LocalCluster) -> None:
    tasks = scenes(ledger, 6, scene2=harm("error", "align"))
    for spec in (SERIAL, TWO_WORKERS, ExecutorSpec("dask", address=cluster.scheduler_address)):
        outcomes = run(tasks, ledger, spec)
        failure = outcomes.pop("scene2")
        assert isinstance(failure, Failure)
        assert (failure.step, failure.kind, failure.message) == ("align", "error", "UnfriendlyError: a and b")
        assert "executor_tasks.py" in failure.traceback
        assert ledger.failures() == (failure,)
        assert len(outcomes) == 5
        assert not any(isinstance(outcome, Failure) for outcome in outcomes.values())


def test_one_sigkill_in_sixty_tasks_loses_nothing(ledger: Ledger, parallel: ExecutorSpec) -> None:
    tasks = scenes(ledger, 60, scene17=harm("kill", attempts=1))
    assert run(tasks, ledger, parallel) == {task.scene: numbers(task) for task in tasks}
    assert ledger.failures() == ()  # the kill is forgiven: the step succeeded when it ran alone


def test_a_poison_step_is_quarantined_after_two_kills(ledger: Ledger, parallel: ExecutorSpec) -> None:
    tasks = scenes(ledger, 12, scene3=harm("kill", "li2013"), scene8=harm("crash", "mertens2009"))
    outcomes = run(tasks, ledger, parallel)
    skipped = {"scene3": "li2013", "scene8": "mertens2009"}
    assert outcomes == {task.scene: numbers(task, skipped.get(task.scene, "")) for task in tasks}
    assert [(one.scene, one.step, one.kind, one.kills) for one in ledger.failures()] == [
        ("scene3", "li2013", "quarantined", 2),
        ("scene8", "mertens2009", "quarantined", 2),
    ]
    again = run(tasks, ledger, parallel)  # the next build does not try again ...
    assert again == outcomes
    ledger.clear("scene3")  # ... unless a person asks for it
    healed = [replace(task, poison="") for task in tasks if task.scene == "scene3"]
    assert run(healed, ledger, parallel) == {"scene3": numbers(healed[0])}
    assert [one.scene for one in ledger.failures()] == ["scene8"]


def test_a_poison_step_without_which_a_scene_cannot_be_built_fails_the_scene(
    ledger: Ledger, parallel: ExecutorSpec
) -> None:
    tasks = scenes(ledger, 6, scene3=harm("kill", "align"))
    outcomes = run(tasks, ledger, parallel)
    failure = outcomes.pop("scene3")
    assert (failure.step, failure.kind, failure.kills) == ("align", "quarantined", 2)
    assert len(outcomes) == 5
    assert ledger.failures() == (failure,)


def test_a_timeout_counts_as_a_kill(ledger: Ledger, parallel: ExecutorSpec) -> None:
    tasks = scenes(ledger, 6, scene3=harm("hang", "li2013", seconds=1.0))
    outcomes = run(tasks, ledger, parallel)
    assert outcomes == {t.scene: numbers(t, "li2013" if t.scene == "scene3" else "") for t in tasks}
    (failure,) = ledger.failures()
    assert (failure.step, failure.kind, failure.kills) == ("li2013", "quarantined", 2)
    assert failure.message.startswith("timed out after 1 s in hang_in_native_code (executor_tasks.py:")


def test_dask_that_gives_a_task_up_counts_as_a_kill(ledger: Ledger) -> None:
    with mortal_cluster(1, **{"distributed.scheduler.allowed-failures": 0}) as cluster:
        spec = ExecutorSpec("dask", address=cluster.scheduler_address)
        tasks = scenes(ledger, 4, scene1=harm("kill", "li2013"))
        outcomes = run(tasks, ledger, spec)
    assert outcomes == {t.scene: numbers(t, "li2013" if t.scene == "scene1" else "") for t in tasks}
    assert [(one.step, one.kills) for one in ledger.failures()] == [("li2013", 2)]


def test_a_worker_killed_from_outside_costs_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The first task to begin is shot from the thread that feeds the tasks, once."""

    def numbers_then_shoot() -> Iterator[int]:
        yield from range(3)
        executor_tasks.wait_for(lambda: any(path.read_text() for path in tmp_path.glob("begun-*")))
        victim = next(pid for path in tmp_path.glob("begun-*") if (pid := path.read_text()))
        os.kill(int(victim), signal.SIGKILL)
        (tmp_path / "go").touch()
        yield from range(3, 6)

    delivered: list[int] = []
    run_tasks(
        executor_tasks.Waiting(tmp_path),
        numbers_then_shoot(),
        spec=TWO_WORKERS,
        ledger=ledger,
        name=str,
        on_result=lambda number, outcome: delivered.append(number if outcome is None else -1),
    )
    assert sorted(delivered) == list(range(6))
    assert ledger.failures() == ()


def test_want_of_memory_is_tried_once_more_alone(ledger: Ledger) -> None:
    tasks = scenes(
        ledger, 5, scene1=harm("memory", "align", attempts=1), scene3=harm("memory", "align", attempts=2)
    )
    outcomes = run(tasks, ledger, TWO_WORKERS)
    failure = outcomes.pop("scene3")
    assert (failure.kind, failure.message) == ("memory", "MemoryError: no room for the pyramid")
    assert outcomes == {task.scene: numbers(task) for task in tasks if task.scene != "scene3"}
    assert ledger.failures() == (failure,)


def test_want_of_memory_that_the_function_caught_is_tried_once_more_too(ledger: Ledger) -> None:
    tasks = scenes(ledger, 4, scene1=harm("memory", attempts=1), scene2=harm("memory", attempts=2))
    outcomes = run(tasks, ledger, TWO_WORKERS, executor_tasks.build_scene_catching)
    assert outcomes == {"scene0": "ready", "scene1": "ready", "scene2": "partial", "scene3": "ready"}
    assert [(one.scene, one.kind) for one in ledger.failures()] == [("scene2", "memory")]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux only")
def test_the_memory_cap_holds_side_by_side_but_not_alone(
    ledger: Ledger, parallel: ExecutorSpec, tmp_path: Path
) -> None:
    outcomes = run(
        [1, 700], ledger, parallel, executor_tasks.Allocating(tmp_path), str, memory_bytes=500 << 20
    )
    assert outcomes == {"1": 1, "700": 700}
    assert ledger.failures() == ()
    assert len(list(tmp_path.glob("calls/700-*"))) == 2
    assert len(list(tmp_path.glob("calls/1-*"))) == 1


def test_oversize_tasks_run_after_the_others_alone(ledger: Ledger) -> None:
    order: list[int] = []
    run_tasks(
        abs,
        range(6),
        spec=TWO_WORKERS,
        ledger=ledger,
        name=str,
        on_result=lambda number, _: order.append(number),
        oversize=lambda number: number in (0, 3),
    )
    assert sorted(order[:4]) == [1, 2, 4, 5]
    assert order[4:] == [0, 3]


def test_opencv_is_held_to_one_thread(ledger: Ledger, parallel: ExecutorSpec) -> None:
    assert run([0, 1], ledger, parallel, executor_tasks.threads_of_opencv, str) == {"0": 1, "1": 1}


def test_tasks_are_drawn_as_workers_get_free(ledger: Ledger) -> None:
    drawn = 0
    most_waiting = 0

    def endless_looking() -> Iterator[int]:
        nonlocal drawn, most_waiting
        for number in range(20):
            drawn += 1
            most_waiting = max(most_waiting, drawn - delivered)
            yield number

    delivered = 0

    def count(number: int, outcome: Any) -> None:
        nonlocal delivered
        delivered += 1

    run_tasks(abs, endless_looking(), spec=ONE_WORKER, ledger=ledger, name=str, on_result=count)
    assert (drawn, delivered) == (20, 20)
    assert most_waiting == 2  # twice the workers


def test_what_cannot_be_pickled_is_the_failure_of_its_task(ledger: Ledger) -> None:
    outcomes = run([0], ledger, TWO_WORKERS, executor_tasks.unpicklable_result, str)
    assert (outcomes["0"].step, outcomes["0"].kind) == ("task", "error")
    assert "pickle" in outcomes["0"].message
    run([1], ledger, TWO_WORKERS, abs, str)


def test_workers_that_die_before_any_task_begins_are_told_apart(ledger: Ledger) -> None:
    outcomes = run([0], ledger, ONE_WORKER, executor_tasks.DeadlyToLoad(), str)
    assert (outcomes["0"].step, outcomes["0"].kind) == ("task", "killed")
    assert "the worker died 3 times before the task began" in outcomes["0"].message


def test_a_build_that_was_killed_as_a_whole_charges_nobody(ledger: Ledger) -> None:
    (task,) = scenes(ledger, 1, scene0=harm("kill", attempts=2))
    for _ in range(2):
        with LocalExecutor(1) as executor:  # nobody is there to charge the dead: the parent is dead, too
            assert executor.submit(build_scene, task).exception() is not None
        assert len(ledger.running()) == 1
    assert run([task], ledger, TWO_WORKERS) == {"scene0": numbers(task)}
    assert ledger.failures() == ()


def test_an_error_in_the_callback_ends_the_run(ledger: Ledger) -> None:
    def refuse(number: int, outcome: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_tasks(abs, range(50), spec=TWO_WORKERS, ledger=ledger, name=str, on_result=refuse)
    assert ledger.running() == ()


def test_ctrl_c_lets_running_tasks_end_and_starts_no_other(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.builder import executor_tasks\n"
        "executor_tasks.build_until_interrupted(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True) as build:
        executor_tasks.wait_for(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
        os.killpg(build.pid, signal.SIGINT)  # as a terminal does: to the parent and all its workers
        executor_tasks.wait_for(lambda: (tmp_path / "interrupted").exists())
        (tmp_path / "go").touch()
        _, errors = build.communicate(timeout=60)
    assert build.returncode == -signal.SIGINT, errors.decode()
    assert len(list(tmp_path.glob("begun-*"))) == 2
    assert len(list(tmp_path.glob("ended-*"))) == 2
    ledger = Ledger(tmp_path / "ledger")
    assert (ledger.running(), ledger.failures()) == ((), ())
