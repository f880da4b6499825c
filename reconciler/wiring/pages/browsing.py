"""Live rows for pages: kinds, searches, one row beside what git says, drift."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.answers import to_json
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.resource import Key, RowId
from reconciler.model.rows import Search
from reconciler.reconcile.rules import stored_kinds
from reconciler.report.drift import build_drift
from reconciler.report.pages import build_kind_details, build_row_comparison, build_search_page, filter_choices
from reconciler.wiring.answers import found_kind
from reconciler.wiring.pages.past import FLUSH, without
from reconciler.wiring.program import known_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.wiring.host import Parts

    Answer = dict[str, Any]
    Asked = Mapping[str, str]

PAGE = 100
SHOWN = 40
"""Characters of a parameter that an error repeats."""
NUMBER = re.compile("[1-9][0-9]{0,6}", re.ASCII)
TIMELINE = 50
"""Changes of a resource that its page tells."""


def kinds(keeper: Keeper) -> Answer:
    """The kinds, and how many live rows each has."""
    with keeper.reading() as reader:
        counts = reader.counts()
        return {
            "kinds": [{**build_kind_details(kind), "rows": counts.get(kind.name, 0)} for kind in known_kinds(reader)]
        }


def rows(keeper: Keeper, word: str, asked: Asked) -> Answer:
    """A page of the live rows of a kind, those that a search finds."""
    with keeper.reading() as reader:
        kind = found_kind(known_kinds(reader), word)
        search = _search(kind, asked)
        number, found = reader.found(kind, search)
        return build_search_page(kind, search, number, found)


def resource(parts: Parts, word: str, name: str) -> Answer:
    """A live row beside what git says, with its history and who set each field.

    What is neither live nor declared may have been: then it has a history.
    """
    with parts.keeper.reading() as reader:
        kind = found_kind(known_kinds(reader), word)
        live = next(iter(reader.live(kind, name)), None)
        declared = _declared(reader, kind, name, None if live is None else str(live.values[kind.key]))
        answer = build_row_comparison(kind, live.name if live else name, live, declared)
    parts.shipment.flush(FLUSH)
    past = _past(parts, kind, answer)
    if live is None and declared is None and not past["changes"]:
        raise UsageError(f"there is no {kind.name} {name}", hint=f"see the list of every {kind.name}")
    return answer | past


def drift(keeper: Keeper) -> Answer:
    """Where the live rows are not what git says."""
    with keeper.reading() as reader:
        return to_json(build_drift(reader.drift(stored_kinds(reader.kinds()))))


def _declared(reader: DuckDBReader, kind: Kind, name: str, id_: str | None) -> Row | None:
    base = reader.base(stored_kinds(reader.kinds()))
    if id_ is not None:
        return base.row(RowId(kind.name, id_))
    found = next(iter(base.by_name(Key(kind.name, name))), None)
    return base.row(found.row_id) if found else None


def _past(parts: Parts, kind: Kind, answer: Answer) -> Answer:
    told: Answer = {"changes": [], "blame": {}, "without_history": None}
    name = answer["id"] or answer["name"]
    try:
        told["changes"] = parts.past.history(kind.name, name, TIMELINE)["changes"]
        if answer["live"]:
            told["blame"] = {one["field"]: one for one in parts.past.blame(kind.name, name)["fields"]}
    except UsageError as error:
        told["without_history"] = without(error) if parts.past.ledger() is None else None
    except ReconcilerError as error:
        told["without_history"] = without(error)
    return told


def _search(kind: Kind, asked: Asked) -> Search:
    known = filter_choices(kind)
    unknown = sorted(asked.keys() - known.keys() - {"q", "page"})
    if unknown:
        raise UsageError(f"there is no filter {unknown[0][:SHOWN]}", hint=f"there are: {', '.join(('q', *known))}")
    page = asked.get("page", "1")
    if not NUMBER.fullmatch(page):
        raise UsageError(f"there is no page {page[:SHOWN]}", hint="write a number from 1 on")
    equals = {field: asked[field] for field in known if asked.get(field)}
    return Search(asked.get("q", "").strip(), equals, (int(page) - 1) * PAGE, PAGE)
