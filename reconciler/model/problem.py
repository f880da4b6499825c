"""A problem: something wrong in what people wrote, with a code and a place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NOT_LOCATED = 0
"""The column of a problem whose line is that of its document only: the pointer says which field it is about."""


APPROVABLE = ("guard/", "policy/")
"""How the codes begin that are about a step to a commit, not about what is written in it: somebody may approve it."""


class Severity(StrEnum):
    """An error makes a commit invalid; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. Problems sort by path, line and column, which is the order they are shown in.

    `path` is relative to the repository's root with forward slashes; `line` and `column` count from 1; `pointer`
    is a JSON Pointer (RFC 6901) into the document, empty for the file as a whole; `code` has a heading of its own
    in docs/problems.md.
    """

    path: str
    line: int
    column: int
    code: str
    pointer: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Whether this alone makes the commit invalid."""
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text: line and column, both from 1."""

    line: int
    column: int
