"""How many workers fit, what a container allows, and a cap on memory that really holds."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import psutil
import pytest

from builder.execution.executor import LocalExecutor
from builder.execution.resources import (
    core_count,
    free_memory,
    is_out_of_memory,
    memory_cap,
    memory_per_worker,
    one_thread,
    peak_bytes,
    worker_count,
)
from tests.builder import executor_tasks

GB = 10**9
MIB = 2**20


def write_group(folder: Path, limit: str, used: int, reclaimable: int, *, version: int) -> None:
    names = {2: ("memory.max", "memory.current", "inactive_file")}
    names[1] = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit_name, usage_name, reclaimable_key = names[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_name).write_text(f"{limit}\n")
    (folder / usage_name).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{reclaimable_key} {reclaimable}\nfile 9\n")


@pytest.mark.parametrize(
    ("frames", "megapixels", "cores", "free_gb", "expected"),
    [
        (7, 24, 4, 64, 4),  # 2.69 GB each: the cores are the limit
        (7, 24, 16, 16, 4),  # 12.8 GB / 2.69 GB
        (7, 24, 16, 2, 1),  # not even one fits: it runs all the same
        (3, 0.6, 8, 16, 8),
        (30, 100, 16, 64, 1),  # 27.5 GB of 51.2
    ],
)
def test_workers_are_limited_by_cores_and_memory(
    frames: int, megapixels: float, cores: int, free_gb: int, expected: int
) -> None:
    assert worker_count(frames, megapixels, cores=cores, free_bytes=free_gb * GB) == expected


def test_peak_and_share() -> None:
    assert peak_bytes(7, 24) == pytest.approx(2.69 * GB)
    assert peak_bytes(7, 48) == pytest.approx(2 * 2.69 * GB)
    assert memory_per_worker(4, free_bytes=10 * GB) == 2 * GB
    assert 1 <= worker_count(7, 24) <= core_count()


def test_a_container_of_version_2_limits_through_any_ancestor(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/jobs/job1\n")
    write_group(tmp_path / "jobs" / "job1", "max", 50 * MIB, 0, version=2)
    write_group(tmp_path / "jobs", str(200 * MIB), 120 * MIB, 20 * MIB, version=2)
    assert free_memory(tmp_path, membership) == 100 * MIB


def test_a_container_of_version_1_whose_own_path_is_hidden(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("9:cpu,cpuacct:/x\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n")
    write_group(tmp_path / "memory", str(300 * MIB), 120 * MIB, 20 * MIB, version=1)
    assert free_memory(tmp_path, membership) == 200 * MIB


def test_a_full_container_has_nothing_free(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/\n")
    write_group(tmp_path, str(100 * MIB), 101 * MIB, 0, version=2)
    assert free_memory(tmp_path, membership) == 0


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    free = free_memory(tmp_path, tmp_path / "absent")
    assert 0 < free <= psutil.virtual_memory().total


def test_opencv_keeps_to_one_thread_for_a_while() -> None:
    before = cv2.getNumThreads()
    with one_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def capped(function: object, argument: int, limit_mib: int) -> tuple[str, bool, int]:
    """In a worker: what comes of an allocation under a cap, and of the same without."""
    used = psutil.Process().memory_info().data
    try:
        with memory_cap(used + limit_mib * MIB):
            return "fits", False, function(argument)
    except MemoryError as error:
        outcome, recognised = "MemoryError", is_out_of_memory(error)
    except cv2.error as error:
        outcome, recognised = "cv2.error", is_out_of_memory(error)
    return outcome, recognised, function(argument)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux only")
@pytest.mark.parametrize(
    ("function", "error"),
    [(executor_tasks.allocate, "MemoryError"), (executor_tasks.allocate_in_opencv, "cv2.error")],
)
def test_a_cap_turns_want_of_memory_into_an_exception(function: object, error: str) -> None:
    with LocalExecutor(1) as executor:
        assert executor.submit(capped, function, 300, 150).result() == (error, True, 300)
        assert executor.submit(capped, function, 100, 150).result() == ("fits", False, 100)
