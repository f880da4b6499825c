"""Rules written in SQL: a file to a policy, a verdict to problems. What runs them is a port."""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING

from reconciler.kinds.kind import SqlType, join
from reconciler.kinds.references import resolve_refs
from reconciler.model.bounds import ANY, Bounds
from reconciler.model.change import Key
from reconciler.model.problem import NOT_LOCATED, Measure, Policy, Problem, Severity
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Resource
    from reconciler.model.problem import Fault, Verdict, Violation

    Find = Callable[[Key], Resource | None]

BAD_POLICY = "bad-policy"
BAD_MEASURE = "bad-measure"
POLICY_SUFFIX = ".sql"
MAX_BYTES = 100_000
POLICY_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
EXAMPLE = "SELECT 'what is wrong' AS message FROM desired.some_table WHERE …"


def read_policy(path: str, data: bytes) -> Policy | Problem:
    """The policy in a file (UTF-8, with or without a byte order mark), or what keeps it from being one.

    It goes by the file's name without `.sql`; its title is the comment line it begins with, else its name.
    """
    name = path.rpartition("/")[2].removesuffix(POLICY_SUFFIX)
    if not POLICY_NAME.fullmatch(name):
        message = f"the name of a policy is lower-case letters and digits with hyphens between: {name!a} is not"
        return _refused(path, message, f"call the file {_suggest_name(name)}.sql: its name becomes the problem's code")
    if len(data) > MAX_BYTES:
        return _refused(path, f"this file has {len(data):,} bytes, and a policy has at most {MAX_BYTES:,}")
    try:
        sql = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(path, f"byte {error.start + 1:,} is not UTF-8", "save the file as UTF-8")
    if "\0" in sql:
        return _refused(path, "there is a NUL character in this file", "save the file as plain text in UTF-8")
    if not sql.strip():
        return _refused(path, "this file is empty", f"a policy is one SELECT: {EXAMPLE}")
    return Policy(name, path, _read_title(sql) or name, sql)


def read_measure(path: str, data: bytes) -> Measure | Problem:
    """The measure in a file, which is written as a policy is, or a warning: a measure refuses nothing."""
    result = read_policy(path, data)
    if isinstance(result, Problem):
        return replace(result, code=BAD_MEASURE, severity=Severity.WARNING)
    return Measure(result.name, result.path, result.title, result.sql)


def measure_fault(measure: Policy, fault: Fault) -> Problem:
    """The warning about a measure that cannot be run."""
    return Problem(measure.path, fault.line, fault.column, BAD_MEASURE, "", fault.message, fault.hint, Severity.WARNING)


def _read_title(sql: str) -> str:
    """The first comment line, if only blank lines come before it."""
    first = next((line.strip() for line in sql.splitlines() if line.strip()), "")
    return escape_line(first.lstrip("-")) if first.startswith("--") else ""


def _suggest_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "some-rule"


def _refused(path: str, message: str, hint: str = "") -> Problem:
    return Problem(path, 1, 1, BAD_POLICY, "", message, hint)


METADATA = ("labels", "annotations", "refs")
NAME_FIELD = "name"


def locate_violations(verdicts: Iterable[Verdict], kinds: Kinds, find: Find) -> tuple[Problem, ...]:
    """The problems that verdicts amount to, in order.

    `find` looks up a resource by kind and name: the violation stands at its document, with column `NOT_LOCATED` and
    the pointer of the field. What names no resource, or one that is not there, stands at the policy's own file.
    """
    return tuple(sorted(problem for verdict in verdicts for problem in _verdict_problems(verdict, kinds, find)))


def problem_code(policy: Policy) -> str:
    """The code of the problems that a policy finds."""
    return f"policy/{policy.name}"


def _verdict_problems(verdict: Verdict, kinds: Kinds, find: Find) -> Iterator[Problem]:
    if verdict.fault is not None:
        yield _fault_problem(verdict.policy, verdict.fault)
    for violation in verdict.violations:
        yield _violation_problem(verdict.policy, violation, kinds, find)
    if verdict.cut:
        yield _cut_problem(verdict)


def _violation_problem(policy: Policy, violation: Violation, kinds: Kinds, find: Find) -> Problem:
    kind = kinds.find(violation.kind) if violation.kind else None
    resource = find(Key(kind.name, violation.name)) if kind and violation.name else None
    if kind is None or resource is None:
        path, line, column, pointer = policy.path, 1, 1, ""
        subject = f"{violation.kind} {violation.name}".strip()
        message = f"{subject}: {violation.message}" if subject else violation.message
    else:
        path, line, column, pointer = resource.path, resource.line, NOT_LOCATED, field_pointer(kind, violation.field)
        message = violation.message
    return Problem(
        path,
        line,
        column,
        problem_code(policy),
        pointer,
        message,
        f"rule: {policy.title}",
        violation.severity,
        _narrow_bounds(violation, kind) if pointer and kind else ANY,
    )


def _narrow_bounds(violation: Violation, kind: Kind) -> Bounds:
    """What a violation lets stand in its field, and its schema too; anything where the violation does not say."""
    column = kind.column(violation.field)
    if violation.bounds == ANY or column is None:
        return violation.bounds
    hard = Bounds(
        column.bounds.get("minimum", -inf),
        column.bounds.get("maximum", inf),
        column.bounds.get("exclusiveMinimum", -inf),
        column.bounds.get("exclusiveMaximum", inf),
        column.enum,
        column.type is SqlType.INTEGER,
        _find_step(kind, column.name),
    )
    return violation.bounds.narrow(hard)


def _find_step(kind: Kind, column: str) -> float:
    """What the schema lets a column hold multiples of only; 0 for any number."""
    spec = resolve_refs(kind.schema, kind.schema.get("properties", {}).get("spec", {}))
    member = spec.get("properties", {}).get(column)
    step = resolve_refs(kind.schema, member).get("multipleOf", 0) if isinstance(member, dict) else 0
    return float(step)


def field_pointer(kind: Kind, field: str) -> str:
    """The JSON Pointer of a field as people name it, empty for what the kind has not.

    A column, a place inside a JSON column (`lot.step`), `labels.host`, `annotations.x`, `refs.broker` or `name`.
    """
    if kind.column(field):
        return join(("spec", field))
    head, _, rest = field.partition(".")
    if kind.column(head):
        return join(("spec", head, *rest.split(".")))
    if head in METADATA:
        return join(("metadata", head, rest) if rest else ("metadata", head))  # a label's name may hold dots
    return join(("metadata", NAME_FIELD)) if field == NAME_FIELD else ""


def _fault_problem(policy: Policy, fault: Fault) -> Problem:
    return Problem(policy.path, fault.line, fault.column, BAD_POLICY, "", fault.message, fault.hint)


def _cut_problem(verdict: Verdict) -> Problem:
    """As severe as what is reported: errors come before warnings, so no error is cut off behind a warning."""
    shown = len(verdict.violations)
    has_error = any(violation.severity is Severity.ERROR for violation in verdict.violations)
    return Problem(
        path=verdict.policy.path,
        line=1,
        column=1,
        code=problem_code(verdict.policy),
        pointer="",
        message=f"this rule found more than {shown:,} violations: {shown:,} are told, the rest is left out",
        hint=f"rule: {verdict.policy.title}",
        severity=Severity.ERROR if has_error else Severity.WARNING,
    )


MAX_MESSAGE = 1_000
"""Characters of a message."""
CUT = "…"
JOINERS = frozenset("\u200c\u200d")
"""Formatting characters that some languages and all composed emoji need."""


def escape_line(text: str, longest: int = MAX_MESSAGE) -> str:
    """The text on one line, invisible characters escaped (`\\x1b`), up to `longest` characters."""
    line = " ".join(text[: longest + 1].split())
    escaped = "".join(map(_escape, line))
    return escaped if len(text) <= longest and len(escaped) <= longest else f"{escaped[: longest - 1]}{CUT}"


def _escape(character: str) -> str:
    """Escape control and formatting characters, such as those that make text run backwards."""
    if character.isprintable() or character in JOINERS:
        return character
    return character.encode("unicode_escape").decode("ascii")
