"""Reading the dump of `faulthandler`, as several Python versions write it."""

from __future__ import annotations

import pytest

from builder.execution.post_mortem import cause_of_death

TIMEOUT = """Timeout (0:10:00)!
Thread 0x00007f0000000002 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait

Thread 0x00007f0000000001 (most recent call first):
  File "/opt/fusion_algos/patch_match.py", line 120 in propagate
  File "/opt/fusion_algos/stack_hdr/sen2012.py", line 50 in fuse
"""
CRASH = """Fatal Python error: Segmentation fault

Current thread 0x00007f0000000001 [worker] (most recent call first):
  File "/opt/fusion_algos/exposure_fusion/shen2014.py", line 88 in boost <- native
  File "/opt/builder/pipeline.py", line 50 in fuse
"""


@pytest.mark.parametrize(
    ("stack", "timeout_seconds", "expected"),
    [
        (TIMEOUT, 600.0, ("timeout", "timed out after 600 s in propagate (patch_match.py:120)")),
        (TIMEOUT.replace("0001 (", "0009 ("), 0.25, ("timeout", "timed out after 0.25 s")),
        (
            CRASH,
            600.0,
            ("killed", "crashed in native code (Segmentation fault) in boost <- native (shen2014.py:88)"),
        ),
        (
            "Windows fatal exception: access violation\n",
            None,
            ("killed", "crashed in native code (access violation)"),
        ),
        ("", 600.0, ("killed", "its process was killed (often by the system when memory runs out)")),
    ],
)
def test_cause_of_death(stack: str, timeout_seconds: float | None, expected: tuple[str, str]) -> None:
    assert cause_of_death(stack, 0x7F0000000001, timeout_seconds) == expected
