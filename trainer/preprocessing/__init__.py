"""What is computed of a picture alike in training, evaluation and use: 8 bits, sizes, grey levels, base and detail.

One code for all three, so that a network meets at work what it was trained on. Imports nothing else of the trainer.
"""
