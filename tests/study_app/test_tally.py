"""From vote rows to a scene's state: what counts, the cache, the looks, exclusion, catching up, the experts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import delete, select

from builder.catalog import Catalog
from study_app.counting import tally
from study_app.counting.counted_answers import excluded_rater_ids, scene_answers
from study_app.statistics import evaluation
from study_app.statistics.evaluation import Answer, looks
from study_app.statistics.rule import Rule
from study_app.storage.models import Assignment, Exclusion, Look, Rater, StudyScene, Vote, VotePick
from tests.study_app import scenery
from tests.study_app.scenery import START, RaterFactory

CACHE = (
    "state", "counted", "cannot_tell", "technical", "leader_id", "p_best", "p_near", "answers_digest",
)  # fmt: skip


@pytest.fixture
def rule() -> Rule:
    """Quick to reach a verdict."""
    return Rule(p_best=0.9, p_near=0.9, minimum=3, cap=8)


@dataclass(frozen=True)
class Booth:
    """Casts votes on one scene and says what came of it."""

    catalog: Catalog
    new_rater: RaterFactory
    scene_id: int

    def rater(self, **state) -> int:
        return self.new_rater(**{"step": "instructed", **state}).id

    def cast(self, rater_id: int, *picks: int, **options) -> int:
        """A vote by places of items; its id. The cache does not hear of it."""
        with self.catalog.writing() as session:
            scene = session.get_one(StudyScene, self.scene_id)
            return scenery.add_vote(session, session.get_one(Rater, rater_id), scene, picks, **options).id

    def votes(self, *ballots: tuple[int, ...], **options) -> list[int]:
        """One new rater per ballot; their ids."""
        raters = [self.rater() for _ in ballots]
        for rater, ballot in zip(raters, ballots, strict=True):
            self.cast(rater, *ballot, **options)
        return raters

    @contextmanager
    def scene(self):
        with self.catalog.writing() as session:
            yield session, session.get_one(StudyScene, self.scene_id)

    def tally(self) -> tally.SceneTally:
        with self.catalog.reading() as session:
            return tally.scene_tally(session, session.get_one(StudyScene, self.scene_id))

    def refresh(self) -> tally.SceneTally:
        with self.scene() as (session, scene):
            return tally.refresh_scene(session, scene, START)

    def exclude(self, rater_id: int, *, excluded: bool = True) -> None:
        with self.catalog.writing() as session:
            tally.exclude(session, session.get_one(Rater, rater_id), "asked", "ada", excluded, START)

    def cached(self) -> dict[str, object]:
        with self.catalog.reading() as session:
            scene = session.get_one(StudyScene, self.scene_id)
            return {name: getattr(scene, name) for name in CACHE}

    def looks(self) -> list[tuple[object, ...]]:
        """The looks that hold, without their row numbers and generation."""
        with self.catalog.reading() as session:
            scene = session.get_one(StudyScene, self.scene_id)
            rows = session.scalars(
                select(Look)
                .where(Look.study_scene_id == scene.id, Look.generation == scene.look_generation)
                .order_by(Look.number)
            )
            return [
                (look.number, look.vote_id, look.state, look.leader_id, look.p_best, look.p_near)
                for look in rows
            ]

    def erase(self, rater_id: int) -> None:
        """The rows of the rater's votes go away, as `erase` does it."""
        with self.scene() as (session, scene):
            session.get_one(Rater, rater_id).state = "erasing"
            session.flush()
            own = select(Vote.id).join(Assignment).where(Assignment.rater_id == rater_id).scalar_subquery()
            session.execute(delete(VotePick).where(VotePick.vote_id.in_(own)))
            session.execute(delete(Vote).where(Vote.id.in_(own)))
            tally.refresh_scene(session, scene, START)


@pytest.fixture
def booth(catalog, study, new_rater) -> Booth:
    """On the scene "alley", which has four items."""
    with catalog.reading() as session:
        return Booth(catalog, new_rater, scenery.scene_named(session, study, "alley").id)


def test_without_votes_every_item_is_as_likely(booth):
    found = booth.tally()
    assert found.answers == found.expert_answers == ()
    assert found.evaluation.state == "continue"
    assert found.evaluation.p_best == pytest.approx((0.25,) * 4, abs=0.03)


def test_answers_name_items_by_place_whatever_the_order_shown(booth):
    rater = booth.rater()
    with booth.catalog.reading() as session:
        ids = [item.id for item in session.get_one(StudyScene, booth.scene_id).items]
    vote = booth.cast(rater, 2, 0, acceptable=False, order=ids[::-1])
    found = booth.tally()
    assert found.item_ids == tuple(ids)
    assert found.answers == (Answer(vote, "choice", (2, 0), False, None),)


def test_all_kinds_of_answers_are_counted_apart(booth):
    booth.votes((0,), (1,))
    booth.cast(booth.rater(), kind="cannot_tell")
    booth.cast(booth.rater(), kind="technical")
    found = booth.refresh().evaluation
    assert (found.counted, found.cannot_tell, found.technical) == (2, 1, 1)
    assert (booth.cached()["counted"], booth.cached()["cannot_tell"], booth.cached()["technical"]) == (
        2,
        1,
        1,
    )


@pytest.mark.parametrize(
    "state",
    [
        {"colour_passed": False, "step": "colour-checked"},
        {"training_passed": False, "step": "trained"},
        {"display_passed": False, "step": "display-checked"},
        {"state": "withdrawn"},
        {"state": "erasing"},
        {"state": "erased"},
    ],
    ids=lambda state: next(iter(state)) + "-" + str(state.get("state", "")),
)
def test_who_failed_a_check_or_left_does_not_count(booth, state):
    booth.cast(booth.rater(**state), 1)
    assert booth.tally().answers == ()


def test_a_check_that_was_not_made_hinders_nobody(booth):
    booth.cast(booth.rater(step="consented"), 1)
    assert len(booth.tally().answers) == 1


@pytest.mark.parametrize("options", [{"late": True}, {"round_": 2}])
def test_late_answers_and_repeats_do_not_count(booth, options):
    booth.votes((1,), **options)
    assert booth.tally().answers == ()
    assert booth.tally().expert_answers == ()


def test_the_newest_version_is_the_answer(booth):
    rater = booth.rater()
    booth.cast(rater, 1, 2)
    booth.votes((0,))
    newest = booth.cast(rater, 3, acceptable=False)
    assert [(answer.vote_id, answer.picks) for answer in booth.tally().answers][-1] == (newest, (3,))
    assert len(booth.tally().answers) == 2


def test_a_late_version_leaves_the_earlier_answer(booth):
    rater = booth.rater()
    first = booth.cast(rater, 1)
    booth.cast(rater, 2, late=True)
    assert [answer.vote_id for answer in booth.tally().answers] == [first]


def test_votes_of_another_scene_do_not_mix(booth, catalog, study):
    rater = booth.rater()
    with catalog.writing() as session:
        other = scenery.scene_named(session, study, "bay")
        scenery.add_vote(session, session.get_one(Rater, rater), other, [5])
    assert booth.tally().answers == ()


def test_a_check_scene_is_never_counted(catalog, study):
    with catalog.reading() as session:
        [gold] = scenery.scenes_of(session, study, "gold")
        with pytest.raises(ValueError, match="gold scene; only real scenes are counted"):
            tally.scene_tally(session, gold)


def test_the_cache_says_what_the_tally_says(booth):
    booth.votes((2, 1), (2,), (1,), (2, 0, 1))
    found = booth.refresh().evaluation
    assert found == booth.tally().evaluation
    cached = booth.cached()
    assert cached["leader_id"] == booth.tally().item_ids[2]
    assert (cached["state"], cached["p_best"], cached["p_near"]) == (
        found.state,
        found.p_best[2],
        found.p_near[2],
    )


def test_looks_are_what_the_rule_says_after_each_counted_vote(booth, rule):
    for ballot in ((2, 1), (2,), (1,), (2, 0, 1), (0,)):
        booth.votes(ballot)
        booth.refresh()
        booth.cast(booth.rater(), kind="technical")
        booth.refresh()
    found = booth.tally()
    wanted = looks(rule, 4, found.answers)
    assert [one.counted for one in wanted] == [3, 4, 5]
    assert booth.looks() == [
        (
            one.counted,
            one.vote_id,
            one.state,
            found.item_ids[one.leader],
            one.p_best[one.leader],
            one.p_near[one.leader],
        )
        for one in wanted
    ]


def test_one_refresh_after_many_votes_writes_the_same_looks(booth):
    for ballot in ((2,), (2,), (1,), (0,), (2,)):
        booth.votes(ballot)
        booth.refresh()
    one_by_one = booth.looks()
    with booth.scene() as (_, scene):
        scene.evaluated_vote_id, scene.answers_digest = None, "lost"
    booth.refresh()
    assert booth.looks() == one_by_one


def test_a_vote_is_fitted_once(booth, monkeypatch):
    """Its look and the scene's state follow from the same posterior."""
    booth.votes((0,), (0,), (1,))
    booth.refresh()
    fitted = []
    evaluate = evaluation.evaluate
    for module in (evaluation, tally):
        monkeypatch.setattr(module, "evaluate", lambda *given: (fitted.append(given), evaluate(*given))[1])
    booth.votes((0, 1))
    booth.refresh()
    assert len(fitted) == 1
    monkeypatch.undo()
    with booth.scene() as (_, scene):
        assert scene.p_best == booth.tally().evaluation.p_best[booth.tally().evaluation.leader]


def test_a_refresh_without_news_adds_nothing(booth):
    booth.votes((2,), (2,), (1,), (0,))
    booth.refresh()
    before = booth.looks()
    booth.refresh()
    assert booth.looks() == before
    with booth.scene() as (_, scene):
        assert scene.look_generation == 0


def test_a_changed_answer_makes_a_new_generation_of_looks(booth):
    raters = booth.votes((2,), (2,), (1,), (0,))
    booth.refresh()
    booth.cast(raters[0], 1)
    booth.refresh()
    with booth.scene() as (session, scene):
        assert scene.look_generation == 1
        assert len(session.scalars(select(Look).where(Look.generation == 0)).all()) == 2
    assert [number for number, *_ in booth.looks()] == [3, 4]


def test_excluded_equals_never_voted_exactly(booth):
    """The same rows once under an exclusion, once with the rater's rows gone: every figure is the same."""
    raters = booth.votes((2, 1), (0,), (2,), (2, 3), (0, 1), (2,))
    doubtful = booth.rater()
    booth.cast(doubtful, 0, 3)
    booth.votes((2,))
    before = booth.refresh()
    booth.exclude(doubtful)
    excluded = (booth.tally(), booth.cached(), booth.looks())
    assert excluded[0] != before
    booth.erase(doubtful)
    assert (booth.tally(), booth.cached(), booth.looks()) == excluded
    assert len(excluded[0].answers) == len(raters) + 1


def test_an_excluded_cannot_tell_frees_its_place_under_the_cap(booth):
    booth.votes(*[(place % 2,) for place in range(7)])
    unsure = booth.rater()
    booth.cast(unsure, kind="cannot_tell")
    assert booth.refresh().evaluation.state == "adjudicate"
    booth.exclude(unsure)
    assert booth.cached()["state"] == "continue"


def test_restoring_brings_back_every_figure(booth):
    raters = booth.votes((2, 1), (0,), (2,), (1, 3))
    booth.refresh()
    before = (booth.tally(), booth.cached(), booth.looks())
    booth.exclude(raters[1])
    assert (booth.tally(), booth.cached(), booth.looks()) != before
    booth.exclude(raters[1], excluded=False)
    assert (booth.tally(), booth.cached(), booth.looks()) == before
    with booth.catalog.reading() as session:
        assert [row.excluded for row in session.scalars(select(Exclusion).order_by(Exclusion.id))] == [
            True,
            False,
        ]


def test_excluding_everybody_leaves_no_look(booth):
    raters = booth.votes((2,), (2,), (1,))
    booth.refresh()
    assert booth.looks()
    for rater in raters:
        booth.exclude(rater)
    assert booth.looks() == []
    assert booth.cached()["counted"] == 0


def test_exclusion_recomputes_every_scene_of_the_rater(booth, catalog, study):
    [rater] = booth.votes((1,))
    with catalog.writing() as session:
        other = scenery.scene_named(session, study, "bay")
        scenery.add_vote(session, session.get_one(Rater, rater), other, [5])
        tally.refresh_scene(session, other, START)
        assert other.counted == 1
    booth.refresh()
    booth.exclude(rater)
    with catalog.reading() as session:
        assert {scene.counted for scene in scenery.scenes_of(session, study)} == {0}
        assert excluded_rater_ids(session, study) == {rater}


def test_the_newest_exclusion_holds(booth, catalog, study):
    rater = booth.rater()
    for excluded in (True, False, True, False):
        booth.exclude(rater, excluded=excluded)
    with catalog.reading() as session:
        assert excluded_rater_ids(session, study) == frozenset()


def test_an_exclusion_needs_a_reason(booth, catalog):
    rater = booth.rater()
    with pytest.raises(ValueError, match="needs a reason"), catalog.writing() as session:
        tally.exclude(session, session.get_one(Rater, rater), "  ", "ada", True, START)


def test_who_withdrew_is_not_restored(booth, catalog):
    rater = booth.rater(state="withdrawn")
    with pytest.raises(ValueError, match="the rater is withdrawn"):
        booth.exclude(rater, excluded=False)


def test_what_a_crash_left_behind_is_caught_up(booth, catalog, study):
    assert tally.refresh_stale(catalog, study.id, START) == 0
    booth.votes((2,), (2,), (1,))
    assert booth.cached()["counted"] == 0
    assert tally.refresh_stale(catalog, study.id, START) == 1
    assert booth.cached()["counted"] == 3
    assert len(booth.looks()) == 1
    assert tally.refresh_stale(catalog, study.id, START) == 0


def test_a_vote_that_became_visible_late_is_caught_up_in_its_place(booth, catalog, study):
    """On PostgreSQL a vote can commit after one with a higher id: the cache has seen id 5 but not id 4."""
    raters = booth.votes((2,), (1,), (2,), (0,))
    with booth.scene() as (session, scene):
        hidden = session.get_one(Rater, raters[1])
        hidden.state = "withdrawn"
        tally.refresh_scene(session, scene, START)
        scene.votes_seen -= 1
        hidden.state = "active"
    assert tally.refresh_stale(catalog, study.id, START) == 1
    assert booth.cached()["counted"] == 4
    assert [number for number, *_ in booth.looks()] == [3, 4]


def test_a_void_scene_is_void_whatever_the_votes_say(booth):
    booth.votes((2,), (2,), (2,))
    with booth.scene() as (_, scene):
        scene.void_reason = "a watermark"
    found = booth.refresh().evaluation
    assert (found.state, found.reason, found.counted) == ("void", "a watermark", 3)
    assert booth.cached()["state"] == "void"
    with booth.scene() as (_, scene):
        scene.void_reason = None
    booth.refresh()
    assert booth.cached()["state"] != "void"


def at_cap_without_verdict(booth: Booth) -> None:
    booth.votes(*[(place % 2,) for place in range(8)])
    assert booth.refresh().evaluation.state == "adjudicate"


def experts_say(booth: Booth, *picks: int, **options) -> list[int]:
    experts = [booth.rater(is_expert=True) for _ in picks]
    with booth.scene() as (session, scene):
        shown = [scene.items[place].id for place in (3, 1, 0)]
        for expert, pick in zip(experts, picks, strict=True):
            own = session.get_one(Rater, expert)
            scenery.add_expert_vote(session, own, scene, pick, order=shown, **options)
    return experts


def test_two_experts_of_one_mind_settle_a_scene(booth):
    at_cap_without_verdict(booth)
    experts_say(booth, 1)
    assert booth.refresh().evaluation.state == "adjudicate"
    experts_say(booth, 1)
    found = booth.refresh()
    assert found.evaluation.state == "accept"
    assert "adjudicated" in found.evaluation.reason
    assert booth.cached()["leader_id"] == found.item_ids[1]
    assert [answer.shown for answer in found.expert_answers] == [(0, 1, 3), (0, 1, 3)]
    assert found.evaluation.counted == 8


def test_experts_who_differ_leave_it_ambiguous(booth):
    at_cap_without_verdict(booth)
    experts_say(booth, 1, 0)
    assert booth.refresh().evaluation.state == "ambiguous"
    assert booth.cached()["state"] == "ambiguous"


def test_an_excluded_expert_has_no_say(booth):
    at_cap_without_verdict(booth)
    experts = experts_say(booth, 1, 1)
    booth.refresh()
    booth.exclude(experts[0])
    assert booth.cached()["state"] == "adjudicate"


def test_a_scene_can_be_sent_to_the_experts_early(booth):
    booth.votes((0,), (1,))
    with booth.scene() as (_, scene):
        scene.sent_to_experts = True
    assert booth.refresh().evaluation.state == "adjudicate"
    experts_say(booth, 1, 1)
    assert booth.refresh().evaluation.state == "accept"


def test_experts_answers_without_adjudication_change_nothing(booth):
    booth.votes((0,), (1,))
    experts_say(booth, 1, 1)
    assert booth.refresh().evaluation.state == "continue"


def test_the_digest_tells_any_two_sets_of_answers_apart(booth):
    booth.votes((2, 1), (0,))
    with booth.scene() as (session, scene):
        answers = scene_answers(session, scene).answers
    variants = [
        answers,
        answers[::-1],
        answers[:1],
        (answers[0], replace(answers[1], acceptable=False)),
        (answers[0], replace(answers[1], picks=(1,))),
        (answers[0], replace(answers[1], vote_id=99)),
    ]
    assert len({tally.answers_digest(variant) for variant in variants}) == len(variants)
    assert tally.answers_digest(list(answers)) == tally.answers_digest(answers)
