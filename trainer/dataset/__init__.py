"""An exported dataset as training data: checked (manifest), prepared once (frame_*), sampled, made into batches.

Imports preprocessing, and inputs, settings and exposure_kinds of the top; training and evaluation import it.
"""
