"""What came of a build with a host cut off: the figures of the table, and what they break of the promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """When and where the cable was pulled; times in seconds."""

    host: str
    after: float  # the start of the build
    scene: str  # that the host was working on
    step: str
    candidates_on_disk: int  # of all scenes


@dataclass(frozen=True)
class Aftermath:
    """What the host that was cut off did on its own, and what happened to it; times in seconds."""

    noticed_after: float  # the cut, by the scheduler
    handed_on: Mapping[str, int]  # scenes that another host got, and how many candidates it still had to make
    shared: tuple[str, ...]  # scenes of which each host made a part
    unreported: int  # candidates that nobody could report to the build, but that it found
    made_after_cut: int  # candidates
    folders_touched_late: int  # after the build had ended, when nobody else could
    changed_late: tuple[str, ...]  # files whose bytes changed then
    ended_after: float  # the cut, its worker by itself


@dataclass(frozen=True)
class Difference:
    """How the data folder and the catalog differ from those of the local build."""

    files: int  # in both
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    different: tuple[str, ...]
    rows: int  # in both
    rows_of_one: tuple[str, ...]  # rows that only one of them has
    failures: tuple[str, ...]  # in the ledger
    unfinished: tuple[
        str, ...
    ]  # files and marks that the host left when it was ended; the next build must not care


@dataclass(frozen=True)
class Outcome:
    """One build with a cut."""

    scenes: int
    candidates: int  # that the local build made
    by_host: Mapping[str, int]  # candidates
    seconds: float
    exits: Mapping[str, int]  # of the commands
    second_build: str  # its last word
    cut: Cut
    aftermath: Aftermath
    difference: Difference

    def figures(self) -> dict[str, str]:
        """The column of the table, by the name of the row."""
        cut, after, other = self.cut, self.aftermath, self.difference
        same = other.files - len(other.different)
        return {
            "scenes, candidates": f"{self.scenes}, {sum(self.by_host.values())} of {self.candidates}",
            "candidates by host": ", ".join(f"{host} {count}" for host, count in self.by_host.items()),
            "cut": f"{cut.after:.1f} s after the start",
            "at the cut": f"{cut.candidates_on_disk} candidates on disk; {cut.host} in {cut.step} of {cut.scene}",
            "the scheduler noticed": f"{after.noticed_after:.1f} s after the cut",
            "the build ended": f"{self.seconds:.1f} s after its start, exit {self.exits['build']}",
            "scenes handed on": ", ".join(
                f"{scene} ({left} to make)" for scene, left in after.handed_on.items()
            ),
            "scenes made by both": ", ".join(after.shared) or "none",
            "found, never reported": f"{after.unreported} candidates",
            f"{cut.host} after the cut": f"finished {after.made_after_cut} candidates",
            f"{cut.host} after the build": f"wrote in {after.folders_touched_late} folders, "
            f"changed {len(after.changed_late)} files",
            f"{cut.host}'s worker": f"ended by itself {after.ended_after:.1f} s after the cut",
            "files as in the local build": f"{same} of {other.files + len(other.missing)}",
            "rows as in the local build": f"{other.rows} of {other.rows + len(other.rows_of_one)}",
            "left behind": f"{len(other.unfinished)} unfinished, {len(other.failures)} failures on record",
            "second build": f"{self.second_build}, exit {self.exits['second build']}",
            "status --verify": f"exit {self.exits['status --verify']}",
        }

    def problems(self) -> list[str]:
        """What is broken; empty where all holds. Times are reported, not judged."""
        other = self.difference
        broken = [
            f"{what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
            for what, names in {
                "missing files": other.missing,
                "unexpected files": other.unexpected,
                "other bytes than locally": other.different,
                "rows of one catalog only": other.rows_of_one,
                "failures on record": other.failures,
                "changed by late results": self.aftermath.changed_late,
            }.items()
            if names
        ]
        broken += [f"{command}: exit {status}" for command, status in self.exits.items() if status]
        if not self.aftermath.handed_on:
            broken.append("no scene of the host that was cut off was handed on: nothing is shown")
        if f"0 candidates made, {self.scenes} of {self.scenes} scenes were up to date" != self.second_build:
            broken.append(f"the second build found something to do: {self.second_build}")
        return broken
