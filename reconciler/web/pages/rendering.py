"""Templates and what they are filled with. Everything that is not marked as HTML is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reconciler.model import host
from reconciler.report.commits import short_sha
from reconciler.web.eventstream import RESET
from reconciler.web.pages import words
from reconciler.web.pages.chart import chart
from reconciler.web.pages.static import address

if TYPE_CHECKING:
    from collections.abc import Mapping

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
def environment() -> Environment:
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
        "said": words.said,
        "cell": words.cell,
        "isolated": words.isolated,
        "lines": words.lines,
        "marked": words.marked,
        "subject": words.subject,
        "pretty": words.pretty,
        "tone": words.tone,
        "size": words.size,
        "count": words.count,
        "short": short_sha,
        "chart": chart,
    }
    found.globals |= {"to": words.path, "query": words.query, "static": address, "TABS": TABS, "NEWS": NEWS}
    return found


def page(template: str, answer: Mapping[str, Any]) -> str:
    """A page out of an answer; every moment on it is held against the answer's own."""
    now = datetime.fromisoformat(answer["host"]["at"])
    return _rendered(template, answer, now)


def bare(template: str, answer: Mapping[str, Any]) -> str:
    """A page that says nothing about this host."""
    return _rendered(template, {"host": None, **answer}, datetime.now(UTC))


def _rendered(template: str, answer: Mapping[str, Any], now: datetime) -> str:
    return environment().get_template(f"{template}.html").render(answer, when=partial(words.moment, now=now))
