"""From rows to plain values for statistics: which votes count, what they say of a scene, how raters behaved.

Rests on storage and statistics. Whoever adds or excludes votes comes here afterwards (`tally.refresh_scene`).
"""
