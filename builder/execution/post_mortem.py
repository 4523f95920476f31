"""What the stack that `faulthandler` left tells of the end of a process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal


def cause_of_death(
    stack: str, thread: int, timeout_seconds: float | None
) -> tuple[Literal["killed", "timeout"], str]:
    """Kind and sentence, from the dump (empty if the process left none) and the thread that ran the step."""
    where = _top_frame(stack_of_thread(stack, thread))
    if stack.startswith("Timeout") and timeout_seconds is not None:
        return "timeout", f"timed out after {timeout_seconds:g} s{where}"
    fatal = re.match(r"(?:Fatal Python error|Windows fatal exception): (.+)", stack)
    if fatal:
        return "killed", f"crashed in native code ({fatal[1]}){where}"
    return "killed", "its process was killed (often by the system when memory runs out)"


def stack_of_thread(stack: str, thread: int) -> str:
    """The part of a dump that belongs to one thread, innermost frame first; '' if there is none."""
    parts = re.split(r"^(?:Current thread|Thread) 0x([0-9a-f]+).*\n", stack, flags=re.MULTILINE)
    of_thread = {
        int(identifier, 16): frames for identifier, frames in zip(parts[1::2], parts[2::2], strict=True)
    }
    return of_thread.get(thread, "")


def _top_frame(frames: str) -> str:
    """' in function (file:line)' for the innermost frame, or ''."""
    frame = re.match(r'  File "(.*)", line (\d+) in (.*)', frames)
    return f" in {frame[3]} ({Path(frame[1]).name}:{frame[2]})" if frame else ""
