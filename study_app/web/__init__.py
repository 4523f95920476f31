"""The frame around every page: what is refused, who is asking, the language, and the script of the trial screen.

Rests on storage alone; the pages themselves are in rater_pages and lab.
"""
