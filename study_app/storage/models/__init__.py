"""The study's tables, on the builder's `Base`: studies, people, trials with their votes, records.

Votes, looks, decisions, exclusions and audit events are append-only: a change is a new row (triggers of the
migrations refuse anything else). Times are UTC without zone, as SQLite stores them. Tables name each other, so they
are imported from here, where all of them are known.
"""

from __future__ import annotations

from study_app.storage.models.known_values import (
    ADJUDICATION_ROUND,
    EXPERIMENTER_ROLES,
    FIRST_ROUND,
    RATER_STATES,
    REASONS,
    REPEAT_ROUND,
    ROLES,
    SCENE_STATES,
    STUDY_MODES,
    STUDY_STATES,
    VOTE_KINDS,
)
from study_app.storage.models.people import (
    Consent,
    Experimenter,
    Invite,
    Rater,
    RaterContact,
    ScreeningAnswer,
    Sitting,
)
from study_app.storage.models.records import (
    AuditEvent,
    Decision,
    Exclusion,
    Look,
)
from study_app.storage.models.studies import (
    ItemAlias,
    Study,
    StudyExposure,
    StudyItem,
    StudyScene,
)
from study_app.storage.models.trials import (
    Assignment,
    Vote,
    VotePick,
)

__all__ = [
    "ADJUDICATION_ROUND",
    "EXPERIMENTER_ROLES",
    "FIRST_ROUND",
    "RATER_STATES",
    "REASONS",
    "REPEAT_ROUND",
    "ROLES",
    "SCENE_STATES",
    "STUDY_MODES",
    "STUDY_STATES",
    "VOTE_KINDS",
    "Assignment",
    "AuditEvent",
    "Consent",
    "Decision",
    "Exclusion",
    "Experimenter",
    "Invite",
    "ItemAlias",
    "Look",
    "Rater",
    "RaterContact",
    "ScreeningAnswer",
    "Sitting",
    "Study",
    "StudyExposure",
    "StudyItem",
    "StudyScene",
    "Vote",
    "VotePick",
]
