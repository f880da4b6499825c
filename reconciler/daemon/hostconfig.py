"""The host config: settings of the daemon that are kept in git, in the row that the setting `host.system` names.

A value that the row lacks, or that makes no sense, is the default: a daemon has to go on in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from reconciler.errors import UsageError
from reconciler.model.log import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Log, StoreReader

MB = 1024 * 1024
"""Bytes of what the schema calls MB, as Redis and log rotators count them."""
COLUMNS = frozenset({"log_level", "max_log_size_mb", "backup_interval_sec", "sync_interval_sec", "cache_size_mb"})
"""The row is found by its columns: a kind that has these is meant for it, whatever it is called."""
MIN_AMOUNT = 1.0
MAX_AMOUNT = 1e9
"""Past any sense, and far from where a wait or a size would overflow."""


class HostConfig(Struct, frozen=True):
    """How the daemon keeps log, backups, history and cache; the defaults are for a host that names no row.

    Intervals are seconds: between two backups, and between two uploads to the history.
    """

    log_level: Level = Level.INFO
    max_log_size_bytes: int = 64 * MB
    backup_interval: float = 3600.0
    ship_interval: float = 5.0
    cache_bytes: int = 128 * MB


DEFAULT = HostConfig()


class ConfigChange(Struct, frozen=True):
    """A field with another value than before."""

    name: str
    old: float | Level
    new: float | Level


def parse_host_config(row: Mapping[str, Any] | None) -> HostConfig:
    """The host config in the live values of a row, by column; None when there is no such row."""
    row = row or {}
    return HostConfig(
        log_level=_parse_level(row.get("log_level")),
        max_log_size_bytes=int(_parse_amount(row, "max_log_size_mb", DEFAULT.max_log_size_bytes / MB) * MB),
        backup_interval=_parse_amount(row, "backup_interval_sec", DEFAULT.backup_interval),
        ship_interval=_parse_amount(row, "sync_interval_sec", DEFAULT.ship_interval),
        cache_bytes=int(_parse_amount(row, "cache_size_mb", DEFAULT.cache_bytes / MB) * MB),
    )


def diff_host_configs(old: HostConfig, new: HostConfig) -> tuple[ConfigChange, ...]:
    """What differs, in the order of the fields."""
    values = ((field.name, getattr(old, field.name), getattr(new, field.name)) for field in structs.fields(HostConfig))
    return tuple(ConfigChange(name, before, after) for name, before, after in values if before != after)


def _parse_level(word: Any) -> Level:
    try:
        return Level(word)
    except ValueError:
        return DEFAULT.log_level


def _parse_amount(row: Mapping[str, Any], column: str, default: float) -> float:
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return float(value) if MIN_AMOUNT <= value <= MAX_AMOUNT else default  # also for NaN


class HostConfigReader:
    """Reads the host config from the row with a name, and applies it when it changes. For the operations thread."""

    def __init__(self, name: str | None, log: Log) -> None:
        self._name, self._log = name, log
        self._apply: Callable[[HostConfig], None] = lambda config: None
        self.config = DEFAULT

    def on_change(self, apply: Callable[[HostConfig], None]) -> None:
        """Apply the host config, now and whenever it changes."""
        self._apply = apply
        apply(self.config)

    def refresh(self, store: StoreReader, kinds: Kinds) -> None:
        """Read the row. Raises `UsageError` when there is none of that name; the host config of before stands then."""
        if self._name is None:
            return
        row = _find_row(store, kinds, self._name)
        if row is None:
            raise UsageError(
                f"host.system is {self._name}, and no live row that could order a host about goes by that name",
                hint="write its name as in git, or commit it; the orders of before stand",
            )
        config = parse_host_config(row)
        for change in diff_host_configs(self.config, config):
            self._log.event("Obeyed", level=Level.INFO, order=change.name, before=change.old, now=change.new)
        if config != self.config:
            self.config = config
            self._apply(config)


def _find_row(store: StoreReader, kinds: Kinds, name: str) -> Mapping[str, Any] | None:
    for kind in kinds:
        if {column.name for column in kind.columns} >= COLUMNS:
            for row in store.live(kind, name):
                return row.values
    return None
