"""One comment on a pull request. Its first line is a marker that nobody sees, by which a bot finds and replaces it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.change import Op
from reconciler.model.problem import Severity
from reconciler.report import commits, plans, problems, text
from reconciler.report.escape import visible
from reconciler.report.plans import fate, fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked
    from reconciler.report.plans import Field

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


ROOM = 65_000
"""Bytes of a comment. GitHub takes 65,536 characters; what a bot adds has to fit too."""
PROBLEMS_SHARE = 0.6
"""The part that problems may take when there are changes as well."""
TALLEST = 16_000
"""Bytes of one entry: above this its last rows are counted rather than shown."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a comment around entries that may be left out one by one; `holds` says what they are."""

    holds: str
    opening: str
    entries: Sequence[str]
    closing: str = ""


def fit(sections: Iterable[Section], room: int) -> tuple[list[str], Counter[str]]:
    """The sections as far as there is room (bytes), and how many entries of each sort were left out."""
    shown: list[str] = []
    left: Counter[str] = Counter()
    for section in sections:
        cost, kept = size(section.opening) + size(section.closing), 0
        for entry in section.entries:
            if cost + size(entry) > room:
                break
            cost, kept = cost + size(entry), kept + 1
        left[section.holds] += len(section.entries) - kept
        if kept:
            shown.append("".join((section.opening, *section.entries[:kept], section.closing)))
            room -= cost
    return shown, +left


def entry(first: str, rows: Iterable[str], more: str) -> str:
    """Rows that belong together; what would make them too tall is counted by the row `more`, at its `{}`."""
    lines = [first]
    height, hidden = size(first), 0
    for row in rows:
        if hidden or height + size(row) > TALLEST:
            hidden += 1
        else:
            lines.append(row)
            height += size(row)
    return "".join((*lines, more.format(f"{hidden:,}") if hidden else ""))


LONGEST = 200
"""Characters of one text that are shown in a comment."""

_MARKUP = re.compile(
    r"[&<>`*\[\]\\|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # between letters an underscore means nothing
    r"|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.",  # links without brackets (GFM, section 6.9)
    re.IGNORECASE,
)
_MENTION = re.compile(rf"(?P<mention>@(?=\w)|#(?=\d))|{_MARKUP.pattern}", re.IGNORECASE)
_PLAIN = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")


def prose(text: str, longest: int = LONGEST) -> str:
    """Text within a sentence; a mention or a reference to an issue is cut apart by a space without width."""
    return _MENTION.sub(_reference_or_gap, cut(visible(text), longest))


def code(text: str, longest: int = LONGEST) -> str:
    """Text in the letters of a program: a code span, or its element where the text has what would end a span."""
    shown = cut(visible(text), longest)
    if _PLAIN.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{_MARKUP.sub(_reference, shown)}</code>"


def cut(text: str, longest: int) -> str:
    """At most so many characters; `…` stands for the rest."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def size(text: str) -> int:
    """Bytes of UTF-8: never fewer than the characters or UTF-16 units that somebody else may count."""
    return len(text.encode("utf-8"))


def _reference_or_gap(found: re.Match[str]) -> str:
    return f"{found[0]}&#8203;" if found["mention"] else _reference(found)


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
