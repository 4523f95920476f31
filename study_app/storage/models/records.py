"""What followed from the votes, and what experimenters did: rows that are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from builder.catalog import Base


class Look(Base):
    """What the rule said after one counted vote. A recomputation after an exclusion is a new generation."""

    __tablename__ = "look"
    __table_args__ = (UniqueConstraint("study_scene_id", "generation", "number", name="look_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_scene_id: Mapped[int] = mapped_column(ForeignKey("study_scene.id", ondelete="RESTRICT"), index=True)
    generation: Mapped[int]
    number: Mapped[int]  # counted votes it has seen
    vote_id: Mapped[int]  # no foreign key: a look outlives a vote that its rater had erased
    state: Mapped[str] = mapped_column(String(20))
    leader_id: Mapped[int]
    p_best: Mapped[float]
    p_near: Mapped[float]
    made_at: Mapped[datetime]


class Decision(Base):
    """One scene's verdict of one `decide`."""

    __tablename__ = "decision"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_scene_id: Mapped[int] = mapped_column(ForeignKey("study_scene.id", ondelete="RESTRICT"), index=True)
    verdict: Mapped[str] = mapped_column(String(20))
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id", ondelete="RESTRICT"))
    reason: Mapped[str]
    details: Mapped[dict[str, Any]]
    votes_digest: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime]


class Exclusion(Base):
    """A rater's votes stop counting, or count again; the newest row of a rater holds."""

    __tablename__ = "exclusion"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="RESTRICT"), index=True)
    excluded: Mapped[bool]
    reason: Mapped[str]
    by: Mapped[str] = mapped_column(String(100))  # an experimenter's name, or "screening", "withdrawal"
    at: Mapped[datetime]


class AuditEvent(Base):
    """What experimenters did; each row's hash covers the one before."""

    __tablename__ = "audit_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(50))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
