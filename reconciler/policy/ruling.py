"""Verdicts to problems: each violation at the resource and field it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.pointers import join
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.model.resource import Key
from reconciler.policy.reading import BAD_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.problem import Fault, Policy, Verdict, Violation
    from reconciler.model.resource import Resource

    Find = Callable[[Key], Resource | None]

METADATA = ("labels", "annotations", "refs")
NAME = "name"


def rulings(verdicts: Iterable[Verdict], kinds: Kinds, find: Find) -> tuple[Problem, ...]:
    """The problems that verdicts amount to, in order.

    `find` looks up a resource by kind and name: the violation stands at its document, with column `NOT_LOCATED` and
    the pointer of the field. What names no resource, or one that is not there, stands at the policy's own file.
    """
    return tuple(sorted(problem for verdict in verdicts for problem in _problems(verdict, kinds, find)))


def code(policy: Policy) -> str:
    """The code of the problems that a policy finds."""
    return f"policy/{policy.name}"


def _problems(verdict: Verdict, kinds: Kinds, find: Find) -> Iterator[Problem]:
    if verdict.fault is not None:
        yield _fault(verdict.policy, verdict.fault)
    for violation in verdict.violations:
        yield _violation(verdict.policy, violation, kinds, find)
    if verdict.cut:
        yield _cut(verdict)


def _violation(policy: Policy, violation: Violation, kinds: Kinds, find: Find) -> Problem:
    kind = kinds.find(violation.kind) if violation.kind else None
    resource = find(Key(kind.name, violation.name)) if kind and violation.name else None
    if kind is None or resource is None:
        path, line, column, pointer = policy.path, 1, 1, ""
        about = f"{violation.kind} {violation.name}".strip()
        message = f"{about}: {violation.message}" if about else violation.message
    else:
        path, line, column, pointer = resource.path, resource.line, NOT_LOCATED, pointer_of(kind, violation.field)
        message = violation.message
    return Problem(path, line, column, code(policy), pointer, message, f"rule: {policy.title}", violation.severity)


def pointer_of(kind: Kind, field: str) -> str:
    """The JSON Pointer of a field as people name it, empty for what the kind has not.

    A column, a place inside a JSON column (`lot.step`), `labels.host`, `annotations.x`, `refs.broker` or `name`.
    """
    if kind.column(field):
        return join(("spec", field))
    first, _, rest = field.partition(".")
    if kind.column(first):
        return join(("spec", first, *rest.split(".")))
    if first in METADATA:
        return join(("metadata", first, rest) if rest else ("metadata", first))  # a label's name may hold dots
    return join(("metadata", NAME)) if field == NAME else ""


def _fault(policy: Policy, fault: Fault) -> Problem:
    return Problem(policy.path, fault.line, fault.column, BAD_POLICY, "", fault.message, fault.hint)


def _cut(verdict: Verdict) -> Problem:
    """As bad as what is told: the errors are told before the warnings, so none is hidden behind a warning."""
    told = len(verdict.violations)
    worst = any(one.severity is Severity.ERROR for one in verdict.violations)
    return Problem(
        path=verdict.policy.path,
        line=1,
        column=1,
        code=code(verdict.policy),
        pointer="",
        message=f"this rule found more than {told:,} violations: {told:,} are told, the rest is left out",
        hint=f"rule: {verdict.policy.title}",
        severity=Severity.ERROR if worst else Severity.WARNING,
    )
