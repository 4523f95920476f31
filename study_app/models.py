"""The study's tables, on the builder's `Base`: studies, raters, assignments, votes, decisions.

Votes, looks, decisions, exclusions and audit events are append-only: a change is a new row (triggers of the
migrations refuse anything else). Times are UTC without zone, as SQLite stores them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from builder.catalog import Base, Candidate, DamagedCopy, Scene

STUDY_STATES = ("draft", "open", "closed", "frozen")
STUDY_MODES = ("posterior", "most-votes")
ROLES = ("real", "training", "gold")
SCENE_STATES = (
    "continue",
    "accept",
    "accept-equivalent",
    "reject",
    "adjudicate",
    "ambiguous",
    "void",
)
RATER_STATES = ("active", "withdrawn", "erasing", "erased")
EXPERIMENTER_ROLES = ("admin", "analyst", "viewer")
VOTE_KINDS = ("choice", "cannot_tell", "technical")
REASONS = (
    "halo",
    "ghost",
    "noise",
    "cast",
    "clipping",
    "dull",
    "other",
)  # why a first pick is not acceptable
FIRST_ROUND, REPEAT_ROUND, ADJUDICATION_ROUND = 1, 2, 3


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")


class Study(Base):
    """One study of one dataset; opening it fixes items, rule, seed and consent text."""

    __tablename__ = "study"
    __table_args__ = (_one_of("state", STUDY_STATES), _one_of("mode", STUDY_MODES))
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10), default="draft")
    rule_json: Mapped[str]  # canonical JSON of decisions.Rule
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
        _one_of("role", ROLES),
        _one_of("state", SCENE_STATES),
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
    __table_args__ = (_one_of("state", RATER_STATES),)
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
        _one_of("kind", VOTE_KINDS),
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


class Experimenter(Base):
    """Somebody who prepares and watches the study; never rates with this account."""

    __tablename__ = "experimenter"
    __table_args__ = (_one_of("role", EXPERIMENTER_ROLES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(10))
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


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
