"""What answers mean, and what comes next: the rule, its evaluation, ranking, checks of raters, planning. Pure.

Plain values in, plain values out: no database, no web application, no files, no clock, and chance only from seeds
that are given. Imports nothing else of the project.
"""
