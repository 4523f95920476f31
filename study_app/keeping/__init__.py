"""Votes that are not lost, and people who may be forgotten: backups and their proof, withdrawal, erasure.

Rests on outcomes (a backup proves the results in it), counting, preparation and storage.
"""
