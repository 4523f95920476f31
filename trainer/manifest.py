"""An exported dataset as the trainer sees it: its pairs by split, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.dataset.finished import Pair

KINDS = ("under", "well", "over")  # exposures by relative_ev


class DatasetError(ValueError):
    """The dataset cannot be used; the message lists every fault by row."""


@dataclass(frozen=True)
class Dataset:
    """A folder made by export. `rows` of batches index `pairs`."""

    folder: Path
    sha256: str  # of manifest.csv: the name under which results on it may be compared
    pairs: tuple[Pair, ...]
    skipped: tuple[str, ...] = ()  # sentences, with `skip_bad`

    def split(self, name: str) -> tuple[Pair, ...]:
        """The pairs of train, val or test. DatasetError if there is none."""
        raise NotImplementedError

    def hdr_file(self, scene: str) -> Path | None:
        """The merged linear picture of a scene, if the export has one."""
        raise NotImplementedError


def kind_of(relative_ev: float | None, well_ev: float) -> str:
    """under, well or over: |relative_ev| <= well_ev is well exposed; unknown EV counts as well."""
    raise NotImplementedError


def open_dataset(folder: Path, *, splits: Sequence[str], skip_bad: bool = False) -> Dataset:
    """Read and check manifest and files (existence, SHA-256, sizes, splits) of these splits; DatasetError lists all faults.

    With `skip_bad` pairs with faults are left out and listed in `skipped`.
    """
    raise NotImplementedError
