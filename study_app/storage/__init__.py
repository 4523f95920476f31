"""The study's rows: tables, the database that holds them, random names, and the log of what experimenters did.

Knows nothing of what the rows mean; imports no other room.
"""
