"""The rules of commits that went live, in the store: written in the transaction of the first such commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.model.keptrules import KeptRules

if TYPE_CHECKING:
    from reconciler.adapters.duckdb.connection import StoreConnection

KEPT = 50
"""Rules that are kept: those that were written last."""


def kept_ids(connection: StoreConnection) -> frozenset[str]:
    """The ids of all rules that are kept."""
    return frozenset(one for (one,) in connection.execute("SELECT id FROM gitops.rules").fetchall())


def find_rules(connection: StoreConnection, rules_id: str) -> KeptRules | None:
    """Rules of this id. Raises `NeedsHuman` for what was altered."""
    record = fetch_first(connection, "SELECT files FROM gitops.rules WHERE id = ?", rules_id)
    return None if record is None else KeptRules.decode(record[0])


def keep_rules(connection: StoreConnection, rules: KeptRules) -> None:
    """Keep some more, in place of the oldest where there are many."""
    connection.execute(
        "INSERT INTO gitops.rules SELECT coalesce(max(number), 0) + 1, ?, ? FROM gitops.rules",
        [rules.id, rules.encode()],
    )
    connection.execute("DELETE FROM gitops.rules WHERE number <= (SELECT max(number) FROM gitops.rules) - ?", [KEPT])
