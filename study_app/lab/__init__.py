"""The experimenter's pages below /lab, one file each; managing.py and results.py put them together.

Rests on every room but rating, rater_pages and simulation: experimenters watch and decide, they never rate.
"""
