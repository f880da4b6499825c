"""Problems with what people wrote, and the policies that find some of them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from reconciler.model.bounds import ANY, Bounds

if TYPE_CHECKING:
    from typing import Any

NOT_LOCATED = 0
"""The column of a problem whose line is that of its document only: the pointer says which field it is about."""


APPROVABLE = ("guard/", "policy/", "schema-narrowed")
"""Prefixes of the codes that are about the step to a commit, not about its text: such a step can be approved."""


class Severity(StrEnum):
    """An error makes a commit invalid; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong. Problems sort by path, line and column, which is the order they are shown in.

    `path` is relative to the repository's root with forward slashes; `line` and `column` count from 1; `pointer`
    is a JSON Pointer (RFC 6901) into the document, empty for the file as a whole; `code` has a heading of its own
    in docs/problems.md. `bounds` are the values that would be right there, as far as they are known; stores do not
    keep them.
    """

    path: str
    line: int
    column: int
    code: str
    pointer: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    bounds: Bounds = ANY

    @property
    def kept(self) -> dict[str, Any]:
        """The fields that stores keep."""
        return {name: value for name, value in structs.asdict(self).items() if name != "bounds"}

    @property
    def size(self) -> int:
        """Characters of its text."""
        return len(self.path) + len(self.pointer) + len(self.message) + len(self.hint)

    @property
    def is_error(self) -> bool:
        """Whether this alone makes the commit invalid."""
        return self.severity is Severity.ERROR


def verdict_of(program: str) -> str:
    """How the message begins when a version of the program cannot judge something: another one may be able to."""
    return f"reconciler {program} cannot judge this"


class Mark(Struct, frozen=True):
    """A place in a text: line and column, both from 1."""

    line: int
    column: int


class Policy(Struct, frozen=True):
    """One rule: a SELECT whose rows are violations. `title` is the first comment line of its file."""

    name: str
    path: str
    title: str
    sql: str


class Measure(Policy, frozen=True):
    """A SELECT of figures about the desired state, such as its total risk. It refuses nothing."""


class Reading(Struct, frozen=True):
    """One figure of a measure. `value` is None where there is nothing to measure."""

    label: str
    value: float | None
    unit: str = ""


class Violation(Struct, frozen=True):
    """One row that a policy returned. What the row lacks is empty; `field` is as in `FieldChange`."""

    message: str
    kind: str = ""
    name: str = ""
    field: str = ""
    severity: Severity = Severity.ERROR
    bounds: Bounds = ANY


class Fault(Struct, frozen=True):
    """Why a policy could not be run, in the database's words; line and column are those of its file, from 1."""

    message: str
    line: int = 1
    column: int = 1
    hint: str = ""


class Verdict(Struct, frozen=True):
    """The result of one policy or measure. `cut`: it returned more rows than are kept. `fault`: it failed."""

    policy: Policy
    violations: tuple[Violation, ...] = ()
    cut: bool = False
    fault: Fault | None = None
    readings: tuple[Reading, ...] = ()
