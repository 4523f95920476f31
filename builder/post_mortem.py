"""What the stack that `faulthandler` left tells of the end of a process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal


def cause_of_death(
    stack: str, thread: int, timeout_seconds: float | None
) -> tuple[Literal["killed", "timeout"], str]:
    """Kind and sentence, from the dump (empty if the process left none) and the thread that ran the step."""
    where = _top_frame(stack, thread)
    if stack.startswith("Timeout") and timeout_seconds is not None:
        return "timeout", f"timed out after {timeout_seconds:g} s{where}"
    fatal = re.match(r"(?:Fatal Python error|Windows fatal exception): (.+)", stack)
    if fatal:
        return "killed", f"crashed in native code ({fatal[1]}){where}"
    return "killed", "its process was killed (often by the system when memory runs out)"


def _top_frame(stack: str, thread: int) -> str:
    """' in function (file:line)': the innermost Python frame of the thread, or '' if there is none."""
    of_thread = False
    for line in stack.splitlines():
        header = re.match(r"(?:Current thread|Thread) 0x([0-9a-f]+)", line)
        if header:
            of_thread = int(header[1], 16) == thread
        frame = re.match(r'  File "(.*)", line (\d+) in (.*)', line)
        if frame and of_thread:
            return f" in {frame[3]} ({Path(frame[1]).name}:{frame[2]})"
    return ""
