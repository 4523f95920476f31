"""Cores and memory: how many workers fit, and what one of them may take."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY_SHARE = 0.8  # of the free memory; the rest is the system's and the file cache's
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VIPS_CONCURRENCY",
)
# file names of version 2 and version 1: the limit, the usage, the key of the reclaimable part of the usage
_CGROUP_MEMORY = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory(cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that can still be taken: the machine's, or less where a control group (container) allows less."""
    free = psutil.virtual_memory().available
    return max(0, min([free, *_cgroup_headrooms(cgroups, membership)]))


def _cgroup_headrooms(cgroups: Path, membership: Path) -> Iterator[int]:
    """Limit minus usage in this process's memory group and all groups above it."""
    if not membership.is_file():
        return
    for line in membership.read_text().splitlines():
        hierarchy, controllers, group = line.split(":", 2)
        if hierarchy == "0":
            root, names = cgroups, _CGROUP_MEMORY[2]
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", _CGROUP_MEMORY[1]
        else:
            continue
        here = root / group.lstrip("/")
        for folder in (here, *here.parents):
            if folder.is_relative_to(root):  # inside a container the group's own path may not exist
                yield from _headroom(folder, *names)


def _headroom(folder: Path, limit_name: str, usage_name: str, reclaimable_key: str) -> Iterator[int]:
    limit, usage = folder / limit_name, folder / usage_name
    if not limit.is_file() or not usage.is_file():
        return
    allowed = limit.read_text().strip()
    if allowed == "max":
        return
    statistics = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
    reclaimable = {key: int(value) for key, value in statistics}.get(reclaimable_key, 0)
    yield int(allowed) - int(usage.read_text()) + reclaimable


def peak_bytes(frames: int, megapixels: float) -> int:
    """Memory that the work on one scene takes at its peak; measured: (1.5 + 0.17 frames) GB at 24 MP."""
    return int((1.5 + 0.17 * frames) * 1e9 * megapixels / 24)


def worker_count(
    frames: int, megapixels: float, *, cores: int | None = None, free_bytes: int | None = None
) -> int:
    """Workers that fit side by side for scenes of this size: as many as there are cores, if memory allows."""
    cores = core_count() if cores is None else cores
    free_bytes = free_memory() if free_bytes is None else free_bytes
    return max(1, min(cores, int(MEMORY_SHARE * free_bytes / peak_bytes(frames, megapixels))))


def memory_per_worker(workers: int, *, free_bytes: int | None = None) -> int:
    """Bytes that each of some workers may take, if they share the free memory evenly."""
    free_bytes = free_memory() if free_bytes is None else free_bytes
    return int(MEMORY_SHARE * free_bytes / workers)


@contextmanager
def memory_cap(limit_bytes: int | None) -> Iterator[None]:
    """Cap this process's private memory; allocations beyond raise MemoryError or cv2.error.

    Holds on Linux; elsewhere, and with None, nothing is capped. Only the soft limit moves, so that the next
    task of the same process can have another one.
    """
    if limit_bytes is None or sys.platform != "linux":
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory was short: MemoryError, cv2.error -4, or the system's ENOMEM."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    from_opencv = type(error).__module__ == "cv2" and getattr(error, "code", None) == -4  # StsNoMem
    return from_opencv or isinstance(error, MemoryError)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV on the calling thread: workers times threads would be more threads than cores."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
