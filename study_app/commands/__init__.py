"""The commands of `python -m study_app`: what is typed, and the sentences and tables that answer."""
