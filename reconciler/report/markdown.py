"""One comment on a pull request. Its first line is a marker that nobody sees, by which a bot finds and replaces it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.change import Op
from reconciler.model.problem import Severity
from reconciler.report import commits, plans, problems, text
from reconciler.report.fields import fate, fields
from reconciler.report.fitting import PROBLEMS_SHARE, ROOM, Section, entry, fit
from reconciler.report.markup import code, prose, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.pipeline.checking import Checked
    from reconciler.plan.plan import Plan
    from reconciler.report.fields import Field

MARKER = "<!-- reconciler:{} -->"
GOOD, CAREFUL, BAD = "✅", "⚠️", "❌"
ICONS = {Severity.ERROR: BAD, Severity.WARNING: CAREFUL}
MESSAGE = 1_000
"""Characters of a problem's message that are shown."""
NOTICE_ROOM = 200
"""Bytes kept for telling what was left out."""


def checked(found: Checked) -> str:
    """`validate --format markdown`."""
    icon = BAD if any(problem.is_error for problem in found.problems) else CAREFUL if found.problems else GOOD
    head = f"{MARKER.format('validate')}\n### {icon} Configuration: {problems.counts(found.problems)}\n\n"
    return _comment(f"{head}{problems.scope(found)}.\n", found.problems, ())


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format markdown`: what is deleted is open, the rest is folded, a table for each kind."""
    gone = [change for change in found.changes if change.op is Op.DELETE]
    head = f"{MARKER.format('plan')}\n### {_verdict(found)}\n\n{' '.join(_summary(found))}\n"
    return _comment(head, found.problems, [*_deletions(gone, kinds), *_by_kind(found, kinds)])


def _verdict(found: Plan) -> str:
    if found.refused:
        return f"{BAD} Plan refused: {problems.counts(found.problems)}"
    careful = found.problems or any(change.destructive for change in found.changes)
    return f"{CAREFUL if careful else GOOD} Plan: {_changes(found)}"


def _summary(found: Plan) -> Iterator[str]:
    if since := text.since(found):
        yield f"{prose(since)}."
    if found.refused:
        yield f"{text.UNTIL_MENDED.capitalize()}."
        if found.changes:
            yield f"Then: **{_changes(found)}**, {found.unchanged:,} unchanged."
    else:
        yield f"{found.unchanged:,} unchanged."
        if found.problems:
            yield f"{problems.plural(len(found.problems), 'warning')}."
    yield f"{commits.short(found.base) if found.base else 'nothing'} → {commits.short(found.head)}"


def _changes(found: Plan) -> str:
    return plans.summary(found).removesuffix(".") if found.changes else "no changes"


def _comment(head: str, found: Sequence[Problem], changes: Sequence[Section]) -> str:
    room = ROOM - size(head) - NOTICE_ROOM
    table = Section("problem", "\n| | Where | What |\n|:--|:--|:--|\n", [_problem(one) for one in _worst_first(found)])
    told, left = fit([table], int(room * PROBLEMS_SHARE) if changes else room)
    more, also = fit(changes, room - sum(map(size, told)))
    hidden = " and ".join(problems.plural(number, f"more {what}") for what, number in (left + also).items())
    notice = f"\n**… and {hidden} that this comment has no room for: see the job's log.**\n" if hidden else ""
    return "".join((head, *told, *more, notice)).rstrip("\n")


def _worst_first(found: Sequence[Problem]) -> list[Problem]:
    return sorted(found, key=lambda problem: not problem.is_error)


def _problem(problem: Problem) -> str:
    pointer = f" {code(problem.pointer)}" if problem.pointer else ""
    hint = f"<br>→ {prose(problem.hint, MESSAGE)}" if problem.hint else ""
    what = f"**{prose(problem.code)}**{pointer}<br>{prose(problem.message, MESSAGE)}{hint}"
    return f"| {ICONS[problem.severity]} | {code(problems.place(problem))} | {what} |\n"


def _deletions(gone: Sequence[Change], kinds: Kinds) -> Iterator[Section]:
    if gone:
        opening = f"\n<details open><summary><b>{len(gone):,} to delete</b></summary>\n\n"
        table = "| | Name | What becomes of it | Was declared in |\n|:--|:--|:--|:--|\n"
        yield Section("change", opening + table, [_deletion(one, kinds) for one in gone], "\n</details>\n")


def _deletion(change: Change, kinds: Kinds) -> str:
    mark = CAREFUL if change.destructive else ""
    resource = change.resource
    name = f"{prose(resource.kind)} {code(resource.name)}"
    return f"| {mark} | {name} | {fate(change, kinds)} | {code(_place(change))} |\n"


def _by_kind(found: Plan, kinds: Kinds) -> Iterator[Section]:
    rest = [change for change in found.changes if change.op is not Op.DELETE]
    for kind in sorted({change.resource.kind for change in rest}):
        ones = [change for change in rest if change.resource.kind == kind]
        counts = Counter(f"to {one.op}" for one in ones)
        opening = f"\n<details><summary><b>{prose(kind)}</b>: {canonical.counted(counts)}</summary>\n\n"
        table = "| | Name | Field | Old | New |\n|:--|:--|:--|:--|:--|\n"
        yield Section("change", opening + table, [_change(one, kinds) for one in ones], "\n</details>\n")


def _change(change: Change, kinds: Kinds) -> str:
    first, *others = [_field(field) for field in fields(change, kinds)] or ["| |"]
    name = f"{code(change.resource.name)}<br><sub>{prose(_place(change))}</sub>"
    top = f"| {change.op} | {name} | {first} |\n"
    rows = (f"| | | {field} |\n" for field in others)
    return entry(top, rows, "| | | and {} more | | |\n")


def _field(field: Field) -> str:
    return " | ".join((code(field.name), _value(field.old, field.unit), _value(field.new, field.unit)))


def _value(value: str | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{code(value)} {prose(unit)}" if unit else code(value)


def _place(change: Change) -> str:
    return f"{change.resource.path}:{change.resource.line}"
