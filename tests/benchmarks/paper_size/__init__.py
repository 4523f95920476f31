"""A dataset of the size of SICE's: 589 scenes with 4,413 frames, through every stage, and what that costs."""
