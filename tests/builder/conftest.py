"""One simulated folder and one undisturbed build of it, shared by all tests of the builder; nobody changes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from builder.simulate import simulate
from tests.builder.dask_cluster import mortal_cluster
from tests.builder.exporting import export
from tests.builder.faked_dataset import JUDGED_SCENES, fake_dataset
from tests.builder.foundry import build_command

SMALL = (192, 128)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """`photos` and `truth` of the six scenes, 192x128."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, size=SMALL)
    return folder


@pytest.fixture(scope="session")
def built(simulated, tmp_path_factory) -> Path:
    """The data folder of an undisturbed serial build."""
    data = tmp_path_factory.mktemp("built")
    answer = build_command(data, simulated / "photos", executor="serial")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return data


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Two dask workers for all: they cost seconds to start, and are replaced where a test kills them."""
    with mortal_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def own_copy(built, tmp_path) -> Path:
    """A copy of the finished data folder that the test may change."""
    return Path(shutil.copytree(built, tmp_path / "data"))


@pytest.fixture(scope="session")
def judged(tmp_path_factory) -> Path:
    """A data folder of tiny scenes as if people had judged it, with some that cannot be published."""
    return fake_dataset(tmp_path_factory.mktemp("judged") / "data", JUDGED_SCENES)


@pytest.fixture(scope="session")
def published(judged, tmp_path_factory) -> Path:
    """The export of a copy of `judged`."""
    own = Path(shutil.copytree(judged, tmp_path_factory.mktemp("published") / "data"))
    return export(own, own.parent / "exports").dataset
