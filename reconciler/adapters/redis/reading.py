"""The live view as other programs read it: a row by name, and what changes. Nothing is ever written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.adapters.redis.cache import row_key
from reconciler.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.redis.link import Link

STREAM = "config:changes"
NEVER = "0-0"
MOST = 500
"""Changes that are read at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream of changes; `id` is where to go on."""

    id: str
    kind: str
    name: str
    op: str
    commit: str
    height: int


class ViewReader:
    """The live view of a server. All calls raise `RetryLater` when it does not answer, or holds no whole view."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def row(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The live row that goes by a name; None when there is none. `kind` is the kind's name in lower case.

        Raises `RetryLater` also when there is a row that was dropped for want of room.
        """
        key = row_key(kind, name)
        text = self._link.ask("GET", key)
        if text is None:  # not there, or nothing is: both are asked at one moment
            member = key.removeprefix("config:")
            commands = (("GET", key), ("HGET", "config:meta", "commit"), ("SISMEMBER", "config:dropped", member))
            text, commit, dropped = self._link.together(*commands)
            if text is None and (not commit or dropped):
                what = "has no room for it" if dropped else "holds no whole live view"
                raise RetryLater(f"the Redis server at {self._link.server} {what}", hint="the daemon has the row")
        return None if text is None else _row(text)

    def newest(self) -> str:
        """The id of the newest change, `0-0` before the first."""
        entries = self._link.ask("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        return _text(entries[0][0]) if entries else NEVER

    def has(self, entry: str) -> bool:
        """Whether nothing between this change and the next is lost: the stream still has it, or never had any."""
        return entry == NEVER or bool(self._link.ask("XRANGE", STREAM, entry, entry))

    def after(self, entry: str, wait: float) -> tuple[Entry, ...]:
        """The changes after one; waits up to so many seconds for the first. The link has to be that patient."""
        answer = self._link.ask("XREAD", "COUNT", MOST, "BLOCK", max(1, round(wait * 1000)), "STREAMS", STREAM, entry)
        return tuple(_entry(*one) for _, entries in _streams(answer) for one in entries)


def _streams(answer: Any) -> list[tuple[bytes, list[Any]]]:
    """By stream: RESP3 has a map here, RESP2 a list of pairs."""
    if not answer:
        return []
    return list(answer.items() if isinstance(answer, dict) else answer)


def _entry(entry_id: bytes, parts: list[bytes]) -> Entry:
    fields = dict(zip(map(_text, parts[::2]), map(_text, parts[1::2]), strict=True))
    kind, name, op, commit = (fields.get(field, "") for field in ("kind", "name", "op", "commit"))
    return Entry(_text(entry_id), kind, name, op, commit, int(fields.get("height") or 0))


def _row(text: bytes) -> Mapping[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise RetryLater("a row of the live view was overwritten by another program")
    return found


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
