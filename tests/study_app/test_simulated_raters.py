"""Simulated raters: the model is Plackett-Luce, the votes go the way of real ones, and they stay marked."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import func, select

from builder.catalog import Reference
from study_app.outcomes.deciding import decide, scene_verdicts
from study_app.preparation.studies import close_study
from study_app.simulation.simulated_answers import (
    STRENGTH_SD,
    RaterModel,
    ease_of,
    simulated_answer,
    strengths_from_hash,
    strengths_from_quality,
)
from study_app.simulation.simulated_raters import Simulation, simulate
from study_app.statistics.rule import Rule
from study_app.storage.models import Assignment, Rater, Sitting, Study, StudyScene, Vote
from tests.study_app.ballot_box import empty_study
from tests.study_app.scenery import START

PERFECT = RaterModel(spread=0, lapse=0, cannot_tell=0, ranked=1)


@pytest.fixture
def rule():
    return Rule(p_best=0.8, p_near=0.8, minimum=3, cap=6)


def answers(model: RaterModel, strengths, ease: float = 3.0, count: int = 4000):
    generator = np.random.default_rng(5)
    return [simulated_answer(strengths, ease, model, generator) for _ in range(count)]


def test_picks_are_plackett_luce():
    """First and second picks fall as exp(u) over the sum of what is left; 4000 draws: 0.03 is four deviations."""
    weights = np.exp([1.0, 0.0, -0.5])
    given = answers(PERFECT, (1.0, 0.0, -0.5))
    pairs = Counter(answer.picks[:2] for answer in given)
    for (first, second), times in pairs.items():
        left = weights.sum() - weights[first]
        expected = weights[first] / weights.sum() * weights[second] / left
        assert times / len(given) == pytest.approx(expected, abs=0.03)
    assert len(pairs) == 6


def test_lapses_are_blind_and_spread_makes_people_differ():
    blind = Counter(answer.picks[0] for answer in answers(RaterModel(lapse=1, cannot_tell=0), (9.0, 0.0)))
    assert blind[0] / 4000 == pytest.approx(0.5, abs=0.03)
    sure = answers(PERFECT, (3.0, 0.0))
    torn = answers(RaterModel(spread=3, lapse=0, cannot_tell=0), (3.0, 0.0))
    assert sum(answer.picks[0] == 0 for answer in torn) < sum(answer.picks[0] == 0 for answer in sure)


def test_the_best_is_acceptable_as_often_as_its_ease_says():
    alike = answers(PERFECT, (0.0, 0.0), ease=1.0)
    expected = 1 / (1 + math.exp(-1.0))
    assert sum(bool(answer.acceptable) for answer in alike) / 4000 == pytest.approx(expected, abs=0.03)
    worse = [answer for answer in answers(PERFECT, (2.0, 0.0), ease=1.0) if answer.picks[0] == 1]
    assert sum(bool(answer.acceptable) for answer in worse) / len(worse) < expected


def test_silence_and_ranks_come_as_often_as_asked():
    given = answers(RaterModel(cannot_tell=0.2, ranked=0.4), (0.0,) * 5)
    silent = [answer for answer in given if answer.kind == "cannot_tell"]
    assert len(silent) / 4000 == pytest.approx(0.2, abs=0.03)
    assert all(answer.picks == () and answer.acceptable is None for answer in silent)
    chosen = [answer for answer in given if answer.kind == "choice"]
    assert sum(len(answer.picks) == 3 for answer in chosen) / len(chosen) == pytest.approx(0.4, abs=0.03)


def test_strengths_follow_the_order_of_the_score_and_ties_are_equal():
    strengths = strengths_from_quality((0.9, 0.1, 0.5, 0.5, 0.95))
    assert strengths[4] > strengths[0] > strengths[2] == strengths[3] > strengths[1]
    assert sum(strengths_from_quality((0.9, 0.1, 0.5, 0.3))) == pytest.approx(0)


def test_strengths_from_names_are_normal_and_fixed():
    names = [f"candidate {number}" for number in range(2000)]
    strengths = strengths_from_hash(names, 1)
    assert strengths == strengths_from_hash(names, 1) != strengths_from_hash(names, 2)
    assert np.std(strengths) == pytest.approx(STRENGTH_SD, abs=0.1)
    eases = Counter(ease_of(name, 1) for name in names)
    assert len(eases) == 2


@pytest.mark.parametrize("wrong", [{"lapse": 1.5}, {"spread": -1}, {"seconds": 0}, {"cannot_tell": -0.1}])
def test_an_impossible_population_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RaterModel(**wrong)


def test_an_impossible_simulation_is_refused():
    with pytest.raises(ValueError, match="at least 1 and 0 are needed"):
        Simulation(raters=0)
    with pytest.raises(ValueError, match="choose one of quality, hash"):
        Simulation(strengths="beauty")


def run(catalog, study, **options):
    steps = list(simulate(catalog, study.id, Simulation(**{"raters": 8, "seed": 3, **options}), START))
    assert [step.votes for step in steps] == list(range(1, len(steps) + 1))
    return steps[-1]


def test_they_train_vote_and_decide_the_way_people_do(catalog, study):
    last = run(catalog, study)
    assert last.undecided == 0
    with catalog.reading() as session:
        raters = session.scalars(select(Rater)).all()
        assert {(rater.simulated, rater.state) for rater in raters} == {(True, "active")}
        assert Counter(rater.training_passed for rater in raters)[True] >= 7
        assert session.scalar(select(func.count(Vote.id))) == last.votes
        assert session.scalar(select(func.count(Vote.id)).where(Vote.late)) == 0
        assert session.scalar(select(func.max(Vote.version))) == 1
        caps = session.scalars(select(StudyScene.counted + StudyScene.cannot_tell)).all()
        assert max(caps) <= 6
        for trial in session.scalars(select(Assignment)):
            assert (
                sorted(trial.order_json) == sorted(item.id for item in trial.study_scene.items)
                or trial.round == 3
            )
        assert session.scalar(select(func.count(Sitting.id)).where(Sitting.ended_at.is_(None))) == 0


def test_the_same_seed_gives_the_same_results(sqlite_template, tmp_path, dataset, rule):
    def figures(folder: str):
        with empty_study(sqlite_template, tmp_path / folder, dataset, rule) as (catalog, study):
            run(catalog, study)
            with catalog.reading() as session:
                found = scene_verdicts(session, session.get_one(Study, study.id))
                return [(one.verdict.scene, one.state, one.evaluation.p_best, one.leader) for one in found]

    first = figures("first")
    assert figures("second") == first
    assert len({state for _, state, _, _ in first}) > 1


def test_verdicts_that_rest_on_them_say_so(catalog, study):
    run(catalog, study)
    with catalog.writing() as session:
        assert decide(
            session, session.get_one(Study, study.id), by="ada", at=START + timedelta(days=1)
        ).simulated
    with catalog.reading() as session:
        versions = session.scalars(select(Reference.rule_version).where(Reference.raters > 0)).all()
    assert versions
    assert all(version.endswith("+simulated") for version in versions)


def test_further_raters_are_others(catalog, study):
    run(catalog, study, raters=2, trials=1, experts=0)
    run(catalog, study, raters=2, trials=1, experts=0)
    with catalog.reading() as session:
        assert session.scalar(select(func.count(Rater.public_id.distinct()))) == 4
        assert (
            session.scalar(
                select(func.count(Vote.id))
                .join(Vote.assignment)
                .join(Assignment.study_scene)
                .where(StudyScene.role != "training")
            )
            == 4
        )


def test_a_closed_study_takes_no_simulated_votes(catalog, study):
    with catalog.writing() as session:
        close_study(session, session.get_one(Study, study.id), START)
    with pytest.raises(ValueError, match="is closed; only an open study takes votes"):
        run(catalog, study)
