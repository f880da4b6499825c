"""What the page of events shows: host events in words, those of one name, those before one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.rows import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED
from reconciler.report.pages import build_host_events
from reconciler.service.past import open_past
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.model.host import HostEvent
    from reconciler.service.context import Context

    Page = dict[str, Any]

EVENTS_PAGE = 50
EVENT_NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)
RECENT_DRIFT = 10
"""Events about drift on its page: each may have a megabyte."""
REPEATED = 40
"""Characters of a parameter that an error repeats."""


def list_events(context: Context, query: Mapping[str, str]) -> Page:
    """The newest events, or those before one; with `event`, those of this name.

    The history is asked who wrote the commits when the store is free again: it may take long.
    """
    with context.open_rows() as store:
        assert store is not None  # a daemon makes it
        shown, page = _read_events(store, query)
    return page | {"events": build_host_events(shown, _find_authors(context, shown))}


def _read_events(store: DuckDBReader, query: Mapping[str, str]) -> tuple[Sequence[HostEvent], Page]:
    before, only = query.get("before", ""), query.get("event", "")
    if before and not EVENT_NUMBER.fullmatch(before):
        raise UsageError("before is no event's number", hint="leave it away to see the newest")
    names = store.event_names()
    if only and only not in names:
        raise UsageError(f"there is no event {only[:REPEATED]} here", hint=suggest(only[:REPEATED], names))
    found = store.events(EVENTS_PAGE + 1, int(before) if before else None, [only] if only else ())
    shown, more = found[:EVENTS_PAGE], len(found) > EVENTS_PAGE
    return shown, {
        "event": only,
        "names": list(names),
        "before": int(before) if before else None,
        "more": shown[-1].seq if more else None,
    }


def list_drift_events(store: DuckDBReader) -> list[Page]:
    """The newest events about drift."""
    return build_host_events(store.events(RECENT_DRIFT, only=(DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE)), {})


def _find_authors(context: Context, events: Sequence[HostEvent]) -> dict[str, str]:
    """Who wrote the commits of some events: of the history where there is one, else of git; as far as they know."""
    wanted = {event.commit for event in events if event.commit}
    try:
        if not wanted:
            return {}
        if not context.keeps_history:
            return _authors_in_git(context, wanted)
        with open_past(context) as past:
            return {one.commit.sha: one.commit.author.name for one in past.ledger.find_by_sha(wanted)}
    except ReconcilerError:  # the events are there all the same
        return {}


def _authors_in_git(context: Context, wanted: Collection[str]) -> dict[str, str]:
    with context.open_planner() as (planner, _):
        source = planner.source
        return {sha: source.commit(sha).author.name for sha in sorted(wanted) if source.has_commit(sha)}
