"""What the exit codes of `python -m trainer` mean."""

from __future__ import annotations

SOMETHING_FAILED = 1  # the rest was done; the report lists what was not
WRONG_USAGE = 2  # or wrong settings or data
DIVERGED = 4  # NaN or infinity that lowering the rate did not end
STORAGE = 5  # no room to write, or no usable checkpoint
INTERRUPTED, TERMINATED = 130, 143  # 128 + the number of the signal; the trainer saves first
