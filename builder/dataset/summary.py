"""What a datasheet tells in numbers; counted scene by scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from builder.dataset.records import SceneFact


@dataclass
class Summary:
    """Counts over all scenes of a release."""

    scenes: Counter[str] = field(default_factory=Counter)  # by split
    groups: dict[str, set[str]] = field(default_factory=dict)  # by split
    pairs: Counter[str] = field(default_factory=Counter)  # by split
    exposures: Counter[int] = field(default_factory=Counter)  # scenes by number of exposures
    relative_ev: Counter[int] = field(default_factory=Counter)  # inputs by whole EV
    unknown_ev: int = 0
    wins: Counter[str] = field(default_factory=Counter)  # references by algorithm
    verdicts: Counter[str] = field(default_factory=Counter)
    stamps: Counter[str] = field(default_factory=Counter)  # only stamped scenes
    certainty: Counter[int] = field(default_factory=Counter)  # references by tenths of P(best)
    acceptable: Counter[int] = field(default_factory=Counter)  # by tenths of the share "acceptable"
    raters: Counter[int] = field(default_factory=Counter)
    years: Counter[int] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    as_shot: int = 0
    hdr: int = 0
    candidates: int = 0  # pictures beside the references
    bytes: int = 0

    def add(self, scene: SceneFact) -> None:
        """Count one scene."""
        self.scenes[scene.split] += 1
        self.groups.setdefault(scene.split, set()).add(scene.group)
        self.pairs[scene.split] += len(scene.inputs)
        self.exposures[len(scene.inputs)] += 1
        for one in scene.inputs:
            self.as_shot += one.as_shot
            if one.relative_ev is None:
                self.unknown_ev += 1
            else:
                self.relative_ev[round(one.relative_ev)] += 1
        reference = scene.reference
        self.wins[reference.algorithm] += 1
        self.verdicts[reference.verdict] += 1
        if reference.stamp:
            self.stamps[reference.stamp] += 1
        if reference.p_best is not None:
            self.certainty[min(9, int(reference.p_best * 10))] += 1
        if reference.acceptable_share is not None:
            self.acceptable[min(9, int(reference.acceptable_share * 10))] += 1
        self.raters[reference.raters] += 1
        if scene.year is not None:
            self.years[scene.year] += 1
        self.sizes[f"{scene.width}x{scene.height}"] += 1
        self.hdr += scene.hdr is not None
        self.candidates += len(scene.candidate_files)
        self.bytes += sum(file.size for file in scene.files)
