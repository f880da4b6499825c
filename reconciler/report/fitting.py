"""Tables that are cut to fit into a comment: whole rows are left out, from the end, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.report.markup import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
