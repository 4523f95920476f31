"""One command, one file; each file's `command` is loaded by name when it is called.

They may import any room; no room imports them.
"""
