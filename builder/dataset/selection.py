"""Which scenes are published and which are not, from the catalog's rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from builder.catalog import Candidate, Exposure, Reference, Scene
from builder.dataset.public_names import public_group, public_names
from builder.dataset.records import NOT_PEOPLE, SIMULATED, Excluded

ACCEPTED = ("accept", "accept-equivalent")
SIMULATED_RULE = "+simulated"
BY_ALGORITHM = "algorithm:"
SENTENCES = {
    "no-reference": "the study has not decided about this scene",
    "reject": "raters found no candidate acceptable as a reference",
    "ambiguous": "people did not agree on a best candidate",
    "void": "taken out of the study by the experimenter",
    "dynamic": "something moved between the exposures: an input and the reference do not show the same scene",
    "not-aligned": "the exposures could not be brought into register, or not enough of them overlaps",
    "not-built": "the scene was not built to its end",
    "no-candidate": "the algorithm that serves as reference made no candidate for this scene",
    "candidate-missing": "the chosen candidate is no longer in the store",
}


# Columns only: whole rows would hold votes and shapes of thousands of scenes in memory.
SCENES = select(Scene.id, Scene.name, Scene.group_name, Scene.status, Scene.flags).order_by(Scene.name)
CURRENT_REFERENCES = select(
    Reference.id, Reference.scene_id, Reference.candidate_id, Reference.verdict, Reference.rule_version
).where(Reference.current)
SceneColumns = Row[int, str, str, str, list[str]]
ReferenceColumns = Row[int, int, int | None, str, str]


class NoReferences(ValueError):
    """Nothing can be exported because nobody has chosen; the message says what to do."""


@dataclass(frozen=True)
class ChosenScene:
    """A scene with the candidate that is its reference."""

    id: int
    scene: str  # the catalog's name
    name: str  # the published one
    group: str
    candidate_id: int
    reference_id: int | None  # None: not chosen by people
    stamp: str
    originals: tuple[str, ...]  # SHA-256


@dataclass(frozen=True)
class Selection:
    """Scenes to publish, by published name, and all others."""

    chosen: tuple[ChosenScene, ...]
    excluded: tuple[Excluded, ...]


def reference_algorithm(text: str | None) -> str | None:
    """`algorithm:NAME` -> NAME, None -> None; ValueError for anything else."""
    if text is None:
        return None
    name = text.removeprefix(BY_ALGORITHM)
    if name == text or not name:
        raise ValueError(f"--reference {text!r}: give algorithm:NAME, e.g. algorithm:mertens2009")
    return name


def select_scenes(session: Session, algorithm: str | None, groups_by_hand: Mapping[str, str]) -> Selection:
    """Sort the catalog's scenes into published and excluded. NoReferences if people have chosen nothing."""
    scenes = session.execute(SCENES).all()
    references = {row.scene_id: row for row in session.execute(CURRENT_REFERENCES)}
    candidates = _candidates(session, algorithm, references)
    originals = _originals(session)
    names = public_names((scene.name, originals[scene.id]) for scene in scenes)
    chosen, excluded = [], []
    for scene in scenes:
        group = public_group(groups_by_hand.get(scene.name, scene.group_name), names)
        reference, candidate = references.get(scene.id), candidates.get(scene.id)
        reason = _reason(scene, reference, candidate, algorithm)
        if reason or candidate is None:
            sentence = SENTENCES.get(reason, "the scene has no reference")
            excluded.append(Excluded(names[scene.name], group, reason, sentence))
            continue
        by_people = reference if algorithm is None else None
        chosen.append(
            ChosenScene(
                scene.id, scene.name, names[scene.name], group, candidate[0],
                by_people.id if by_people else None, _stamp(by_people),
                tuple(sha256 for _, sha256 in originals[scene.id]),
            )
        )  # fmt: skip
    if not chosen:
        raise NoReferences(_nothing_to_export(excluded, algorithm))
    chosen.sort(key=lambda one: one.name.encode())
    return Selection(tuple(chosen), tuple(excluded))


def _originals(session: Session) -> Mapping[int, Sequence[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    query = select(Exposure.scene_id, Exposure.original_path, Exposure.sha256)
    for scene, path, sha256 in session.execute(query.order_by(Exposure.scene_id, Exposure.position)):
        found[scene].append((path, sha256))
    return found


def _candidates(
    session: Session, algorithm: str | None, references: Mapping[int, ReferenceColumns]
) -> dict[int, tuple[int, bool]]:
    """Scene -> (candidate, whether its file is there by the catalog)."""
    query = select(Candidate.scene_id, Candidate.id, Candidate.path, Candidate.status).order_by(Candidate.id)
    if algorithm is not None:
        rows = session.execute(
            query.where(Candidate.algorithm == algorithm, Candidate.status == "done")
        ).all()
        if not rows:
            known = session.scalars(
                select(Candidate.algorithm).distinct().order_by(Candidate.algorithm)
            ).all()
            raise ValueError(
                f"--reference algorithm:{algorithm}: no scene has such a candidate; there are: "
                f"{', '.join(known) or 'none, build first'}"
            )
        return {row.scene_id: (row.id, row.path is not None) for row in rows}
    wanted = {row.candidate_id for row in references.values() if row.candidate_id is not None}
    rows = session.execute(query).all()
    return {row.scene_id: (row.id, row.path is not None) for row in rows if row.id in wanted}


def _reason(
    scene: SceneColumns,
    reference: ReferenceColumns | None,
    candidate: tuple[int, bool] | None,
    algorithm: str | None,
) -> str:
    """Why the scene is left out, "" if it is not."""
    if scene.status == "rejected":
        return "not-aligned"
    if scene.status in ("failed", "quarantined", "ingested"):
        return "not-built"
    if "dynamic" in scene.flags:
        return "dynamic"
    if algorithm is None and reference is None:
        return "no-reference"
    if algorithm is None and reference is not None and reference.verdict not in ACCEPTED:
        return reference.verdict
    if candidate is None:
        return "candidate-missing" if algorithm is None else "no-candidate"
    return "" if candidate[1] else "candidate-missing"


def _stamp(reference: ReferenceColumns | None) -> str:
    if reference is None:
        return NOT_PEOPLE
    return SIMULATED if reference.rule_version.endswith(SIMULATED_RULE) else ""


def _nothing_to_export(excluded: Sequence[Excluded], algorithm: str | None) -> str:
    counts: dict[str, int] = defaultdict(int)
    for one in excluded:
        counts[one.reason] += 1
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "there are no scenes"
    if algorithm is not None:
        return f"no scene can be exported ({why}); build the dataset first"
    return (
        f"no scene has a reference that people accepted ({why}). Let people choose: `python -m study_app serve` "
        f"opens the study, `python -m study_app decide` writes its verdicts. To try the export without people: "
        f"--reference algorithm:mertens2009 (the dataset is then marked '{NOT_PEOPLE}')"
    )
