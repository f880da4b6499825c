"""The past for pages. One that is off or away keeps no page from showing what else there is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from reconciler.answers import to_json
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history import points
from reconciler.report.commits import build_version
from reconciler.report.pages import build_days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.wiring.host import Parts

    Answer = dict[str, Any]
    Asked = Mapping[str, str]

FLUSH = 2.0
"""Seconds that a page waits for what is on its way to the history."""
DAYS, RECENT = 30, 8
"""Days of the chart, and commits beside it."""
STEPS = (50, 200, 1000)
"""How many versions the page of versions may show."""
MOST_CHANGES = 300
"""Changes of a commit that its page tells; of a larger one it gives the numbers only."""


def without(error: ReconcilerError) -> Answer:
    """Why there is no history to show."""
    return {"message": str(error), "hint": error.hint}


def lately(parts: Parts) -> Answer:
    """The newest commits, and what the last days changed."""
    today = parts.clock.now().astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    told: Answer = {"recent": [], "activity": None, "without_history": None}
    parts.shipment.flush(FLUSH)
    try:
        opened = parts.past.ledger()
        if opened is None:
            raise _off()
        with opened() as ledger:
            told["recent"] = [to_json(build_version(one)) for one in ledger.versions(limit=RECENT)]
            days = ledger.activity(datetime.combine(first, time(), UTC))
            told["activity"] = {
                "since": first.isoformat(),
                "until": today.isoformat(),
                "days": build_days(day for day in days if day.day <= today),
            }
    except ReconcilerError as error:
        told["without_history"] = without(error)
    return told


def versions(parts: Parts, asked: Asked) -> Answer:
    """The newest versions that filters let through, and whether there are more."""
    told = asked.get("limit", str(STEPS[0]))
    if told not in map(str, STEPS):
        raise UsageError("limit is none of the steps", hint=f"there are: {', '.join(map(str, STEPS))}")
    limit = int(told)
    filters = {name: text.strip() for name, text in asked.items() if name != "limit" and text.strip()}
    answer: Answer = {"filters": filters, "limit": limit, "more": None, "versions": [], "orphaned": 0}
    parts.shipment.flush(FLUSH)
    if parts.past.ledger() is None:
        return answer | {"without_history": without(_off())}
    found = parts.past.versions(limit + 1, filters)
    more = next((step for step in STEPS if step > limit), None) if len(found["versions"]) > limit else None
    shown = found["versions"][:limit]
    return answer | {"more": more, "versions": shown, "orphaned": found["orphaned"], "without_history": None}


def version(parts: Parts, revision: str) -> Answer:
    """A version, and what it changed unless that is too much for a page."""
    parts.shipment.flush(FLUSH)
    opened = parts.past.ledger()
    if opened is None:
        raise _off()
    with opened() as ledger:
        found = points.known(ledger, revision, parts.past.resolve)
    if found.creates + found.updates + found.deletes > MOST_CHANGES:
        return {"version": to_json(build_version(found)), "changes": [], "cut": True}
    return {**parts.past.version(found.commit.sha), "cut": False}


def _off() -> UsageError:
    return UsageError("this host keeps no history", hint="set history.url to chdb or a ClickHouse server")
