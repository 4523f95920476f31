"""Who takes part: raters, with what is known of each and how they came in, and experimenters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from builder.catalog import Base
from study_app.storage.models.known_values import EXPERIMENTER_ROLES, RATER_STATES, one_of


class Invite(Base):
    """A link that lets people in; only the hash of its token is stored (see tokens.py)."""

    __tablename__ = "invite"
    __table_args__ = (CheckConstraint("uses <= max_uses", name="invite_not_overused"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="RESTRICT"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(100), default="")
    is_personal: Mapped[bool]  # resumes its one rater; a lab link makes a rater at each use
    is_expert: Mapped[bool] = mapped_column(default=False)
    max_uses: Mapped[int]
    uses: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Rater(Base):
    """A pseudonym. Nothing here tells who it is; an e-mail address, if given, stands apart."""

    __tablename__ = "rater"
    __table_args__ = (one_of("state", RATER_STATES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="RESTRICT"), index=True)
    invite_id: Mapped[int | None] = mapped_column(ForeignKey("invite.id", ondelete="RESTRICT"), index=True)
    resume_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(12), default="active")
    is_expert: Mapped[bool] = mapped_column(default=False)
    simulated: Mapped[bool] = mapped_column(default=False)  # for ever: such votes are never people's
    joined_at: Mapped[datetime]
    instructions_at: Mapped[datetime | None]  # last time that the instructions were shown and confirmed
    colour_passed: Mapped[bool | None]
    training_passed: Mapped[bool | None]
    finished_at: Mapped[datetime | None]


class RaterContact(Base):
    """The only personal datum, apart from the votes; gone with `erase` and `expire`."""

    __tablename__ = "rater_contact"
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="CASCADE"), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))


class Consent(Base):
    """What a rater agreed to, and when."""

    __tablename__ = "consent"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="RESTRICT"), index=True)
    version: Mapped[str] = mapped_column(String(20))
    text_hash: Mapped[str] = mapped_column(String(64))
    given_at: Mapped[datetime]


class Sitting(Base):
    """The trials between two breaks, on one display."""

    __tablename__ = "sitting"
    __table_args__ = (UniqueConstraint("rater_id", "number", name="sitting_number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="RESTRICT"), index=True)
    number: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    break_until: Mapped[datetime | None]  # of the break that ended it
    display: Mapped[dict[str, Any]] = mapped_column(default=dict)
    display_passed: Mapped[bool | None]


class ScreeningAnswer(Base):
    """One answer to a dot plate of the colour-vision screening."""

    __tablename__ = "screening_answer"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="RESTRICT"), index=True)
    plate: Mapped[int]
    answer: Mapped[str] = mapped_column(String(10))
    correct: Mapped[bool]
    answered_at: Mapped[datetime]


class Experimenter(Base):
    """Somebody who prepares and watches the study; never rates with this account."""

    __tablename__ = "experimenter"
    __table_args__ = (one_of("role", EXPERIMENTER_ROLES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(10))
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
