"""Camera files to bracket sequences. Pure: facts in, sequences out; no files, no pixels."""

from builder.grouping.group import GroupingOptions, group_frames

__all__ = ["GroupingOptions", "group_frames"]
