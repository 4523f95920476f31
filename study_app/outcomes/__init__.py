"""What comes out: verdicts and references, the export and its check, the report and its plots.

Rests on counting, statistics, storage, and on preparation for freezing a study; knows no page.
"""
