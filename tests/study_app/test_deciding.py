"""`decide`: recomputes all, writes at once, twice is once, and says what it would do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from builder.catalog import Candidate, Reference, Scene
from study_app.counting import tally
from study_app.outcomes.deciding import decide, preview, scene_verdicts
from study_app.outcomes.verdicts import evaluation_of, verdict_of
from study_app.preparation.studies import create_study, open_study
from study_app.storage import audit
from study_app.storage.models import AuditEvent, Decision, Rater, Study, StudyScene
from tests.study_app import ballot_box
from tests.study_app.ballot_box import LATER
from tests.study_app.scenery import START, add_vote, detached, scene_named


@pytest.fixture
def rule():
    return ballot_box.RULE


@pytest.fixture
def raters(catalog, study, new_rater):
    """A study full of votes."""
    return ballot_box.fill(catalog, study, new_rater)


@pytest.fixture
def run(catalog, study):
    """Run `decide` in its own transaction."""

    def once(at=LATER, of=None):
        with catalog.writing() as session:
            return decide(session, session.get_one(Study, (of or study).id), by="ada", at=at)

    return once


def rows(catalog) -> list[tuple[object, ...]]:
    """Every column of every decision and reference."""
    with catalog.reading() as session:
        return [
            tuple(getattr(row, column.name) for column in table.__table__.columns)
            for table in (Decision, Reference)
            for row in session.scalars(select(table).order_by(table.id))
        ]


def references(catalog) -> dict[str, Reference]:
    with catalog.reading() as session:
        query = select(Scene.name, Reference).join(Scene, Scene.id == Reference.scene_id)
        return dict(session.execute(query.where(Reference.current)).all())


def test_every_scene_gets_its_verdict_and_the_study_is_frozen(catalog, study, raters, run):
    outcome = run()
    found = references(catalog)
    assert {name: row.verdict for name, row in found.items()} == ballot_box.EXPECTED
    assert outcome.written == 5
    with catalog.reading() as session:
        frozen = session.get_one(Study, study.id)
        assert (frozen.state, frozen.frozen_at) == ("frozen", LATER)


def test_a_reference_holds_what_the_export_needs(catalog, study, raters, run):
    run()
    found = references(catalog)
    with catalog.reading() as session:
        keys = {(c.scene.name, c.algorithm): c.key for c in session.scalars(select(Candidate))}
        chosen = session.get_one(Candidate, found["chapel"].candidate_id)
    chapel, elm = found["chapel"], found["elm"]
    own, alias = keys["chapel", "raman2009"], keys["chapel", "zhang2012"]
    assert chosen.key == own
    assert chapel.co_best == [own, alias]
    assert (chapel.votes_by_candidate[own], chapel.votes_by_candidate[alias]) == (8, 8)
    assert (chapel.raters, chapel.acceptable_share) == (8, 1.0)
    assert chapel.p_best >= 0.9
    assert chapel.rule_version == f"posterior-1:{study.rule_hash[:12]}"
    assert (elm.candidate_id, elm.co_best, elm.raters) == (None, [], 1)
    assert found["alley"].candidate_id is None


def test_scenes_without_a_reference_say_why(catalog, raters, run):
    run()
    with catalog.reading() as session:
        reasons = {row.verdict: row.reason for row in session.scalars(select(Decision))}
    assert "not acceptable to 7 of 7" in reasons["reject"]
    assert reasons["void"] == f"Taken out by the experimenter: {ballot_box.VOID_REASON}"
    assert "1 counted votes of at most 12" in reasons["ambiguous"]


def test_deciding_twice_changes_nothing(catalog, raters, run):
    run()
    before = rows(catalog)
    outcome = run(at=LATER + timedelta(days=1))
    assert rows(catalog) == before
    assert (outcome.written, {one.mark for one in outcome.changes}) == (0, {"same"})
    with catalog.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "decide")).all()
    assert len(events) == 1


def test_preview_shows_the_differences_and_writes_nothing(catalog, study, raters):
    with catalog.reading() as session:
        outcome = preview(session, session.get_one(Study, study.id))
        assert not session.new
        assert not session.dirty
    assert rows(catalog) == []
    chapel = next(one for one in outcome.changes if one.scene == "chapel")
    assert (chapel.before, chapel.after, chapel.mark) == ("", "accept raman2009", "new")
    with catalog.reading() as session:
        assert session.get_one(Study, study.id).state == "open"


def test_an_exclusion_after_freezing_needs_a_new_decide_which_touches_only_what_changed(
    catalog, study, raters, run
):
    run()
    with catalog.writing() as session:
        for rater in raters[2:9]:
            if rater is not raters[4]:
                tally.exclude(session, session.get_one(Rater, rater.id), "guessed", "ada", True, LATER)
    assert references(catalog)["chapel"].verdict == "accept"
    outcome = run(at=LATER + timedelta(days=1))
    marks = {one.scene: one.mark for one in outcome.changes}
    assert (marks["chapel"], marks["elm"]) == ("changed", "same")
    with catalog.reading() as session:
        chapel = session.scalars(
            select(Reference)
            .join(Scene, Scene.id == Reference.scene_id)
            .where(Scene.name == "chapel")
            .order_by(Reference.id)
        ).all()
        assert [(row.verdict, row.current) for row in chapel] == [("accept", False), ("ambiguous", True)]
        assert session.get_one(Study, study.id).frozen_at == LATER


def test_the_cache_beside_the_scene_is_never_trusted(catalog, study, raters, run):
    with catalog.writing() as session:
        for scene in session.scalars(select(StudyScene)):
            scene.state, scene.leader_id, scene.counted = "continue", None, 99
    run()
    assert {name: row.verdict for name, row in references(catalog).items()} == ballot_box.EXPECTED


def test_all_or_nothing(catalog, study, raters, run, monkeypatch):
    def fails(*_arguments, **_keywords):
        raise OSError("the disk is full")

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(OSError, match="the disk is full"):
        run()
    assert rows(catalog) == []
    with catalog.reading() as session:
        assert session.get_one(Study, study.id).state == "open"


def test_simulated_votes_mark_decision_and_reference(catalog, study, raters, new_rater, run):
    ghost = new_rater(step="instructed", simulated=True)
    with catalog.writing() as session:
        add_vote(session, session.merge(ghost), scene_named(session, study, "elm"), [0])
    outcome = run()
    found = references(catalog)
    assert outcome.simulated
    assert found["elm"].rule_version.endswith("+simulated")
    assert not found["chapel"].rule_version.endswith("+simulated")
    with catalog.reading() as session:
        counts = {
            row.details["scene"]: row.details["simulated_raters"] for row in session.scalars(select(Decision))
        }
    assert (counts["elm"], counts["chapel"]) == (1, 0)


def test_a_draft_cannot_be_decided(catalog, study):
    with catalog.writing() as session:
        session.get_one(Study, study.id).state = "draft"
    with catalog.writing() as session, pytest.raises(ValueError, match="is a draft: nobody has voted yet"):
        decide(session, session.get_one(Study, study.id), by="ada", at=LATER)


def test_the_study_that_was_decided_last_has_the_references(catalog, dataset, study, raters, run):
    run()
    with catalog.writing() as session:
        other, _ = create_study(session, "Again", ballot_box.RULE, seed=8, data=dataset, at=START)
        open_study(session, other, LATER)
        session.flush()
        other = detached(session, other)
    run(of=other)
    assert {row.verdict for row in references(catalog).values()} == {"ambiguous"}
    run()
    assert references(catalog)["chapel"].verdict == "accept"


def test_verdicts_agree_with_the_pure_rule(catalog, study, raters):
    with catalog.reading() as session:
        for one in scene_verdicts(session, session.get_one(Study, study.id)):
            alone = evaluation_of(one.evidence, ballot_box.RULE)
            assert (alone.leader, alone.p_best) == (one.evaluation.leader, one.evaluation.p_best)
            assert verdict_of(one.evidence, ballot_box.RULE, alone) == one.verdict
