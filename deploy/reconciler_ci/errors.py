"""What keeps a job from its work, and what keeps a comment from being written."""

from __future__ import annotations


class CannotRun(Exception):
    """The job ends with exit code 3; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Refused(Exception):
    """The other end does not let this token do that. Trying again does not help."""


class Unavailable(Exception):
    """The other end cannot be reached, or is not well. Trying again may help."""
