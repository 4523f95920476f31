"""One interface over three executors: results, dead workers, what workers inherit and leave behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster

from builder.execution import executor as executor_module
from builder.execution.executor import ExecutorSpec, LocalExecutor, SerialExecutor, make_executor
from tests.builder import executor_tasks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["serial", "local:2", "dask"])
def spec(request: pytest.FixtureRequest) -> ExecutorSpec:
    if request.param == "dask":
        return ExecutorSpec.parse(f"dask:{request.getfixturevalue('cluster').scheduler_address}")
    return ExecutorSpec.parse(request.param)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serial", ExecutorSpec("serial")),
        ("local", ExecutorSpec("local")),
        ("local:4", ExecutorSpec("local", workers=4)),
        ("dask:tcp://127.0.0.1:8786", ExecutorSpec("dask", address="tcp://127.0.0.1:8786")),
        ("dask:tls://node-1.example.org:8786", ExecutorSpec("dask", address="tls://node-1.example.org:8786")),
        ("dask:tcp://[::1]:8786", ExecutorSpec("dask", address="tcp://[::1]:8786")),
    ],
)
def test_a_spec_is_read_from_text_and_written_back(text: str, expected: ExecutorSpec) -> None:
    assert ExecutorSpec.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "Serial", "serial:2", "local:", "local:0", "local:-1", "local:x", "local:٤", "dask", "dask:host"],
)
def test_any_other_text_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(ValueError, match="choose one of: serial, local, local:N") as raised:
        ExecutorSpec.parse(text)
    assert str(raised.value).startswith(f"executor {text!r} is not known")


def test_a_spec_is_fitted_to_the_size_of_scenes() -> None:
    assert ExecutorSpec.parse("local:4").fitted(3, 0.1).workers == 4
    assert ExecutorSpec.parse("local:64").fitted(30, 1e6).workers == 1
    assert ExecutorSpec.parse("serial").fitted(30, 1e6) == ExecutorSpec("serial")
    assert ExecutorSpec.parse("local:4").alone() == ExecutorSpec("local", workers=1)


def test_results_and_exceptions_arrive(spec: ExecutorSpec) -> None:
    with make_executor(spec) as executor:
        futures = [executor.submit(executor_tasks.add, number, two=1) for number in range(executor.in_flight)]
        assert [future.result() for future in futures] == list(range(1, len(futures) + 1))
        assert list(executor.map(executor_tasks.add, [1, 2], [3, 4])) == [4, 6]
        with pytest.raises(MemoryError, match="no room for the pyramid"):
            executor.submit(executor_tasks.raise_memory_error).result()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(executor_tasks.add, 1, 2)


def test_only_processes_that_were_there_before_are_left(spec: ExecutorSpec) -> None:
    before = worker_processes()
    with make_executor(spec) as executor:
        pids = set(executor.map(executor_tasks.worker_pid, range(4)))
    assert worker_processes() == before
    assert (os.getpid() in pids) == (spec.kind == "serial")


def worker_processes() -> set[int]:
    """Children of this process, without the one of multiprocessing that serves all pools until the end."""
    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())}


def test_serial_lets_an_interrupt_through() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with SerialExecutor() as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(interrupt)


def test_a_dead_local_worker_costs_one_task() -> None:
    with LocalExecutor(2) as executor:
        harms = [executor.submit(executor_tasks.kill_itself) if n == 10 else None for n in range(20)]
        sums = [executor.submit(executor_tasks.add, number, 1) for number in range(40)]
        with pytest.raises(BrokenProcessPool):
            harms[10].result()
        assert [future.result() for future in sums] == list(range(1, 41))


def test_workers_work_side_by_side_and_one_killed_from_outside_leaves_the_other(tmp_path: Path) -> None:
    with LocalExecutor(2) as executor:
        futures = [executor.submit(executor_tasks.announce_and_wait, tmp_path) for _ in range(2)]
        executor_tasks.wait_for(lambda: len(executor_tasks.started_pids(tmp_path)) == 2)
        victim, other = executor_tasks.started_pids(tmp_path)
        os.kill(victim, signal.SIGKILL)
        wait(futures, return_when="FIRST_COMPLETED")
        (tmp_path / "go").touch()
        wait(futures)
        errors = [future.exception() for future in futures]
        assert sorted(type(error).__name__ for error in errors) == ["BrokenProcessPool", "NoneType"]
        assert [future.result() for future in futures if not future.exception()] == [other]


def test_a_worker_is_replaced_after_its_tasks() -> None:
    with LocalExecutor(1, tasks_per_worker=3, seconds_per_worker=0) as executor:
        pids = [executor.submit(executor_tasks.worker_pid).result() for _ in range(7)]
    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]
    with LocalExecutor(1, tasks_per_worker=3, seconds_per_worker=3600) as executor:
        pids = [executor.submit(executor_tasks.worker_pid).result() for _ in range(7)]
    assert len(set(pids)) == 1


def test_local_workers_inherit_one_thread_and_the_parent_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with LocalExecutor(1) as executor:
        assert executor.submit(executor_tasks.thread_variables).result() == ("1", "1")
    assert executor_tasks.thread_variables() == ("7", None)


def test_local_workers_leave_ctrl_c_to_the_parent() -> None:
    with LocalExecutor(1) as executor:
        pid = executor.submit(executor_tasks.worker_pid).result()
        os.kill(pid, signal.SIGINT)
        assert executor.submit(executor_tasks.worker_pid).result() == pid


def test_shutdown_can_cancel_what_waits(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    futures = [executor.submit(executor_tasks.announce_and_wait, tmp_path) for _ in range(3)]
    executor_tasks.wait_for(lambda: executor_tasks.started_pids(tmp_path))
    executor.shutdown(wait=False, cancel_futures=True)
    (tmp_path / "go").touch()
    executor.shutdown()
    assert [future.cancelled() for future in futures] == [False, True, True]
    assert futures[0].result() in executor_tasks.started_pids(tmp_path)


def test_local_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from builder.execution.executor import LocalExecutor\n"
        "from tests.builder.executor_tasks import announce_and_wait\n"
        "executor = LocalExecutor(2)\n"
        "for _ in range(2): executor.submit(announce_and_wait, Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT) as parent:
        executor_tasks.wait_for(lambda: len(executor_tasks.started_pids(tmp_path)) == 2)
        workers = [psutil.Process(pid) for pid in executor_tasks.started_pids(tmp_path)]
        parent.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


def test_dask_without_the_package_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'contrast-foundry\[cluster\]'"):
        make_executor(ExecutorSpec.parse("dask:tcp://127.0.0.1:8786"))


def test_dask_without_a_scheduler_tells_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "CONNECT_TIMEOUT", "0.5s")
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody_listens.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no dask scheduler answers at {address}.*dask scheduler"):
            make_executor(ExecutorSpec.parse(f"dask:{address}"))


def test_dask_workers_of_several_threads_are_refused() -> None:
    options = {"n_workers": 1, "processes": False, "protocol": "tcp", "dashboard_address": ":0"}
    with LocalCluster(threads_per_worker=2, **options) as cluster:
        spec = ExecutorSpec.parse(f"dask:{cluster.scheduler_address}")
        with pytest.raises(ValueError, match=r"runs 2 threads; .* --nthreads 1"):
            make_executor(spec)


@pytest.mark.parametrize("module", ["executor", "ledger", "tasks", "resources", "post_mortem"])
def test_importing_loads_no_numerical_library(module: str) -> None:
    script = (
        f"import sys, builder.execution.{module}; print({{'numpy', 'cv2', 'distributed'}} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
