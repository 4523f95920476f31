"""What raters agree to. Each study keeps the text it was made with; a new wording is a new version here."""

from __future__ import annotations

CONSENT_VERSION = "2026-1"

# Paragraphs are divided by an empty line; the page shows them as they stand.
CONSENT_TEXT = """\
This study compares pictures of the same scene that were made by different computer programs. You look at the \
pictures on your screen, choose the best one of each scene and say whether it is free of faults. You can stop at \
any time without giving a reason.

We store your choices, comments and the times of your answers, how you viewed the pictures (which ones, for how \
long, how large), the results of the display and colour vision checks, and the properties of your screen and \
browser. Everything is stored under a random name. Your internet address is not stored. If you give an e-mail \
address, it is kept apart from your answers and is deleted when the study's storage period ends.

The answers decide which pictures become part of a published data set. They may be published themselves, under \
random names and without e-mail addresses.

You can download all data about you at any time. You can withdraw: your answers then no longer count. You can \
have everything erased: your answers and your e-mail address are then deleted.

The pictures change when you switch between them, and one aid lets two pictures alternate twice a second. That \
aid is off until you switch it on. Please leave it off if flickering pictures are harmful to you.
"""
