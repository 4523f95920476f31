"""What raters agree to. Each study keeps the text it was made with; a new wording is a new version here."""

from __future__ import annotations

CONSENT_VERSION = "2026-1"

# `# ` opens a heading and `- ` a point of a list, every other line is a paragraph (consent.py).
CONSENT_TEXT = """\
# What this study is about

Several pictures were made of the same scene, each by another computer program. You look at them side by side, \
choose the one that is best, and say whether it is free of faults. Nobody is graded. The answers decide which \
pictures become the references of a public data set.

# What you do

- A check of your display and of how you see colours, a little training, then scenes at your own pace.
- After about 20 scenes, or 25 minutes, there is a break of three minutes. You may stop at any time.
- The pictures change when you switch between them, and one aid lets two pictures alternate twice a second. It is \
off until you switch it on. Please leave it off if flickering pictures are harmful to you.

# What is stored

- A random name (a pseudonym) in place of yours. Neither your name nor your internet address is stored.
- Your choices, comments and their times, and how you viewed the pictures: which ones, for how long, how large.
- Size, sharpness and colour range of your screen, and your answers to the checks and the training.
- One cookie that remembers your random name in this browser. Nothing is sent to anybody else.
- An e-mail address only if you gave one to the people who invited you. It is kept apart from your answers and \
deleted when the study's storage period ends.

# What happens to it

The answers are used for research on pictures. They may be published under the random names, without e-mail \
addresses, so that others can check the results. The legal basis is your consent.

# Your rights

- Taking part is voluntary. You may stop without giving a reason, and nothing follows from it.
- You can download everything that is stored about you, at any time, from the study's last page.
- You can withdraw: you stop, and your answers no longer count.
- You can have your answers and your e-mail address erased. What was published under the random name before cannot \
be called back.
- For questions or a complaint, ask the people who sent you the link. You may also turn to a data protection \
authority.
"""
