"""What a look at this host found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """Whether somebody has to do something: no · perhaps, or one day · yes."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of a doctor's report: what was looked at, how it is, and how to mend it (empty when it is well)."""

    check: str
    grade: Grade
    message: str
    hint: str = ""
