"""The daemon obeys a row of its own configuration: what it orders counts as soon as the row is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.daemon.obeying import COLUMNS, DEFAULT, changes, orders
from reconciler.errors import UsageError
from reconciler.model.level import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from reconciler.daemon.obeying import Orders
    from reconciler.kinds.registry import Kinds
    from reconciler.ports import Log, StoreReader


class Obedience:
    """For the operations thread."""

    def __init__(self, name: str | None, log: Log) -> None:
        self._name, self._log = name, log
        self._apply: Callable[[Orders], None] = lambda orders: None
        self.orders = DEFAULT

    def hear(self, apply: Callable[[Orders], None]) -> None:
        """Carry orders out: those of now, and others as soon as there are any."""
        self._apply = apply
        apply(self.orders)

    def heed(self, store: StoreReader, kinds: Kinds) -> None:
        """Look at the row. Raises `UsageError` when there is none of that name; the orders of before stand then."""
        if self._name is None:
            return
        values = _row(store, kinds, self._name)
        if values is None:
            raise UsageError(
                f"host.system is {self._name}, and no live row that could order a host about goes by that name",
                hint="write its name as in git, or commit it; the orders of before stand",
            )
        found = orders(values)
        for change in changes(self.orders, found):
            self._log.event("Obeyed", level=Level.INFO, order=change.name, before=change.old, now=change.new)
        if found != self.orders:
            self.orders = found
            self._apply(found)


def _row(store: StoreReader, kinds: Kinds, name: str) -> Mapping[str, Any] | None:
    for kind in kinds:
        if {column.name for column in kind.columns} >= COLUMNS:
            for row in store.live(kind, name):
                return row.values
    return None
