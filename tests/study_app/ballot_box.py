"""A study with every kind of vote: counted, changed, late, excluded, simulated, by experts; five scenes, five ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app.counting import tally
from study_app.preparation.studies import create_study, open_study
from study_app.statistics.rule import Rule
from study_app.storage.database import open_database
from study_app.storage.models import Rater, Study, StudyScene
from tests.study_app.scenery import (
    START,
    RaterFactory,
    add_expert_vote,
    add_vote,
    detached,
    scenes_of,
)

LATER = START + timedelta(days=2)
RULE = Rule(p_best=0.9, p_near=0.9, minimum=3, cap=12)
EXPECTED = {
    "alley": "reject",  # nobody finds the best acceptable
    "bay": "void",
    "chapel": "accept",  # its winner has a near-duplicate
    "dune": "accept",  # by two experts
    "elm": "ambiguous",  # two votes
}
FORMULA = "=HYPERLINK(evil)"
VOID_REASON = "-2 exposures are missing"


def fill(catalog: Catalog, study: Study, new_rater: RaterFactory) -> list[Rater]:
    """Cast all votes; the raters, the one to be excluded first."""
    raters = [new_rater(step="trained")] + [new_rater(step="instructed") for _ in range(8)]
    colour_blind = new_rater(step="instructed", colour_passed=False)
    experts = [new_rater(step="instructed", is_expert=True) for _ in range(2)]
    with catalog.writing() as session:
        scenes = {scene.scene.name: scene for scene in scenes_of(session, study)}
        people = [session.merge(rater, load=False) for rater in raters]
        _vote(
            session,
            scenes["alley"],
            people[:8],
            [1, 0, 2],
            acceptable=False,
            reasons=["halo"],
            comment=FORMULA,
        )
        _vote(session, scenes["bay"], people[:2], [3])
        _vote(session, scenes["chapel"], people[1:9], [1])
        _vote(session, scenes["dune"], people[:2], [0])
        _vote(session, scenes["dune"], people[2:4], [1])
        _vote(session, scenes["elm"], people[:2], [1, 0])
        _vote(session, scenes["elm"], [session.merge(colour_blind, load=False)], [0])
        _vote(session, scenes["elm"], people[4:5], [], kind="cannot_tell")
        _unusual_votes(session, scenes, people)
        _ask_experts(session, scenes["dune"], [session.merge(expert, load=False) for expert in experts])
        scenes["bay"].void_reason = VOID_REASON
        tally.exclude(session, people[0], "asked for it", "ada", True, START)
        for scene in scenes.values():
            tally.refresh_scene(session, scene, START)
    return raters


def _vote(session: Session, scene: StudyScene, raters: Sequence[Rater], picks: Any, **options: Any) -> None:
    for rater in raters:
        add_vote(session, rater, scene, picks, **options)


def _unusual_votes(session: Session, scenes: dict[str, StudyScene], people: Sequence[Rater]) -> None:
    """A change of mind, one that came too late, and an answer of which only the late version exists."""
    add_vote(session, people[1], scenes["chapel"], [0])
    add_vote(session, people[1], scenes["chapel"], [1, 2])
    add_vote(session, people[2], scenes["chapel"], [0], late=True)
    add_vote(session, people[6], scenes["elm"], [0], late=True)


def _ask_experts(session: Session, scene: StudyScene, experts: Sequence[Rater]) -> None:
    """Both name the same of the two pictures that they are shown."""
    scene.sent_to_experts = True
    order = [scene.items[2].id, scene.items[1].id]
    for expert in experts:
        add_expert_vote(session, expert, scene, 2, order=order)


@contextmanager
def empty_study(template: Path, folder: Path, dataset: Path, rule: Rule) -> Iterator[tuple[Catalog, Study]]:
    """An open study without votes in a SQLite file of its own."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(template, folder / "catalog.sqlite")
    catalog = open_database(f"sqlite:///{folder / 'catalog.sqlite'}")
    with catalog.writing() as session:
        made, _ = create_study(session, "Tests", rule, seed=7, data=dataset, at=START)
        open_study(session, made, START)
        study = detached(session, made)
    yield catalog, study
    catalog.close()


@contextmanager
def filled_study(template: Path, folder: Path, dataset: Path) -> Iterator[tuple[Catalog, int]]:
    """A filled study in a SQLite file of its own, for tests that only read: the catalog and the study's id."""
    with empty_study(template, folder, dataset, RULE) as (catalog, study):
        fill(catalog, study, RaterFactory(catalog, study.id))
        yield catalog, study.id
