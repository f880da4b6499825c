"""Values as people read them on a page. Whatever others wrote is escaped, isolated in its direction, and visible."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from reconciler import canonical
from reconciler.report.commits import subject_line
from reconciler.report.escape import escape_block, escape_line

CELL = 120
"""Characters of a value in a table of many rows; pages about one thing show all of it."""
UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
SIZES = ("bytes", "KB", "MB", "GB", "TB")
KILO = 1024
NOTHING = "–"  # noqa: RUF001  what stands for no value is a dash as wide as a digit
TONES = {
    "good": {"Synced", "Healthy", "VALID", "ACTIVE", "create", "applied", "drift-healed", "drift-gone", "resumed"},
    "bad": {"Degraded", "INVALID", "refused", "delete", "error", "drift-found", "missing", "stuck"},
    "warn": {"OutOfSync", "Suspended", "INACTIVE", "ORPHANED", "orphaned", "warning", "suspended", "extra", "restored"},
    "busy": {"Progressing", "update", "changed"},
}


def said(value: Any) -> Markup:
    """A value of a row: canonical, in one line."""
    return isolated(_text(value))


def cell(value: Any) -> Markup:
    """The same, cut where it is too long for a table."""
    text = _text(value)
    return isolated(text if len(text) <= CELL else f"{text[:CELL]}…")


def isolated(text: object) -> Markup:
    """Somebody else's text on one line."""
    return Markup("<bdi>{}</bdi>").format(escape_line(str(text)))


def lines(text: object) -> Markup:
    """Somebody else's text on as many lines as it has."""
    return Markup("<bdi>{}</bdi>").format(escape_block(str(text).strip()))


def marked(text: str) -> Markup:
    """A sentence of ours, with what stands in backquotes as code."""
    parts = (escape(part) for part in text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(one) if odd % 2 else one for odd, one in enumerate(parts))


def subject(message: str) -> Markup:
    """The first line of a commit message."""
    return isolated(subject_line(message) or "(no message)")


def pretty(value: Any) -> Markup:
    """JSON for people."""
    return Markup("<bdi>{}</bdi>").format(escape_block(json.dumps(value, indent=2, ensure_ascii=False)))


def moment(text: str | None, now: datetime) -> Markup:
    """A moment, to the second and in UTC, and beside it how long ago that was."""
    if not text:
        return escape(NOTHING)
    at = canonical.utc(datetime.fromisoformat(text))
    return Markup('<time datetime="{}"><span class="at">{}</span> <span class="ago">{}</span></time>').format(
        canonical.timestamp(at), at.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(at, now)
    )


def ago(at: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit. Within a minute it is now: so a page stays as it is."""
    seconds = (now.astimezone(UTC) - at).total_seconds()
    for size, unit in UNITS:
        if abs(seconds) >= size:
            number = int(abs(seconds) / size)
            return f"{number} {unit} ago" if seconds > 0 else f"in {number} {unit}"
    return "just now" if seconds >= 0 else "in a moment"


def tone(word: Any) -> str:
    """How a state looks: good, bad, warn, busy; plain for what is none of these."""
    return next((name for name, words in TONES.items() if word in words), "plain")


def size(number: int) -> str:
    """Bytes."""
    found, unit = float(number), 0
    while found >= KILO and unit < len(SIZES) - 1:
        found, unit = found / KILO, unit + 1
    return f"{found:,.0f} {SIZES[unit]}" if unit == 0 else f"{found:,.1f} {SIZES[unit]}"


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def path(*parts: object) -> str:
    """An address of this server. What is a name in it stays a name, whatever is in that."""
    return "/" + "/".join(quote(str(part), safe="").replace(".json", "%2Ejson") for part in parts)


def query(**parameters: object) -> str:
    """The parameters of an address, those that say something."""
    told = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(told)}" if told else ""


def _text(value: Any) -> str:
    return NOTHING if value is None else canonical.text(value)
