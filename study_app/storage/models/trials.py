"""What raters were shown, and what they answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from builder.catalog import Base
from study_app.storage.models.known_values import VOTE_KINDS, one_of
from study_app.storage.models.people import Rater
from study_app.storage.models.studies import StudyScene


class Assignment(Base):
    """One trial: a scene for a rater, in a permutation that its seed reproduces.

    Round 1 is the vote proper, 2 a hidden repeat (training: the second attempt), 3 an adjudication by experts.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("rater_id", "study_scene_id", "round", name="assignment_once"),
        Index("assignment_by_scene", "study_scene_id", "round"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="RESTRICT"), index=True)
    study_scene_id: Mapped[int] = mapped_column(ForeignKey("study_scene.id", ondelete="RESTRICT"))
    sitting_id: Mapped[int] = mapped_column(ForeignKey("sitting.id", ondelete="RESTRICT"), index=True)
    round: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    order_json: Mapped[list[Any]]  # study_item ids by position: the first is letter A
    assigned_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    rater: Mapped[Rater] = relationship()
    study_scene: Mapped[StudyScene] = relationship()
    votes: Mapped[list[Vote]] = relationship(back_populates="assignment", order_by="Vote.version")


class Vote(Base):
    """One version of an answer to a trial; the highest version is live."""

    __tablename__ = "vote"
    __table_args__ = (
        UniqueConstraint("assignment_id", "version", name="vote_version"),
        one_of("kind", VOTE_KINDS),
        CheckConstraint("(kind = 'choice') = (acceptable IS NOT NULL)", name="vote_acceptable_for_choice"),
        {"sqlite_autoincrement": True},  # the id of an erased vote never comes again
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    client_key: Mapped[str] = mapped_column(String(36), unique=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id", ondelete="RESTRICT"), index=True)
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    acceptable: Mapped[bool | None]
    reasons: Mapped[list[str]] = mapped_column(default=list)
    comment: Mapped[str] = mapped_column(String(500), default="")
    client_at: Mapped[datetime | None]
    server_at: Mapped[datetime]
    behaviour: Mapped[dict[str, Any]] = mapped_column(default=dict)
    body_hash: Mapped[str] = mapped_column(String(64))
    rule_hash: Mapped[str] = mapped_column(String(64))
    late: Mapped[bool] = mapped_column(default=False)  # came when scene or study were closed already
    assignment: Mapped[Assignment] = relationship(back_populates="votes")
    picks: Mapped[list[VotePick]] = relationship(order_by="VotePick.rank")


class VotePick(Base):
    """A ranked pick of a vote; rank 1 is the best."""

    __tablename__ = "vote_pick"
    __table_args__ = (
        UniqueConstraint("vote_id", "item_id", name="vote_pick_once"),
        CheckConstraint("rank BETWEEN 1 AND 3", name="vote_pick_rank"),
    )
    vote_id: Mapped[int] = mapped_column(ForeignKey("vote.id", ondelete="RESTRICT"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("study_item.id", ondelete="RESTRICT"))
