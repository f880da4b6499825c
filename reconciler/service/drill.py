"""A drill of a halt: on a copy of some rows, with a file and a store of its own, beside the real ones."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.machine import explain_os_error
from reconciler.errors import ReconcilerError, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.model.change import RowId
from reconciler.model.commit import Commit, Signature, StoreUpdate
from reconciler.model.halt import Halt, HaltSelector
from reconciler.report.halts import Drilled
from reconciler.service.halts import haltable_kinds
from reconciler.service.kinds import known_kinds
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.ports import Clock
    from reconciler.reconcile.rules import BundledSchemas

MOST_ROWS = 500
"""Rows that are copied: a drill costs the same on every host."""
EVERYTHING = HaltSelector()
REASON = "a drill"


def drill_halts(rows: DuckDBReader | None, bundled: BundledSchemas, state: Path, clock: Clock) -> Drilled:
    """Copy some rows, halt all, release all, and compare. What goes wrong is in the answer.

    The copy is in the state folder: what is proven is this disk. Raises `UsageError` where there are no rows.
    """
    kinds = Kinds(haltable_kinds(known_kinds(rows, bundled), bundled.kinds))
    copied = _copy_rows(rows, kinds) if rows is not None else ()
    if not copied:
        raise UsageError("there are no rows to drill with", hint="nothing is live, or no kind can be halted")
    began, at, halted_in, error = time.perf_counter(), clock.now(), 0.0, ""
    try:
        with tempfile.TemporaryDirectory(prefix=".drill-", dir=state) as folder:
            halted_in, error = _drill(Path(folder), kinds, copied, clock)
    except OSError as failure:
        error = str(explain_os_error("the copy cannot be written", failure))
    except ReconcilerError as failure:
        error = str(failure)
    return Drilled(
        at=canonical.timestamp(at),
        rows=len(copied),
        seconds=round(time.perf_counter() - began, 3),
        halted_in=round(halted_in, 3),
        error=error,
    )


def drill_detail(drilled: Drilled, by: str) -> dict[str, Value]:
    """What its host event says."""
    return {"actor": by, "rows": drilled.rows, "seconds": drilled.seconds, "error": drilled.error}


def _copy_rows(rows: DuckDBReader, kinds: Kinds) -> tuple[Row, ...]:
    haltable = {kind.name for kind in kinds if kind.halt}
    found = (row for row in rows.base(kinds).rows() if row.removed is None and row.resource.kind in haltable)
    return tuple(replace(row, halted={}) for row in islice(found, MOST_ROWS))


def _drill(folder: Path, kinds: Kinds, copied: tuple[Row, ...], clock: Clock) -> tuple[float, str]:
    """Seconds from the halt until the rows were off, and what went wrong."""
    now, file = clock.now(), HaltFile(folder)
    nobody = Signature("drill", "", now)
    commit = Commit("0" * 40, (), nobody, nobody, REASON)
    with closing(open_store(folder, clock)) as store:
        store.replace(kinds, StoreUpdate(commit, 1, canonical.digest(REASON), copied, (), len(copied), 0, 0))
        before = _live(store, kinds)
        asked = time.perf_counter()
        store.obey(kinds, file.change(lambda halts: halts.add(Halt("0" * 8, EVERYTHING, REASON, REASON, now))))
        took = time.perf_counter() - asked
        on = [
            row_id for row_id, values in _live(store, kinds).items() if not _is_off(kinds.by_name[row_id.kind], values)
        ]
        if on:
            return took, f"{len(on)} of {len(copied)} rows stayed on, such as {on[0].kind} {on[0].id}"
        store.obey(kinds, file.change(lambda halts: halts.release(EVERYTHING, REASON, REASON, now)))
        if _live(store, kinds) != before:
            return took, "after the release the rows were not as before"
    return took, ""


def _live(store: DuckDBStore, kinds: Iterable[Kind]) -> dict[RowId, Mapping[str, Value]]:
    from_kinds = ((kind, row) for kind in kinds if kind.halt for row in store.live(kind))
    return {RowId(kind.name, str(row.values[kind.key])): row.values for kind, row in from_kinds}


def _is_off(kind: Kind, values: Mapping[str, Value]) -> bool:
    return all(values.get(name) == wanted for name, wanted in kind.halt.items())
