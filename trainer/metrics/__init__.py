"""How close a picture is to its reference: one number each, on arrays, without PyTorch.

Arrays are HxWx3, RGB, float32 in [0, 1] or uint8 (pu21: linear light). All raise ValueError for other types and for
pairs of different shapes. Imports nothing else of the trainer; evaluation imports it. What training minimises is in
losses.
"""
