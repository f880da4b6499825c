"""Templates and what they are filled with. Everything that is not marked as HTML is escaped."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reconciler import canonical
from reconciler.history.fate import Fate
from reconciler.kinds.kind import STATUS_FIELD
from reconciler.model import host
from reconciler.report import commits
from reconciler.report.escape import escape_block, escape_line
from reconciler.report.plans import HALTED_HERE, halted_text
from reconciler.report.problems import plural
from reconciler.web import http
from reconciler.web.events import RESET
from reconciler.web.pages.chart import chart
from reconciler.web.pages.responses import html_response, static_address, wants_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response
    from starlette.types import Scope

    from reconciler.web.http import HttpError


TEMPLATES = Path(__file__).parent / "templates"
NEWS = (host.APPLIED, host.REFUSED, host.STATE, host.DRIFT, RESET)
"""The events of `/v1/watch` that a page is made anew for."""
TABS = (
    ("overview", "/", "Overview"),
    ("resources", "/resources", "Resources"),
    ("versions", "/versions", "Versions"),
    ("drift", "/drift", "Drift"),
    ("sessions", "/sessions", "Sessions"),
    ("events", "/events", "Events"),
    ("host", "/host", "Host"),
)


@lru_cache(maxsize=1)
def load_environment() -> Environment:
    """The templates of this package. A name that nothing stands behind is an error, not an empty place."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {
        "said": format_value,
        "cell": format_cell,
        "isolated": isolate,
        "lines": isolate_lines,
        "marked": mark_code,
        "prose": format_prose,
        "counted": plural,
        "arranged": arrange_fields,
        "stays_off": format_halted,
        "subject": format_subject,
        "pretty": format_json,
        "tone": tone,
        "size": format_size,
        "count": format_count,
        "short": commits.short_sha,
        "chart": chart,
        "changed": has_changed,
    }
    found.globals |= {"to": page_address, "query": page_query, "static": static_address, "TABS": TABS, "NEWS": NEWS}
    return found


def render_page(template: str, answer: Mapping[str, Any]) -> str:
    """A page out of an answer; every moment on it is held against the answer's own."""
    now = datetime.fromisoformat(answer["host"]["at"])
    return _render(template, answer, now)


def render_bare(template: str, answer: Mapping[str, Any]) -> str:
    """A page that says nothing about this host."""
    return _render(template, {"host": None, **answer}, datetime.now(UTC))


def _render(template: str, answer: Mapping[str, Any], now: datetime) -> str:
    return load_environment().get_template(f"{template}.html").render(answer, when=partial(format_moment, now=now))


QUOTED = re.compile(r"`([^`\s](?:[^`\n]*[^`\s])?)`")
"""Code in a sentence: a pair of backquotes, close to what is between them."""
ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CELL = 120
"""Characters of a value in a table of many rows; pages about one thing show all of it."""
UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
SIZES = ("bytes", "KB", "MB", "GB", "TB")
KILO = 1024
NOTHING = "–"  # noqa: RUF001  what stands for no value is a dash as wide as a digit
TONES = {
    "good": {
        "Synced",
        "Healthy",
        "VALID",
        "ACTIVE",
        "create",
        "applied",
        "drift-healed",
        "drift-gone",
        "resumed",
        "live",
    },
    "bad": {"Degraded", "INVALID", "refused", "delete", "error", "drift-found", "missing", "stuck"},
    "warn": {
        "OutOfSync",
        "Suspended",
        "INACTIVE",
        "ORPHANED",
        "orphaned",
        "warning",
        "suspended",
        "extra",
        "restored",
        "held",
    },
    "busy": {"Progressing", "update", "changed", Fate.PENDING},
}


def format_halted(op: str, halted: Mapping[str, Any]) -> str:
    """`stays INACTIVE until release`, beside a mark that says that it is halted."""
    return halted_text(op, halted).removeprefix(HALTED_HERE)


def format_value(value: Any) -> Markup:
    """A value of a row: canonical, in one line."""
    return isolate(_plain_text(value))


def format_cell(value: Any) -> Markup:
    """The same, cut where it is too long for a table."""
    text = _plain_text(value)
    return isolate(text if len(text) <= CELL else f"{text[:CELL]}…")


def isolate(text: object) -> Markup:
    """Somebody else's text on one line."""
    return Markup("<bdi>{}</bdi>").format(escape_line(str(text)))


def isolate_lines(text: object) -> Markup:
    """Somebody else's text on as many lines as it has."""
    return Markup("<bdi>{}</bdi>").format(escape_block(str(text).strip()))


def mark_code(text: str) -> Markup:
    """A sentence of ours, with what stands in backquotes as code."""
    parts = (escape(part) for part in QUOTED.split(text))
    return Markup("").join(Markup("<code>{}</code>").format(one) if odd % 2 else one for odd, one in enumerate(parts))


def format_prose(text: object) -> Markup:
    """A message or hint, which may repeat somebody's text: on one line, with what stands in backquotes as code."""
    return Markup("<bdi>{}</bdi>").format(mark_code(escape_line(str(text))))


def format_subject(message: str) -> Markup:
    """The first line of a commit message."""
    return isolate(commits.subject_line(message) or "(no message)")


def format_json(value: Any) -> Markup:
    """JSON for people."""
    return Markup("<bdi>{}</bdi>").format(escape_block(json.dumps(value, indent=2, ensure_ascii=False)))


def format_moment(text: str | None, now: datetime) -> Markup:
    """A moment, to the second and in UTC, and beside it how long ago that was."""
    if not text:
        return escape(NOTHING)
    at = canonical.utc(datetime.fromisoformat(text))
    return Markup('<time datetime="{}"><span class="at">{}</span> <span class="ago">{}</span></time>').format(
        canonical.timestamp(at), at.strftime("%Y-%m-%d %H:%M:%S UTC"), format_age(at, now)
    )


def format_age(at: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit. Within a minute it is now: so a page stays as it is."""
    seconds = (now.astimezone(UTC) - at).total_seconds()
    for size, unit in UNITS:
        if abs(seconds) >= size:
            number = int(abs(seconds) / size)
            return f"{number} {unit} ago" if seconds > 0 else f"in {number} {unit}"
    return "just now" if seconds >= 0 else "in a moment"


def arrange_fields(fields: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The fields of a change: the state first, ids last."""
    return sorted(fields, key=lambda one: (one["field"] != STATUS_FIELD, _is_id(one["new"]) or _is_id(one["old"])))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def has_changed(version: Mapping[str, Any]) -> bool:
    """Whether the changes of a commit went live, with it or with a later one."""
    return version["status"] == "VALID" and version.get("fate") not in commits.NOT_LIVE


def tone(word: Any) -> str:
    """How a state looks: good, bad, warn, busy; plain for what is none of these."""
    return next((name for name, words in TONES.items() if word in words), "plain")


def format_size(number: int) -> str:
    """Bytes."""
    found, unit = float(number), 0
    while found >= KILO and unit < len(SIZES) - 1:
        found, unit = found / KILO, unit + 1
    return f"{found:,.0f} {SIZES[unit]}" if unit == 0 else f"{found:,.1f} {SIZES[unit]}"


def format_count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def page_address(*parts: object) -> str:
    """An address of this server. What is a name in it stays a name, whatever is in that."""
    return "/" + "/".join(quote(str(part), safe="").replace(".json", "%2Ejson") for part in parts)


def page_query(**parameters: object) -> str:
    """The parameters of an address, those that say something."""
    told = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(told)}" if told else ""


def _plain_text(value: Any) -> str:
    return NOTHING if value is None else canonical.text(value)


def error_response(error: HttpError, scope: Scope) -> Response:
    """An error as an answer to a request: as a page where a browser asked for one, else the one error body."""
    return error_page(error, {"host": None}) if wants_page(scope) else http.error_response(error)


def error_page(error: HttpError, page: Mapping[str, Any]) -> Response:
    """An error as a page; `page` has the heading, if this client may see it."""
    shown = {"status": error.status, "code": error.code, "message": str(error), "hint": error.hint}
    render = render_page if page["host"] else render_bare
    return html_response(render("error", {**page, "error": shown}), error.status, error.headers)
