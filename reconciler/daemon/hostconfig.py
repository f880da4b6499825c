"""What the configuration repository orders the daemon itself to do, from the row that the setting `host.system` names.

Pure. Whatever a row lacks or has no sense in is what it would be without a row: a daemon has to go on in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError
from reconciler.model.host import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Log, StoreReader

MB = 1024 * 1024
"""Bytes of what the schema calls MB, as Redis and log rotators count them."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How the daemon keeps log, backups, history and cache; the defaults are for a host that names no row.

    Intervals are seconds: between two backups, and between two shipments to the history.
    """

    log_level: Level = Level.INFO
    max_log_size_bytes: int = 64 * MB
    backup_interval: float = 3600.0
    ship_interval: float = 5.0
    cache_bytes: int = 128 * MB


@dataclass(frozen=True, slots=True)
class Changed:
    """One order that is another one now."""

    name: str
    old: float | Level
    new: float | Level


DEFAULT = Orders()

COLUMNS = frozenset({"log_level", "max_log_size_mb", "backup_interval_sec", "sync_interval_sec", "cache_size_mb"})
"""What a row has that gives orders: a kind with these columns is meant for it, whatever it is called."""


def orders(row: Mapping[str, Any] | None) -> Orders:
    """The orders in the live values of a row, by column; None when there is no such row."""
    row = row or {}
    return Orders(
        log_level=_level(row.get("log_level")),
        max_log_size_bytes=int(_amount(row, "max_log_size_mb", DEFAULT.max_log_size_bytes / MB) * MB),
        backup_interval=_amount(row, "backup_interval_sec", DEFAULT.backup_interval),
        ship_interval=_amount(row, "sync_interval_sec", DEFAULT.ship_interval),
        cache_bytes=int(_amount(row, "cache_size_mb", DEFAULT.cache_bytes / MB) * MB),
    )


def changes(old: Orders, new: Orders) -> tuple[Changed, ...]:
    """What differs, in the order of the fields."""
    pairs = ((one.name, getattr(old, one.name), getattr(new, one.name)) for one in fields(Orders))
    return tuple(Changed(name, before, after) for name, before, after in pairs if before != after)


def _level(word: Any) -> Level:
    try:
        return Level(word)
    except ValueError:
        return DEFAULT.log_level


SMALLEST = 1.0
LARGEST = 1e9
"""Past any sense, and far from where a wait or a size would overflow."""


def _amount(row: Mapping[str, Any], column: str, otherwise: float) -> float:
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    return float(value) if SMALLEST <= value <= LARGEST else otherwise  # not a number is neither


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
