"""Checks and plans as one comment on a pull request. Its first line is a hidden marker, by which a bot finds it.

Untrusted text becomes numeric character references, which CommonMark (section 2.5) never takes for structure and which
work inside tables too, where a backslash before a pipe is ambiguous. Whole table rows are left out, from the end, and
counted where the comment would be too long.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import Op
from reconciler.model.problem import Severity
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_line
from reconciler.report.plans import (
    LEFT_OUT,
    UNTIL_FIXED,
    base_note,
    changed_fields,
    partial_note,
    plan_summary,
    prune_effect,
    unread_files,
)
from reconciler.report.problems import checked_counts, plural, problem_counts, problem_location, select_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult
    from reconciler.report.plans import Field

MARKER = "<!-- reconciler:{} -->"
GOOD, CAREFUL, BAD = "✅", "⚠️", "❌"
ICONS = {Severity.ERROR: BAD, Severity.WARNING: CAREFUL}
MAX_TEXT, MAX_MESSAGE = 200, 1_000
"""Characters that are shown of one text, and of a problem's message."""
MAX_COMMENT = 65_000
"""Bytes of a comment. GitHub takes 65,536 characters; what a bot adds has to fit too."""
MAX_ENTRY = 16_000
"""Bytes of one entry."""
NOTICE_BYTES = 200
"""Bytes reserved for the note that counts what was left out."""
PROBLEMS_SHARE = 0.6
"""The part of a comment that problems may take when there are changes as well."""

_MARKUP = re.compile(
    r"[&<>`*\[\]\\|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # between letters an underscore means nothing
    r"|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.",  # links without brackets (GFM, section 6.9)
    re.IGNORECASE,
)
_MENTION = re.compile(rf"(?P<mention>@(?=\w)|#(?=\d))|{_MARKUP.pattern}", re.IGNORECASE)
_PLAIN = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")


class Section(Struct, frozen=True):
    """Entries that may be left out one by one, with the text around them. `noun` names one entry."""

    noun: str
    opening: str
    entries: Sequence[str]
    closing: str = ""


def render_checked(checked: CheckResult) -> str:
    """`validate --format markdown`"""
    icon = BAD if any(problem.is_error for problem in checked.problems) else CAREFUL if checked.problems else GOOD
    head = f"{MARKER.format('validate')}\n### {icon} Configuration: {problem_counts(checked.problems)}\n\n"
    return _render_comment(f"{head}{checked_counts(checked)}.\n", checked.problems, ())


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format markdown`: deletions are open, the rest is folded, a table for each kind."""
    head = f"{MARKER.format('plan')}\n### {_verdict(plan)}\n\n{' '.join(_summary_sentences(plan))}\n{_partial(plan)}"
    return _render_comment(head, plan.problems, [*_deletion_sections(plan, kinds), *_kind_sections(plan, kinds)])


def escape_markdown(text: str, longest: int = MAX_TEXT) -> str:
    """Untrusted text within a sentence; a zero-width space after `@` or `#` keeps it from mentioning anything."""
    return _MENTION.sub(_escape_mention_or_markup, truncate(escape_line(text), longest))


def code_span(text: str, longest: int = MAX_TEXT) -> str:
    """Untrusted text in a monospaced font: a code span, or `<code>` where the text would end a span."""
    shown = truncate(escape_line(text), longest)
    if _PLAIN.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{_MARKUP.sub(_character_reference, shown)}</code>"


def truncate(text: str, longest: int) -> str:
    """At most so many characters; `…` stands for the rest."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def byte_size(text: str) -> int:
    """Bytes of UTF-8: never fewer than the characters or UTF-16 units that a forge may count."""
    return len(text.encode("utf-8"))


def fit_sections(sections: Iterable[Section], room: int) -> tuple[list[str], Counter[str]]:
    """Render sections into so many bytes; returns them, and how many entries were left out by noun."""
    shown: list[str] = []
    left_out: Counter[str] = Counter()
    for section in sections:
        cost, kept = byte_size(section.opening) + byte_size(section.closing), 0
        for entry in section.entries:
            if cost + byte_size(entry) > room:
                break
            cost, kept = cost + byte_size(entry), kept + 1
        left_out[section.noun] += len(section.entries) - kept
        if kept:
            shown.append("".join((section.opening, *section.entries[:kept], section.closing)))
            room -= cost
    return shown, +left_out


def table_entry(first: str, rows: Iterable[str], more: str) -> str:
    """Table rows of one entry, up to `MAX_ENTRY` bytes; the row `more` counts the rest at its `{}`."""
    lines = [first]
    size, hidden = byte_size(first), 0
    for row in rows:
        if hidden or size + byte_size(row) > MAX_ENTRY:
            hidden += 1
        else:
            lines.append(row)
            size += byte_size(row)
    return "".join((*lines, more.format(f"{hidden:,}") if hidden else ""))


PROBLEMS_HEAD = "\n| | Where | What |\n|:--|:--|:--|\n"


def _render_comment(head: str, problems: Sequence[Problem], changes: Sequence[Section]) -> str:
    room = MAX_COMMENT - byte_size(head) - NOTICE_BYTES
    room_of_problems = int(room * PROBLEMS_SHARE) if changes else room
    shown, omitted = select_problems(problems, _problem_row, room=room_of_problems - byte_size(PROBLEMS_HEAD))
    worst_first = sorted(shown, key=lambda problem: not problem.is_error)
    table = Section("problem", PROBLEMS_HEAD, list(map(_problem_row, worst_first)))
    problem_tables, left_out = fit_sections([table], room_of_problems)
    left_out += Counter({"problem": omitted})
    change_tables, changes_left_out = fit_sections(changes, room - sum(map(byte_size, problem_tables)))
    hidden = " and ".join(plural(number, f"more {noun}") for noun, number in (left_out + changes_left_out).items())
    notice = f"\n**… and {hidden} that this comment has no room for: see the job's log.**\n" if hidden else ""
    return "".join((head, *problem_tables, *change_tables, notice)).rstrip("\n")


def _verdict(plan: Plan) -> str:
    if plan.refused:
        return f"{BAD} Plan refused: {problem_counts(plan.problems)}"
    careful = plan.problems or any(change.destructive for change in plan.changes)
    return f"{CAREFUL if careful else GOOD} Plan: {_change_counts(plan)}"


def _summary_sentences(plan: Plan) -> Iterator[str]:
    if note := base_note(plan):
        yield f"{escape_markdown(note)}."
    if plan.refused:
        yield f"{UNTIL_FIXED.capitalize()}."
        if plan.changes:
            yield f"Then: **{_change_counts(plan)}**, {plan.unchanged:,} unchanged."
    else:
        yield f"{plan.unchanged:,} unchanged."
        if plan.problems:
            yield f"{plural(len(plan.problems), 'warning')}."
    yield f"{short_sha(plan.base) if plan.base else 'nothing'} → {short_sha(plan.head)}"


def _partial(plan: Plan) -> str:
    if not plan.partial:
        return ""
    return f"\n**{partial_note(plan)}**: {', '.join(map(code_span, unread_files(plan)))}; {LEFT_OUT}.\n"


def _change_counts(plan: Plan) -> str:
    return plan_summary(plan).removesuffix(".") if plan.changes else "no changes"


def _problem_row(problem: Problem) -> str:
    pointer = f" {code_span(problem.pointer)}" if problem.pointer else ""
    hint = f"<br>→ {escape_markdown(problem.hint, MAX_MESSAGE)}" if problem.hint else ""
    what = f"**{escape_markdown(problem.code)}**{pointer}<br>{escape_markdown(problem.message, MAX_MESSAGE)}{hint}"
    return f"| {ICONS[problem.severity]} | {code_span(problem_location(problem))} | {what} |\n"


def _deletion_sections(plan: Plan, kinds: Kinds) -> Iterator[Section]:
    deletions = [change for change in plan.changes if change.op is Op.DELETE]
    if deletions:
        opening = f"\n<details open><summary><b>{len(deletions):,} to delete</b></summary>\n\n"
        table = "| | Name | What becomes of it | Was declared in |\n|:--|:--|:--|:--|\n"
        rows = [_deletion_row(change, kinds) for change in deletions]
        yield Section("change", opening + table, rows, "\n</details>\n")


def _deletion_row(change: Change, kinds: Kinds) -> str:
    mark = CAREFUL if change.destructive else ""
    resource = change.resource
    name = f"{escape_markdown(resource.kind)} {code_span(resource.name)}"
    return f"| {mark} | {name} | {prune_effect(change, kinds)} | {code_span(_location(change))} |\n"


def _kind_sections(plan: Plan, kinds: Kinds) -> Iterator[Section]:
    rest = [change for change in plan.changes if change.op is not Op.DELETE]
    for kind in sorted({change.resource.kind for change in rest}):
        changes = [change for change in rest if change.resource.kind == kind]
        counts = Counter(f"to {change.op}" for change in changes)
        opening = f"\n<details><summary><b>{escape_markdown(kind)}</b>: {canonical.join_counts(counts)}</summary>\n\n"
        table = "| | Name | Field | Old | New |\n|:--|:--|:--|:--|:--|\n"
        rows = [_change_rows(change, kinds) for change in changes]
        yield Section("change", opening + table, rows, "\n</details>\n")


def _change_rows(change: Change, kinds: Kinds) -> str:
    first, *others = [_field_cells(field) for field in changed_fields(change, kinds)] or ["| |"]
    name = f"{code_span(change.resource.name)}<br><sub>{escape_markdown(_location(change))}</sub>"
    top = f"| {change.op} | {name} | {first} |\n"
    rows = (f"| | | {cells} |\n" for cells in others)
    return table_entry(top, rows, "| | | and {} more | | |\n")


def _field_cells(field: Field) -> str:
    return " | ".join((code_span(field.name), _value_cell(field.old, field.unit), _value_cell(field.new, field.unit)))


def _value_cell(value: str | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{code_span(value)} {escape_markdown(unit)}" if unit else code_span(value)


def _location(change: Change) -> str:
    return f"{change.resource.path}:{change.resource.line}"


def _escape_mention_or_markup(match: re.Match[str]) -> str:
    return f"{match[0]}&#8203;" if match["mention"] else _character_reference(match)


def _character_reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
