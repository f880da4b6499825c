"""What a question to store or ledger is answered with, as a JSON object: the same with and without a daemon."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from reconciler.answers import Restored, to_json
from reconciler.errors import RefusedError, UsageError
from reconciler.model.drift import MAX_REPORTED
from reconciler.reconcile.rules import stored_kinds
from reconciler.report.commits import build_applied
from reconciler.report.rows import build_rows
from reconciler.report.status import build_suspension, suspension_line
from reconciler.wiring.program import known_kinds

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.commit import Applied
    from reconciler.model.drift import Drifts
    from reconciler.model.host import Suspension
    from reconciler.ports import Store, StoreReader

    Answer = dict[str, Any]


def rows(store: StoreReader | None, word: str, name: str | None) -> Answer:
    """The live rows of a kind in order of name, or the one that goes by a name.

    Raises `UsageError` with the nearest kind or name when there is none.
    """
    kind = found_kind(known_kinds(store), word)
    found = store.live(kind, name) if store else ()
    if name is not None and not found:
        others = store.live(kind) if store else ()
        close = difflib.get_close_matches(name, [row.name for row in others], n=1)
        hint = f"did you mean {close[0]}?" if close else f"see `reconciler get {kind.name.lower()}`"
        raise UsageError(f"no {kind.name} {name} is live", hint=hint)
    return to_json(build_rows(kind, found if name is None else found[:1]))


def page(store: DuckDBReader, word: str, limit: int, after: tuple[str, str] | None) -> Answer:
    """So many live rows of a kind after a place, and where to go on. Raises `UsageError` when there is no such kind."""
    kind = found_kind(known_kinds(store), word)
    found = store.live_after(kind, after, limit + 1)
    told = to_json(build_rows(kind, found[:limit]))
    last = found[limit - 1] if len(found) > limit else None
    place = last and (last.name, str(last.values[kind.key]))
    return {**told, "next": place}


def found_kind(kinds: Kinds, word: str) -> Kind:
    """The kind somebody means. Raises `UsageError` with the nearest one when there is none."""
    found = kinds.find(word)
    if found is None:
        names = [kind.name for kind in kinds]
        close = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
        raise UsageError(f"there is no kind {word}", hint=hint)
    return found


def healed(store: Store) -> Drifts:
    """Put right all that drifted, so many rows in each transaction; gives what was found."""
    kinds = stored_kinds(store.kinds())
    found = store.drift(kinds)
    for _ in range(0, found.total, MAX_REPORTED):
        store.heal(kinds)
    return found


def restored(applied: Applied | None, aside: Path | None) -> Answer:
    """What a restore came to: the commit that is live now, and where the store before is kept."""
    return to_json(Restored(applied=build_applied(applied), aside=str(aside) if aside else None))


def suspension_refusal(suspension: Suspension) -> RefusedError:
    """Why nothing was reconciled."""
    told = suspension_line(build_suspension(suspension))
    hint = "`reconciler resume` ends it, `reconciler sync --force` reconciles this once"
    return RefusedError(f"reconciling is suspended {told}; no row was changed", hint=hint)


def resumed(store: Store, by: str) -> Suspension | None:
    """End a suspension; gives the one that held, None when none did."""
    store.expire()
    return store.resume(by)
