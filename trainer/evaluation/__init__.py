"""One table over trained networks and classical methods: scenes read, enhanced, scored, summarised, reported.

Imports classical, metrics, dataset, preprocessing, checkpoint and exposure_kinds of the top, and enhancement once a
network is compared; only the command `evaluate` imports it.
"""
