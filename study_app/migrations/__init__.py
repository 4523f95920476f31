"""Migrations of the study's tables, forward only; each is a file in versions/ that `database.open_database` runs."""

VERSION_TABLE = "study_version"
