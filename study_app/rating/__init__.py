"""The trials: which scene a rater gets, what the page is told of it, when a break is due, how a vote is stored.

Rests on counting, statistics, storage, and on web for the language alone; the pages that show it are in rater_pages.
"""
