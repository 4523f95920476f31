"""The commands of `python -m study_app`: what is typed, and the sentences and tables that answer.

May use every other room; nothing but `__main__` uses it.
"""
