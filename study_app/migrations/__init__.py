"""Migrations of the study's tables, forward only; each is a file in versions/ that storage/database.py runs."""

VERSION_TABLE = "study_version"
