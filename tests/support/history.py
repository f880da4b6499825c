"""What a ledger says of one kind at one height of the mainline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.names import recorded_name
from reconciler.model.rows import HistoryPoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind
    from reconciler.ports import LedgerReader


def state_at(ledger: LedgerReader, kind: Kind, height: int) -> tuple[Mapping[str, Value], ...]:
    """Each row of a kind as of a mainline height, in order of the key column: `op` and the desired table's columns."""
    return tuple(
        {recorded_name(kind, "op"): row.op, **row.values} for row in ledger.rows_at(kind, HistoryPoint(height))
    )
