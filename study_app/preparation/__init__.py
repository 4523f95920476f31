"""What must be there before raters come: a study and its pictures, its consent text, invitations, accounts.

Rests on storage and statistics (the rule that a study is opened with).
"""
