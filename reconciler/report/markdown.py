"""Markdown of a comment on a pull request: other people's text, problems by place, and how much there is room for.
A comment's first line is a hidden marker, by which a bot finds it.

Untrusted text becomes numeric character references, which CommonMark (section 2.5) never takes for structure and which
work inside tables too, where a backslash before a pipe is ambiguous. Whole table rows are left out, from the end, and
counted where the comment would be too long.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.model.bounds import ANY
from reconciler.model.problem import Severity
from reconciler.report.escape import escape_line
from reconciler.report.links import NO_LINKS, Links
from reconciler.report.problems import checked_counts, plural, problem_counts, problem_location, select_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.model.problem import Problem
    from reconciler.model.review import Remedy
    from reconciler.reconcile.check import CheckResult

    Place = tuple[str, int, str]

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
    """Entries that may be left out one by one, with the text around them. `noun` names one entry.

    `share` is the part of what room there is that they may take.
    """

    noun: str
    opening: str
    entries: Sequence[str]
    closing: str = ""
    share: float = 1


def render_checked(checked: CheckResult) -> str:
    """`validate --format markdown`"""
    icon = BAD if any(problem.is_error for problem in checked.problems) else CAREFUL if checked.problems else GOOD
    head = f"{MARKER.format('validate')}\n### {icon} Configuration: {problem_counts(checked.problems)}\n\n"
    return render_comment(f"{head}{checked_counts(checked)}.\n", checked.problems, (), NO_REVIEW)


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
            if cost + byte_size(entry) > room * section.share:
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


class ProblemLinks(Struct, frozen=True):
    """What a problem is told with: links to lines, the files of policies by code, and remedies by place."""

    links: Links = NO_LINKS
    policies: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[Place, Remedy] = field(default_factory=dict)


NO_REVIEW = ProblemLinks()


def render_comment(
    head: str, problems: Sequence[Problem], changes: Sequence[Section], told_with: ProblemLinks, foot: str = ""
) -> str:
    """A comment that is short enough: its head, the problems by place, sections of changes, and its foot."""
    room = MAX_COMMENT - byte_size(head) - byte_size(foot) - NOTICE_BYTES
    room_of_problems = int(room * PROBLEMS_SHARE) if changes else room
    shown, omitted = select_problems(
        problems, lambda problem: _place_entry([problem], told_with), room=room_of_problems - byte_size(PROBLEMS_HEAD)
    )
    entries = [_place_entry(found, told_with) for found in group_by_place(shown)]
    blocks, _ = fit_sections([Section("place", PROBLEMS_HEAD, entries)], room_of_problems)
    left_out = Counter({"problem": omitted} if omitted else {})
    change_tables, changes_left_out = fit_sections(changes, room - sum(map(byte_size, blocks)))
    hidden = " and ".join(plural(number, f"more {noun}") for noun, number in (left_out + changes_left_out).items())
    notice = f"\n**… and {hidden} that this comment has no room for: see the job's log.**\n" if hidden else ""
    return "".join((head, *blocks, *change_tables, notice, foot)).rstrip("\n")


PROBLEMS_HEAD = "\n#### Problems\n\n"


def group_by_place(problems: Sequence[Problem]) -> list[list[Problem]]:
    """Problems of one place together; places with errors first, and there the errors."""
    places: dict[Place, list[Problem]] = {}
    for problem in problems:
        places.setdefault((problem.path, problem.line, problem.pointer), []).append(problem)
    by_severity = [sorted(found, key=lambda one: not one.is_error) for found in places.values()]
    return sorted(by_severity, key=lambda found: not found[0].is_error)


def _place_entry(problems: Sequence[Problem], told_with: ProblemLinks) -> str:
    """The problems of one place, and what to write there."""
    first = problems[0]
    where = link(code_span(problem_location(first)), told_with.links.to_line(first.path, first.line))
    pointer = f" {code_span(first.pointer)}" if first.pointer else ""
    remedy = told_with.remedies.get((first.path, first.line, first.pointer))
    lines = [f"- {ICONS[first.severity]} {where}{pointer}{_advice(remedy, problems)}\n"]
    lines += [_problem_line(problem, told_with) for problem in problems]
    if remedy and remedy.after:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", remedy.after)), default=0))
        lines += [f"\n  {fence}suggestion\n", f"  {remedy.after}\n", f"  {fence}\n\n"]
    return "".join(lines)


def _advice(remedy: Remedy | None, problems: Sequence[Problem]) -> str:
    if remedy is None:
        return ""
    if not remedy.value:
        return ": **no value satisfies all of these**"
    satisfies = {1: "", 2: ", which satisfies both"}.get(len(problems), f", which satisfies all {len(problems)}")
    if any(problem.bounds == ANY for problem in problems):
        satisfies = ", which satisfies the errors"
    return f": **write {code_span(remedy.value)}**{satisfies}"


def _problem_line(problem: Problem, told_with: ProblemLinks) -> str:
    policy = told_with.policies.get(problem.code, "")
    code = link(escape_markdown(problem.code), told_with.links.to_line(policy, 1) if policy else "")
    mark = f"{CAREFUL} " if not problem.is_error else ""
    hint = f"<br><sub>{escape_markdown(problem.hint, MAX_MESSAGE)}</sub>" if problem.hint else ""
    return f"  - {mark}**{code}** {escape_markdown(problem.message, MAX_MESSAGE)}{hint}\n"


def link(text: str, address: str) -> str:
    return f"[{text}]({address})" if address else text


def pick_icon(*, bad: bool, careful: bool) -> str:
    return BAD if bad else CAREFUL if careful else GOOD


def _escape_mention_or_markup(match: re.Match[str]) -> str:
    return f"{match[0]}&#8203;" if match["mention"] else _character_reference(match)


def _character_reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
