"""Accounts of those who prepare and watch a study. Passwords are stored as scrypt hashes only."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from study_app.storage.models import EXPERIMENTER_ROLES, Experimenter

SHORTEST_PASSWORD = 12


def new_password() -> str:
    """A random password of 96 bits."""
    return secrets.token_urlsafe(12)


def set_experimenter(
    session: Session, name: str, password: str, *, role: str, at: datetime
) -> tuple[Experimenter, bool]:
    """Make the account or give it this password and role, free of lock-outs; True if it is new."""
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(
            f"the password of {name!r} has {len(password)} characters; give at least {SHORTEST_PASSWORD}"
        )
    if role not in EXPERIMENTER_ROLES:
        raise ValueError(f"role {role!r} is unknown; choose one of {', '.join(EXPERIMENTER_ROLES)}")
    found = session.scalar(select(Experimenter).where(Experimenter.name == name))
    account = found or Experimenter(name=name, created_at=at)
    account.password_hash = generate_password_hash(password, method="scrypt")
    account.role = role
    account.failed_logins = 0
    account.locked_until = None
    session.add(account)
    session.flush()
    return account, found is None


def has_admin(session: Session) -> bool:
    """Whether anybody can sign in to prepare a study."""
    return session.scalar(select(Experimenter.id).where(Experimenter.role == "admin").limit(1)) is not None
