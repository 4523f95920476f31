"""What a rater meets, page by page: invitation, consent, checks, training, trials, breaks, leaving; ordered by `flow`.

Rests on rating (what a trial is), preparation (invitations, consent), keeping (a rater's rights), storage and web.
"""
