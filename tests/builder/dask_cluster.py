"""A dask cluster on this machine whose workers may die as often as a test likes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import LocalCluster


@contextmanager
def mortal_cluster(workers: int, **configuration: object) -> Iterator[LocalCluster]:
    """One-thread worker processes.

    LocalCluster looks 15 s after any loss whether that worker is there again, and gives it up for good if it
    just happens to be restarting after another loss; then nothing would ever run the tests' tasks.
    """
    settings = {"distributed.deploy.lost-worker-timeout": "1h", **configuration}
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 60}
    with dask.config.set(settings), LocalCluster(**options) as cluster:
        yield cluster
