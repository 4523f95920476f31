"""One command, one file; each file's `command` is loaded by name when it is called."""
