"""A study made from the catalog: its items, check scenes, what is left out and why, and its states."""

from __future__ import annotations

import re
import shutil

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from builder.catalog import Candidate, DamagedCopy, Scene
from study_app.preparation.consent_text import CONSENT_TEXT, CONSENT_VERSION
from study_app.preparation.studies import (
    LeftOut,
    ScenesLeftOut,
    StudyError,
    close_study,
    create_study,
    default_study,
    disk_bytes,
    freeze_study,
    open_study,
)
from study_app.statistics.rule import PRESETS, Rule
from study_app.storage.models import Study
from tests.study_app import scenery
from tests.study_app.scenery import FAULTS, START


@pytest.fixture
def made(catalog, dataset):
    """Makes a draft and returns what `create_study` does, within one session that is rolled back at the end."""
    with catalog.reading() as session:

        def make(data=dataset, rule=None, *, title="Tests", seed=7, allow_missing=False):
            return create_study(
                session, title, rule or Rule(), seed=seed, data=data, at=START, allow_missing=allow_missing
            )

        make.session = session
        yield make


@pytest.fixture
def own_dataset(dataset, tmp_path):
    """A copy of the previews that the test may damage."""
    return shutil.copytree(dataset, tmp_path / "data")


def scene_row(session, name: str) -> Scene:
    return session.scalars(select(Scene).where(Scene.name == name)).one()


def items_of(study: Study, name: str, role: str = "real"):
    return next(scene.items for scene in study.scenes if (scene.scene.name, scene.role) == (name, role))


def test_a_study_holds_its_rule_and_consent_as_they_are_now(made):
    study, left_out = made(rule=PRESETS["most-votes"], title="  Evening pictures ", seed=2**40)
    made.session.expire_all()
    assert left_out == []
    assert (study.title, study.mode, study.state, study.seed) == (
        "Evening pictures",
        "most-votes",
        "draft",
        2**40,
    )
    assert (study.rule_json, study.rule_hash) == (PRESETS["most-votes"].to_json(), PRESETS["most-votes"].hash)
    assert (study.consent_version, study.consent_text) == (CONSENT_VERSION, CONSENT_TEXT)


def test_every_candidate_becomes_an_item(made):
    study, _ = made()
    shown = items_of(study, "bay")
    assert [item.candidate.algorithm for item in shown] == list(scenery.ALGORITHM_NAMES)
    assert [item.position for item in shown] == list(range(13))
    assert all(item.preview_path == item.candidate.preview_path for item in shown)
    assert all(item.damaged_copy_id is None and item.aliases == [] for item in shown)


def test_near_duplicates_become_one_item_that_shows_the_first(made):
    study, _ = made()
    shown = items_of(study, "chapel")
    assert [item.candidate.algorithm for item in shown] == ["mertens2009", "raman2009", "shen2011", "li2013"]
    assert [[alias.candidate.algorithm for alias in item.aliases] for item in shown] == [
        [],
        ["zhang2012"],
        [],
        [],
    ]


def test_of_near_duplicates_the_first_that_can_be_shown_is_shown(made):
    chapel = scene_row(made.session, "chapel")
    keys = {one.algorithm: one.key for one in chapel.candidates}
    chapel.near_duplicates = [[keys["zhang2012"], keys["raman2009"], keys["li2013"]]]
    next(one for one in chapel.candidates if one.algorithm == "zhang2012").gate_failures = ["3 % clipped"]
    study, _ = made()
    shown = items_of(study, "chapel")
    assert [item.candidate.algorithm for item in shown] == ["mertens2009", "raman2009", "shen2011"]
    assert [alias.candidate.algorithm for alias in shown[1].aliases] == ["li2013"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "superseded"},
        {"status": "failed"},
        {"preview_path": None},
        {"gate_failures": ["not finite"]},
    ],
)
def test_a_candidate_that_cannot_be_a_reference_is_no_item(made, change):
    dune = scene_row(made.session, "dune")
    for name, value in change.items():
        setattr(dune.candidates[1], name, value)
    study, left_out = made()
    assert [item.candidate.algorithm for item in items_of(study, "dune")] == ["mertens2009", "shen2011"]
    assert left_out == []


def test_scene_size_points_and_exposures_come_along(made):
    study, _ = made()
    bay = next(scene for scene in study.scenes if scene.scene.name == "bay" and scene.role == "real")
    assert (bay.width, bay.height) == (700, 560)
    assert bay.points == [[0.25, 0.5], [0.75, 0.3]]
    assert [exposure.position for exposure in bay.exposures] == [0, 1, 2]
    assert [exposure.preview_path for exposure in bay.exposures] == [
        exposure.preview_path for exposure in bay.scene.exposures
    ]


def test_public_ids_tell_nothing_and_never_repeat(made):
    ids = []
    for _ in range(2):
        study, _ = made()
        for scene in study.scenes:
            ids += [picture.public_id for picture in (*scene.items, *scene.exposures)]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 32 for one in ids)


def test_check_scenes_are_a_sound_candidate_among_its_damaged_copies(made):
    study, _ = made()
    checks = [scene for scene in study.scenes if scene.role != "real"]
    assert sorted(scene.role for scene in checks) == ["gold", "training", "training", "training"]
    assert len({scene.scene.name for scene in checks}) == 4
    for scene in checks:
        sound, *damaged = scene.items
        assert sound.candidate.algorithm == "mertens2009"
        assert [item.damaged_copy.fault for item in damaged] == list(FAULTS)
        assert all(item.candidate_id is None for item in damaged)
        assert scene.points == ([] if scene.role == "training" else [[0.25, 0.5], [0.75, 0.3]])


def test_the_seed_chooses_the_training_scenes(made):
    def training(seed):
        study, _ = made(seed=seed)
        return frozenset(scene.scene.name for scene in study.scenes if scene.role == "training")

    assert training(7) == training(7)
    assert len({training(seed) for seed in range(12)}) == 4


def damage(session, candidate: Candidate, number: int) -> DamagedCopy:
    """Another damaged copy; its picture is one that is there."""
    copy = DamagedCopy(
        scene_id=candidate.scene_id, candidate_id=candidate.id, key=f"newer-{number}", fault="ghost", at=[0.1, 0.1],
        preview_path=scenery.preview_path(candidate.scene.name, "damaged-halo"),
    )  # fmt: skip
    session.add(copy)
    session.flush()
    return copy


def check_items(study: Study, name: str):
    [check] = [scene for scene in study.scenes if scene.scene.name == name and scene.role != "real"]
    return check.items


def test_the_newest_damaged_copies_are_used(made):
    newer = scene_row(made.session, "alley").candidates[1]
    copy = damage(made.session, newer, 1)
    study, _ = made()
    assert [(item.candidate_id, item.damaged_copy_id) for item in check_items(study, "alley")] == [
        (newer.id, None),
        (None, copy.id),
    ]


def test_damaged_copies_of_an_unsound_candidate_are_not_used(made):
    sound, newer, *_ = scene_row(made.session, "alley").candidates
    damage(made.session, newer, 1)
    newer.gate_failures = ["not finite"]
    study, _ = made()
    assert check_items(study, "alley")[0].candidate_id == sound.id
    assert len(check_items(study, "alley")) == 1 + len(FAULTS)


def test_a_check_scene_has_no_more_items_than_letters(made):
    sound = scene_row(made.session, "alley").candidates[0]
    copies = [damage(made.session, sound, number) for number in range(12)]
    study, left_out = made()
    assert [item.damaged_copy_id for item in check_items(study, "alley")] == [
        None,
        *(copy.id for copy in copies),
    ]
    assert left_out == []


def test_a_scene_whose_copies_have_no_sound_candidate_is_named(made):
    for candidate in scene_row(made.session, "alley").candidates[:1]:
        candidate.status = "superseded"
    _, [left_out] = made(allow_missing=True)
    assert left_out.scene == "alley"
    assert left_out.reason.startswith("its damaged copies: the sound candidate cannot be shown")


def leave_one(scene: Scene) -> None:
    scene.candidates[1].gate_failures = ["4 % clipped, exposure 0 is not"]


def add_twelve(scene: Scene) -> None:
    scene.candidates += [
        Candidate(
            algorithm=f"imported-{number}", revision=1, parameters={}, key=str(number), status="done",
            preview_path=scene.candidates[0].preview_path,
        )
        for number in range(12)
    ]  # fmt: skip


def reject(scene: Scene) -> None:
    scene.status, scene.reason = "rejected", "one frame is black"


def lose_exposure(scene: Scene) -> None:
    scene.exposures[1].preview_path = None


def forget_size(scene: Scene) -> None:
    scene.width = None


def claim_another_size(scene: Scene) -> None:
    scene.width = 95


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (leave_one, r"^1 different candidates .* needed \(raman2009: 4 % clipped, exposure 0 is not\)$"),
        (add_twelve, "^14 different candidates can be shown, 2 to 13 are needed$"),
        (reject, r"^the builder has it as rejected \(one frame is black\)$"),
        (lose_exposure, "^exposure 1 has no preview$"),
        (forget_size, "^its size is unknown$"),
        (claim_another_size, r"tiles.dzi describes .* \(96, 64, 510, 1\), expected \(95, 64, 510, 1\)$"),
    ],
)
def test_a_scene_that_cannot_be_shown_is_left_out_and_named(made, change, reason):
    change(scene_row(made.session, "elm"))
    study, [left_out] = made(allow_missing=True)
    assert left_out.scene == "elm"
    assert re.search(reason, left_out.reason), left_out.reason
    real = [one.scene.name for one in study.scenes if one.role == "real"]
    assert real == ["alley", "bay", "chapel", "dune"]


@pytest.mark.parametrize(
    "file", ["tiles.dzi", "w480.jpg", "w2048.jpg", "tiles_files/0/0_0.jpg", "tiles_files/10/1_1.jpg"]
)
def test_a_missing_preview_file_leaves_the_scene_out(made, own_dataset, file):
    missing = own_dataset / scenery.preview_path("bay", "paris2011") / file
    missing.unlink()
    _, left_out = made(own_dataset, allow_missing=True)
    assert left_out == [LeftOut("bay", f"{missing} is missing")]


def test_a_missing_exposure_or_damaged_copy_is_found_as_well(made, own_dataset):
    shutil.rmtree(own_dataset / scenery.preview_path("elm", "exposure-02"))
    shutil.rmtree(own_dataset / scenery.preview_path("dune", "damaged-cast"))
    study, left_out = made(own_dataset, allow_missing=True)
    assert [one.scene for one in left_out] == ["elm", "dune"]
    assert left_out[1].reason.startswith("its damaged copies: ")
    assert [scene.role for scene in study.scenes].count(
        "training"
    ) == 3  # the next damaged scene takes its place


def test_a_broken_description_of_tiles_is_found(made, own_dataset):
    (own_dataset / scenery.preview_path("elm", "mertens2009") / "tiles.dzi").write_text("<Image")
    _, [left_out] = made(own_dataset, allow_missing=True)
    assert "tiles.dzi describes (width, height, tile size, overlap) None" in left_out.reason


def test_without_leave_nothing_is_made_of_an_incomplete_dataset(catalog, own_dataset):
    shutil.rmtree(own_dataset / scenery.preview_path("elm", "mertens2009"))
    sentence = r"scenes that cannot be shown: 1\n  elm: .*w480.jpg is missing\nMend them .*--allow-missing"
    with pytest.raises(ScenesLeftOut, match=sentence) as caught, catalog.writing() as session:
        create_study(session, "Tests", Rule(), seed=1, data=own_dataset, at=START)
    assert [one.scene for one in caught.value.left_out] == ["elm"]
    with catalog.reading() as session:
        assert session.scalar(select(func.count(Study.id))) == 0


def test_no_scene_at_all_is_an_error_even_with_leave(made, tmp_path):
    with pytest.raises(
        StudyError, match=r"no scene can be shown; build a dataset first(.|\n)*elm: .*w480.jpg is miss"
    ):
        made(tmp_path, allow_missing=True)


def test_a_title_is_needed(made):
    with pytest.raises(StudyError, match="needs a title"):
        made(title=" ")


def test_the_disk_size_is_that_of_all_previews(made, dataset):
    study, _ = made()
    alias = dataset / scenery.preview_path("chapel", "zhang2012")  # is never shown
    files = [
        path for path in (dataset / "previews").rglob("*") if path.is_file() and alias not in path.parents
    ]
    wanted = sum(path.stat().st_size for path in files)
    assert disk_bytes(study, dataset) == wanted


def test_candidates_of_a_study_cannot_be_deleted(catalog, study):
    """So that the builder's prune keeps the files that raters see."""
    with pytest.raises(IntegrityError), catalog.writing() as session:
        session.delete(session.scalars(select(Candidate).where(Candidate.algorithm == "paris2011")).one())


def test_a_study_goes_forward_only(catalog, study):
    with catalog.writing() as session:
        own = session.get_one(Study, study.id)
        assert (own.state, own.opened_at) == ("open", START)
        close_study(session, own, START)
        assert (own.state, own.closed_at) == ("closed", START)
        with pytest.raises(StudyError, match="study 'Tests' is closed and cannot become open"):
            open_study(session, own, START)
        freeze_study(session, own, START)
        freeze_study(session, own, START)
        assert (own.state, own.frozen_at) == ("frozen", START)
        with pytest.raises(StudyError, match="is frozen and cannot become closed"):
            close_study(session, own, START)


def test_freezing_an_open_study_closes_it_first(catalog, study):
    with catalog.writing() as session:
        own = session.get_one(Study, study.id)
        freeze_study(session, own, START)
        assert (own.state, own.closed_at, own.frozen_at) == ("frozen", START, START)


def test_a_draft_cannot_be_frozen(made):
    study, _ = made()
    with pytest.raises(StudyError, match="is draft and cannot become frozen"):
        freeze_study(made.session, study, START)


def test_the_newest_opened_study_is_meant_where_none_is_named(made):
    assert default_study(made.session) is None
    first, _ = made(title="First")
    second, _ = made(title="Second")
    assert default_study(made.session) is None
    open_study(made.session, second, START)
    open_study(made.session, first, START.replace(hour=10))
    assert default_study(made.session) is first
