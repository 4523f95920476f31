"""What a study shows: its scenes, the pictures to choose from and the exposures behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from builder.catalog import Base, Candidate, DamagedCopy, Scene
from study_app.storage.models.known_values import ROLES, SCENE_STATES, STUDY_MODES, STUDY_STATES, one_of


class Study(Base):
    """One study of one dataset; opening it fixes items, rule, seed and consent text."""

    __tablename__ = "study"
    __table_args__ = (one_of("state", STUDY_STATES), one_of("mode", STUDY_MODES))
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10), default="draft")
    rule_json: Mapped[str]  # canonical JSON of statistics.rule.Rule
    rule_hash: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(BigInteger)
    consent_version: Mapped[str] = mapped_column(String(20))
    consent_text: Mapped[str]  # what the raters agreed to, kept with the study
    created_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    frozen_at: Mapped[datetime | None]
    scenes: Mapped[list[StudyScene]] = relationship(back_populates="study", order_by="StudyScene.id")


class StudyScene(Base):
    """One scene as this study shows it. A scene may serve as real and, with damaged copies, as training or gold."""

    __tablename__ = "study_scene"
    __table_args__ = (
        UniqueConstraint("study_id", "scene_id", "role", name="study_scene_once"),
        one_of("role", ROLES),
        one_of("state", SCENE_STATES),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="RESTRICT"), index=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    width: Mapped[int]
    height: Mapped[int]
    points: Mapped[list[Any]] = mapped_column(
        default=list
    )  # of disagreement: [x, y], shares of width and height
    # The rest is the cache of tally.refresh_scene: it follows from the votes and is recomputed when they change.
    state: Mapped[str] = mapped_column(String(20), default="continue")
    counted: Mapped[int] = mapped_column(default=0)  # counted votes n
    cannot_tell: Mapped[int] = mapped_column(default=0)
    technical: Mapped[int] = mapped_column(default=0)
    leader_id: Mapped[int | None]  # a study_item
    p_best: Mapped[float | None]
    p_near: Mapped[float | None]
    evaluated_vote_id: Mapped[int | None]  # newest vote that the cache has seen
    votes_seen: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # vote rows of any kind; behind: stale
    answers_digest: Mapped[str] = mapped_column(String(64), default="", server_default="")
    look_generation: Mapped[int] = mapped_column(default=0, server_default="0")  # whose looks hold
    # Decisions of the experimenter, not cache
    void_reason: Mapped[str | None]
    sent_to_experts: Mapped[bool] = mapped_column(default=False, server_default=false())
    study: Mapped[Study] = relationship(back_populates="scenes")
    scene: Mapped[Scene] = relationship()
    items: Mapped[list[StudyItem]] = relationship(back_populates="study_scene", order_by="StudyItem.position")
    exposures: Mapped[list[StudyExposure]] = relationship(order_by="StudyExposure.position")


class StudyItem(Base):
    """One picture that raters can choose: a candidate with its near-duplicates, or a damaged copy."""

    __tablename__ = "study_item"
    __table_args__ = (
        UniqueConstraint("study_scene_id", "position", name="study_item_position"),
        CheckConstraint("(candidate_id IS NULL) <> (damaged_copy_id IS NULL)", name="study_item_one_source"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_scene_id: Mapped[int] = mapped_column(ForeignKey("study_scene.id", ondelete="RESTRICT"))
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    position: Mapped[int]  # in ALGORITHMS order; never shown
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id", ondelete="RESTRICT"))
    damaged_copy_id: Mapped[int | None] = mapped_column(ForeignKey("damaged_copy.id", ondelete="RESTRICT"))
    preview_path: Mapped[str]  # folder below the data folder; fixed at opening
    study_scene: Mapped[StudyScene] = relationship(back_populates="items")
    candidate: Mapped[Candidate | None] = relationship()
    damaged_copy: Mapped[DamagedCopy | None] = relationship()
    aliases: Mapped[list[ItemAlias]] = relationship(order_by="ItemAlias.candidate_id")


class ItemAlias(Base):
    """Another candidate that looks the same as an item's; it shares the item's votes."""

    __tablename__ = "item_alias"
    item_id: Mapped[int] = mapped_column(ForeignKey("study_item.id", ondelete="RESTRICT"), primary_key=True)
    candidate_id: Mapped[int] = mapped_column(
        ForeignKey("candidate.id", ondelete="RESTRICT"), primary_key=True
    )
    candidate: Mapped[Candidate] = relationship()


class StudyExposure(Base):
    """One aligned exposure that raters may lay under the candidates; position 0 is the darkest."""

    __tablename__ = "study_exposure"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_scene_id: Mapped[int] = mapped_column(ForeignKey("study_scene.id", ondelete="RESTRICT"), index=True)
    position: Mapped[int]
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    preview_path: Mapped[str]
