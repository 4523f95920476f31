"""The experimenter's pages below /lab, one file each; managing.py and results.py put them together."""
