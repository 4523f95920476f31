"""All tables of the study as they were at first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_schema = sa.MetaData()
_builders = [
    sa.Table(name, _schema, sa.Column("id", sa.Integer, primary_key=True))
    for name in ("scene", "candidate", "damaged_copy")
]


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _public_id() -> sa.Column[str]:
    return sa.Column("public_id", sa.String(32), nullable=False, unique=True)


def _to(target: str, on_delete: str = "RESTRICT") -> sa.ForeignKey:
    return sa.ForeignKey(target, ondelete=on_delete)


sa.Table(
    "audit_event",
    _schema,
    _id(),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("action", sa.String(50), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)
sa.Table(
    "experimenter",
    _schema,
    _id(),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("password_hash", sa.String, nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("failed_logins", sa.Integer, nullable=False),
    sa.Column("locked_until", sa.DateTime),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.CheckConstraint("role IN ('admin', 'analyst', 'viewer')", name="role_known"),
)
sa.Table(
    "study",
    _schema,
    _id(),
    _public_id(),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("mode", sa.String(20), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("rule_json", sa.String, nullable=False),
    sa.Column("rule_hash", sa.String(64), nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("consent_version", sa.String(20), nullable=False),
    sa.Column("consent_text", sa.String, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("opened_at", sa.DateTime),
    sa.Column("closed_at", sa.DateTime),
    sa.Column("frozen_at", sa.DateTime),
    sa.CheckConstraint("mode IN ('posterior', 'most-votes')", name="mode_known"),
    sa.CheckConstraint("state IN ('draft', 'open', 'closed', 'frozen')", name="state_known"),
)
sa.Table(
    "invite",
    _schema,
    _id(),
    _public_id(),
    sa.Column("study_id", _to("study.id"), nullable=False, index=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("label", sa.String(100), nullable=False),
    sa.Column("is_personal", sa.Boolean, nullable=False),
    sa.Column("is_expert", sa.Boolean, nullable=False),
    sa.Column("max_uses", sa.Integer, nullable=False),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False),
    sa.Column("revoked_at", sa.DateTime),
    sa.CheckConstraint("uses <= max_uses", name="invite_not_overused"),
)
sa.Table(
    "study_scene",
    _schema,
    _id(),
    sa.Column("study_id", _to("study.id"), nullable=False, index=True),
    sa.Column("scene_id", _to("scene.id"), nullable=False, index=True),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("points", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("counted", sa.Integer, nullable=False),
    sa.Column("cannot_tell", sa.Integer, nullable=False),
    sa.Column("technical", sa.Integer, nullable=False),
    sa.Column("leader_id", sa.Integer),
    sa.Column("p_best", sa.Double),
    sa.Column("p_near", sa.Double),
    sa.Column("evaluated_vote_id", sa.Integer),
    sa.Column("votes_seen", sa.Integer, nullable=False, server_default="0"),
    sa.Column("answers_digest", sa.String(64), nullable=False, server_default=""),
    sa.Column("look_generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("void_reason", sa.String),
    sa.Column("sent_to_experts", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("role IN ('real', 'training', 'gold')", name="role_known"),
    sa.CheckConstraint(
        "state IN ('continue', 'accept', 'accept-equivalent', 'reject', 'adjudicate', 'ambiguous', 'void')",
        name="state_known",
    ),
    sa.UniqueConstraint("study_id", "scene_id", "role", name="study_scene_once"),
)
sa.Table(
    "decision",
    _schema,
    _id(),
    sa.Column("study_scene_id", _to("study_scene.id"), nullable=False, index=True),
    sa.Column("verdict", sa.String(20), nullable=False),
    sa.Column("candidate_id", _to("candidate.id")),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("votes_digest", sa.String(64), nullable=False),
    sa.Column("decided_at", sa.DateTime, nullable=False),
)
sa.Table(
    "look",
    _schema,
    _id(),
    sa.Column("study_scene_id", _to("study_scene.id"), nullable=False, index=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("vote_id", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("leader_id", sa.Integer, nullable=False),
    sa.Column("p_best", sa.Double, nullable=False),
    sa.Column("p_near", sa.Double, nullable=False),
    sa.Column("made_at", sa.DateTime, nullable=False),
    sa.UniqueConstraint("study_scene_id", "generation", "number", name="look_number"),
)
sa.Table(
    "rater",
    _schema,
    _id(),
    _public_id(),
    sa.Column("study_id", _to("study.id"), nullable=False, index=True),
    sa.Column("invite_id", _to("invite.id"), index=True),
    sa.Column("resume_hash", sa.String(64), unique=True),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("is_expert", sa.Boolean, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("joined_at", sa.DateTime, nullable=False),
    sa.Column("instructions_at", sa.DateTime),
    sa.Column("colour_passed", sa.Boolean),
    sa.Column("training_passed", sa.Boolean),
    sa.Column("finished_at", sa.DateTime),
    sa.CheckConstraint("state IN ('active', 'withdrawn', 'erasing', 'erased')", name="state_known"),
)
sa.Table(
    "study_exposure",
    _schema,
    _id(),
    sa.Column("study_scene_id", _to("study_scene.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    _public_id(),
    sa.Column("preview_path", sa.String, nullable=False),
)
sa.Table(
    "consent",
    _schema,
    _id(),
    sa.Column("rater_id", _to("rater.id"), nullable=False, index=True),
    sa.Column("version", sa.String(20), nullable=False),
    sa.Column("text_hash", sa.String(64), nullable=False),
    sa.Column("given_at", sa.DateTime, nullable=False),
)
sa.Table(
    "exclusion",
    _schema,
    _id(),
    sa.Column("rater_id", _to("rater.id"), nullable=False, index=True),
    sa.Column("excluded", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("by", sa.String(100), nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
)
sa.Table(
    "rater_contact",
    _schema,
    sa.Column("rater_id", _to("rater.id", on_delete="CASCADE"), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
)
sa.Table(
    "screening_answer",
    _schema,
    _id(),
    sa.Column("rater_id", _to("rater.id"), nullable=False, index=True),
    sa.Column("plate", sa.Integer, nullable=False),
    sa.Column("answer", sa.String(10), nullable=False),
    sa.Column("correct", sa.Boolean, nullable=False),
    sa.Column("answered_at", sa.DateTime, nullable=False),
)
sa.Table(
    "sitting",
    _schema,
    _id(),
    sa.Column("rater_id", _to("rater.id"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("ended_at", sa.DateTime),
    sa.Column("break_until", sa.DateTime),
    sa.Column("display", sa.JSON, nullable=False),
    sa.Column("display_passed", sa.Boolean),
    sa.UniqueConstraint("rater_id", "number", name="sitting_number"),
)
sa.Table(
    "study_item",
    _schema,
    _id(),
    sa.Column("study_scene_id", _to("study_scene.id"), nullable=False),
    _public_id(),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("candidate_id", _to("candidate.id")),
    sa.Column("damaged_copy_id", _to("damaged_copy.id")),
    sa.Column("preview_path", sa.String, nullable=False),
    sa.CheckConstraint("(candidate_id IS NULL) <> (damaged_copy_id IS NULL)", name="study_item_one_source"),
    sa.UniqueConstraint("study_scene_id", "position", name="study_item_position"),
)
sa.Table(
    "assignment",
    _schema,
    _id(),
    _public_id(),
    sa.Column("rater_id", _to("rater.id"), nullable=False, index=True),
    sa.Column("study_scene_id", _to("study_scene.id"), nullable=False),
    sa.Column("sitting_id", _to("sitting.id"), nullable=False, index=True),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("order_json", sa.JSON, nullable=False),
    sa.Column("assigned_at", sa.DateTime, nullable=False),
    sa.Column("lease_until", sa.DateTime, nullable=False),
    sa.UniqueConstraint("rater_id", "study_scene_id", "round", name="assignment_once"),
    sa.Index("assignment_by_scene", "study_scene_id", "round"),
)
sa.Table(
    "item_alias",
    _schema,
    sa.Column("item_id", _to("study_item.id"), primary_key=True),
    sa.Column("candidate_id", _to("candidate.id"), primary_key=True),
)
sa.Table(
    "vote",
    _schema,
    _id(),
    sa.Column("client_key", sa.String(36), nullable=False, unique=True),
    sa.Column("assignment_id", _to("assignment.id"), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("acceptable", sa.Boolean),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("comment", sa.String(500), nullable=False),
    sa.Column("client_at", sa.DateTime),
    sa.Column("server_at", sa.DateTime, nullable=False),
    sa.Column("behaviour", sa.JSON, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("rule_hash", sa.String(64), nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.CheckConstraint("kind IN ('choice', 'cannot_tell', 'technical')", name="kind_known"),
    sa.CheckConstraint("(kind = 'choice') = (acceptable IS NOT NULL)", name="vote_acceptable_for_choice"),
    sa.UniqueConstraint("assignment_id", "version", name="vote_version"),
    sqlite_autoincrement=True,
)
sa.Table(
    "vote_pick",
    _schema,
    sa.Column("vote_id", _to("vote.id"), primary_key=True),
    sa.Column("rank", sa.Integer, primary_key=True),
    sa.Column("item_id", _to("study_item.id"), nullable=False),
    sa.CheckConstraint("rank BETWEEN 1 AND 3", name="vote_pick_rank"),
    sa.UniqueConstraint("vote_id", "item_id", name="vote_pick_once"),
)


def upgrade() -> None:
    own = [table for table in _schema.sorted_tables if table not in _builders]
    _schema.create_all(op.get_bind(), tables=own, checkfirst=False)
