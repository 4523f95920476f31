"""How a network learns: the loop (loop.py) and what it stands on, from the run's folder to its log.

Imports dataset, losses and networks, and inputs, settings, checkpoint and exposure_kinds of the top; only the command
`train` imports it.
"""
