"""Raters who are not there, for demonstrations and load: how they answer, and how their votes get in.

Rests on rating, whose functions it calls as the pages do, and on storage.
"""
