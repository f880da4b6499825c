"""Sessions for pages: who is signed in, as Redis says, by the names that git gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcilerError
from reconciler.model.resource import RowId
from reconciler.reconcile.rules import stored_kinds
from reconciler.wiring.redis import layout, server_url, sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.model.live import Session
    from reconciler.settings import Settings

    Answer = dict[str, Any]

OWNERS, EACH = 200, 10
"""Owners that the page shows, and sessions of each, the one used last first."""
OWNER = "owner"


def listed(settings: Settings, state: Path, keeper: Keeper, asked: Mapping[str, str]) -> Answer:
    """The sessions of those who may have active ones, or of one owner."""
    from reconciler.adapters.redis.connection import connect

    owner = asked.get(OWNER, "").strip()
    answer: Answer = {"kind": layout().owner_kind, OWNER: owner, "owners": [], "more": 0, "without_sessions": None}
    try:
        url = server_url(settings, lambda: state)
        with connect(url) as link:
            found = sessions(link, settings)
            known = _called(keeper, owner) if owner else found.owners()
            pages = {one: found.page(one, EACH) for one in sorted(known)[:OWNERS]}
    except ReconcilerError as error:
        return answer | {"without_sessions": {"message": str(error), "hint": error.hint}}
    names = _names(keeper, pages)
    owners = [
        {
            "id": one,
            "name": names.get(one),
            "sessions": [_session(session) for session in page.sessions],
            "more": page.after is not None,
        }
        for one, page in pages.items()
        if page.sessions
    ]
    owners.sort(key=lambda one: str(one["name"] or one["id"]))
    return answer | {"owners": owners, "more": max(0, len(known) - OWNERS)}


def _session(session: Session) -> Answer:
    told: Answer = dict(layout().record(session))
    return {name: value for name, value in told.items() if name != layout().owner_column}


def _called(keeper: Keeper, name: str) -> tuple[str, ...]:
    """The key of the owner who goes by a name or an id; none when nobody does."""
    with keeper.reading() as reader:
        kind = stored_kinds(reader.kinds()).find(layout().owner_kind)
        return tuple(str(row.values[kind.key]) for row in reader.live(kind, name)[:1]) if kind else ()


def _names(keeper: Keeper, ids: Iterable[str]) -> dict[str, str]:
    with keeper.reading() as reader:
        kinds = stored_kinds(reader.kinds())
        base = reader.base(kinds)
        rows = ((one, base.row(RowId(layout().owner_kind, one))) for one in ids)
        return {one: row.resource.name for one, row in rows if row is not None}
