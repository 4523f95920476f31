"""The six built-in scenes: one file each, a function of a random generator that gives a Scene."""
