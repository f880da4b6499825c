"""The one comment on a pull or merge request that says where its commit is live: a row for each host.

The rows are in the comment a second time as JSON, which nobody sees, so that each host finds those of the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from reconciler.report.commits import short_sha
from reconciler.report.markdown import MARKER as MARKERS
from reconciler.report.markdown import code_span, escape_markdown
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARKER = MARKERS.format("hosts")
PLACE = "<!-- at {} -->"
ROWS, ROWS_END = "<!-- rows ", " -->"
MAX_ROWS = 100
"""Hosts that a comment lists."""
MAX_NOTE = 120
"""Characters of why."""
MAX_BODY = 60_000
"""Characters that a comment takes on any forge."""
WORDS = {"live": "live", "refused": "refused", "held": "held"}


class HostRow(Struct, frozen=True):
    """What one host did with the commit: `state` is `live`, `refused` or `held`, `at` a time in UTC, for people."""

    host: str
    state: str
    commit: str
    at: str
    note: str = ""


def begins_like(body: str, place: str) -> bool:
    """Whether a comment is the one about the configuration at a place in the repository."""
    lines = body.replace("\r\n", "\n").split("\n")
    return lines[0] == MARKER and lines[1:2] == [PLACE.format(place)]


def parse_rows(body: str) -> dict[str, HostRow]:
    """The rows of a comment, by host; none where somebody changed it so that it cannot be read."""
    text = body.rpartition(ROWS)[2].partition(ROWS_END)[0]
    try:
        rows = msgspec.json.decode(text, type=list[HostRow])
    except msgspec.MsgspecError:
        return {}
    return {row.host: row for row in rows[:MAX_ROWS] if row.state in WORDS}


def render_comment(rows: Mapping[str, HostRow], place: str, writer: str) -> str:
    """The comment: a heading that says it, a table, and the rows for the other hosts.

    Of too many rows that of the host which writes is kept, or it would never find what it wrote.
    """
    kept = sorted(rows.values(), key=lambda row: (row.host != writer, row.host))[:MAX_ROWS]
    shown = sorted(kept, key=lambda row: row.host)
    table = _render_table(shown)
    if len(table) > MAX_BODY // 2:
        table = _render_table([replace(row, note="") for row in shown])
    body = f"{MARKER}\n{PLACE.format(place)}\n{_heading(shown)}\n\n{table}\n\n"
    return f"{body}{_pack(kept, MAX_BODY - len(body) - len(ROWS) - len(ROWS_END) - 1)}\n"


def _render_table(rows: Iterable[HostRow]) -> str:
    lines = ["| host | | commit | since |", "|---|---|---|---|"]
    for row in rows:
        commit, at = code_span(short_sha(row.commit)), escape_markdown(row.at)
        lines.append(f"| {escape_markdown(row.host)} | {_state(row)} | {commit} | {at} |")
    return "\n".join(lines)


def _heading(rows: Sequence[HostRow]) -> str:
    counts = {word: sum(row.state == word for row in rows) for word in WORDS}
    total = sum(counts.values())
    said = [f"{word} on {count} of {total} hosts" for word, count in counts.items() if count]
    text = ", ".join(said) if total != 1 else f"{next(word for word, count in counts.items() if count)} on one host"
    return f"### {text[0].upper()}{text[1:]}"


def _state(row: HostRow) -> str:
    note = f": {escape_markdown(row.note, MAX_NOTE)}" if row.note else ""
    return f"**{WORDS[row.state]}**{note}".replace("|", "&#124;")


def _pack(rows: Iterable[HostRow], room: int) -> str:
    """JSON in a comment of HTML, which two hyphens or an angle bracket would end."""
    packed: list[Any] = []
    for row in rows:
        packed.append(msgspec.to_builtins(row))
        if len(_escape(packed)) > room:
            packed.pop()
            break
    return f"{ROWS}{_escape(packed)}{ROWS_END}"


def _escape(value: Any) -> str:
    text = json.dumps(value)
    for character in "-<>":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
