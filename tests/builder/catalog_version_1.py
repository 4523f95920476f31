"""The tables of the first released catalog, frozen: what an older program left in a data folder."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    insert,
)

METADATA = MetaData()

VERSION = Table("catalog_version", METADATA, Column("version", Integer, primary_key=True))
SCENE = Table(
    "scene",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), unique=True, nullable=False),
    Column("group_name", String(200), index=True, nullable=False),
    Column("status", String(20), index=True, nullable=False),
    Column("reason", String, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("crop", JSON),
    Column("reference_position", Integer),
    Column("ghost_score", Double),
    Column("flags", JSON, nullable=False),
    CheckConstraint(
        "status IN ('ingested', 'aligned', 'ready', 'partial', 'failed', 'quarantined', 'rejected')",
        name="status_known",
    ),
)
EXPOSURE = Table(
    "exposure",
    METADATA,
    Column("scene_id", Integer, ForeignKey("scene.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("original_path", String, nullable=False),
    Column("sha256", String(64), index=True, nullable=False),
    Column("companion_path", String),
    Column("seconds", Double),
    Column("f_number", Double),
    Column("iso", Double),
    Column("relative_ev", Double),
    Column("captured_at", DateTime),
    Column("aligned_path", String),
    Column("linear_path", String),
    Column("preview_path", String),
    Column("transform", JSON),
)
CANDIDATE = Table(
    "candidate",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("scene_id", Integer, ForeignKey("scene.id", ondelete="RESTRICT"), index=True, nullable=False),
    Column("algorithm", String(100), index=True, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("key", String(64), unique=True, nullable=False),
    Column("path", String),
    Column("sha256", String(64)),
    Column("status", String(20), nullable=False),
    Column("error", String),
    Column("quality", Double),
    Column("preview_path", String),
    Column("imported", Boolean, nullable=False),
    CheckConstraint("status IN ('done', 'failed', 'quarantined', 'superseded')", name="status_known"),
)
REFERENCE = Table(
    "reference",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("scene_id", Integer, ForeignKey("scene.id", ondelete="RESTRICT"), index=True, nullable=False),
    Column("candidate_id", Integer, ForeignKey("candidate.id", ondelete="RESTRICT")),
    Column("verdict", String(20), nullable=False),
    Column("co_best", JSON, nullable=False),
    Column("raters", Integer, nullable=False),
    Column("votes_by_candidate", JSON, nullable=False),
    Column("p_best", Double),
    Column("acceptable_share", Double),
    Column("rule_version", String(80), nullable=False),
    Column("votes_digest", String(64), nullable=False),
    Column("decided_at", DateTime, nullable=False),
    Column("current", Boolean, index=True, nullable=False),
)


def make_catalog(engine: Engine) -> None:
    """The tables, their version and one scene with one candidate."""
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(VERSION).values(version=1))
        connection.execute(
            insert(SCENE).values(
                id=7, name="church", group_name="church", status="ready", reason="", flags=["dynamic"]
            )
        )
        connection.execute(
            insert(CANDIDATE).values(
                scene_id=7, algorithm="mertens2009", revision=1, parameters={}, key="k", status="done",
                quality=0.9, imported=False,
            )
        )  # fmt: skip
