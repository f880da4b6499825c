"""Policies: rules written in SQL, and what came of running them."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.problem import Severity


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule: a SELECT whose rows are violations. `title` is the first comment line of its file."""

    name: str
    path: str
    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that a policy returned. What it does not say is empty; `field` is as in `FieldChange`."""

    message: str
    kind: str = ""
    name: str = ""
    field: str = ""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a policy could not be run, in the database's words; line and column are those of its file, from 1."""

    message: str
    line: int = 1
    column: int = 1
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one policy. `cut` says that it returned more rows than are kept; `fault` that it gave none."""

    policy: Policy
    violations: tuple[Violation, ...] = ()
    cut: bool = False
    fault: Fault | None = None
