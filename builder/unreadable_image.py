"""The refusal of a file, with its reason and a sentence for the person who has to do something about it."""

from __future__ import annotations

REASONS = (
    "truncated",
    "corrupt",
    "empty",
    "too-large",
    "unsupported-format",
    "unsupported-profile",
    "unreadable",
)


class UnreadableImage(ValueError):
    """A file that cannot be used; str() says what, which file, what was found and what to do.

    `reason` is one of REASONS.
    """

    def __init__(self, reason: str, name: str, found: str, remedy: str) -> None:
        super().__init__(f"{name!r}: {found}; {remedy}")
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, str(self))


def _rebuild(reason: str, sentence: str) -> UnreadableImage:
    """Unpickle: errors travel from worker processes to the parent."""
    error = UnreadableImage(reason, "", "", "")
    error.args = (sentence,)
    return error


def corrupt(name: str, found: str) -> UnreadableImage:
    return UnreadableImage("corrupt", name, found, "copy it from the camera again or leave it out")


def truncated(name: str, found: str) -> UnreadableImage:
    return UnreadableImage("truncated", name, found, "copy it from the camera again or leave it out")


def unsupported(name: str, found: str, remedy: str) -> UnreadableImage:
    return UnreadableImage("unsupported-format", name, found, remedy)
