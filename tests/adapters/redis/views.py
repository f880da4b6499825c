"""Writes of the live view for tests, and what a view answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.model.change import Op
from reconciler.model.live import Use, ViewMark, ViewWrite

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection
    from reconciler.redisports import Cache

MB = 1024 * 1024


class LookUp(Protocol):
    """A view that can be read: the row as JSON by name, the name by id."""

    def look_up(self, kind: str, name: str) -> str | None:
        """A row as JSON."""
        ...

    def name_of(self, kind: str, row_id: str) -> str | None:
        """The name of the row with an id."""
        ...


class RedisLookUp:
    """What is written under the contract's keys."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def look_up(self, kind: str, name: str) -> str | None:
        """The row under its key."""
        text = self._link.ask("GET", f"config:{kind}:{name}")
        return None if text is None else text.decode()

    def name_of(self, kind: str, row_id: str) -> str | None:
        """The name under the id's key."""
        name = self._link.ask("GET", f"config:{kind}:id:{row_id}")
        return None if name is None else name.decode()


def mark(number: int) -> ViewMark:
    """A commit's mark."""
    return ViewMark(f"{number:040x}", f"{number:064x}", number)


def write(name: str, row_id: str, value: object = 1, use: Use = Use.LIVE, changed: int = 0) -> ViewWrite:
    """A row that is created or changed; value None takes it away."""
    text = None if value is None else f'{{"value":"{value}"}}'
    return ViewWrite(Op.DELETE if value is None else Op.UPDATE, "user", name, row_id, text, use, changed)


def fill(cache: Cache, number: int) -> list[ViewWrite]:
    """So many rows at commit 1, the later the more recently changed."""
    writes = [write(f"u{one:05}", f"id{one:05}", changed=one) for one in range(number)]
    cache.rebuild(writes, mark(1))
    return writes
