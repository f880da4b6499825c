"""Where a program's rows come from. Sources are asked in order; one more is one more class here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from reconciler.adapters.redis.cache import ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import found
from reconciler.client.row import REBUILD, Change
from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.adapters.redis.connection import Link

    Answer = TypeVar("Answer")

WAIT, PATIENCE = 1.0, 0.5
"""Seconds that the server waits for a change before it says that there is none; how much later that may come."""


class Source(Protocol):
    """Somebody who knows the live rows. All calls raise `RetryLater` or `NeedsHuman` when that is not so now."""

    def row(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The live row of a kind (its name in lower case) that goes by a name; None when there is none."""
        ...

    def follow(self) -> Follower:
        """Somebody who tells all changes from now on."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Follower(Protocol):
    """A place in the stream of changes."""

    def changes(self) -> Iterator[Change | None]:
        """The changes after those told already, without end: None where a while has passed without one.

        What was missed since the last time, and cannot be told any more, is one change with op `rebuild`.
        """
        ...


class RedisSource:
    """The live view of a Redis server. `find` gives its URL, which may be another one after a restart."""

    def __init__(self, find: Callable[[], str]) -> None:
        self._find = find
        self._url = ""
        self._link: Link | None = None

    def row(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The live row, as it was at one commit."""
        return self._ask(lambda reader: reader.row(kind, name))

    def follow(self) -> RedisFollower:
        """A place in the stream, with a connection of its own: the end of the stream, if that can be told now."""
        try:
            return RedisFollower(self._find, self._ask(ViewReader.newest))
        except (RetryLater, NeedsHuman):
            return RedisFollower(self._find, "")

    def close(self) -> None:
        """Let go of connections."""
        if self._link is not None:
            self._link.close()
        self._link = None

    def _ask(self, question: Callable[[ViewReader], Answer]) -> Answer:
        if self._link is not None:
            try:
                return question(ViewReader(self._link))
            except (RetryLater, NeedsHuman):
                if self._find() == self._url:
                    raise
        self.close()
        self._url = self._find()
        self._link = connect(self._url)
        return question(ViewReader(self._link))


class RedisFollower:
    """A place in a Redis server's stream of changes: the newest that was told, empty when that is not known."""

    def __init__(self, find: Callable[[], str], last: str) -> None:
        self._find, self._last = find, last

    def changes(self) -> Iterator[Change | None]:
        """The changes after those told already."""
        with connect(self._find(), answer_timeout=WAIT + PATIENCE) as link:
            reader = ViewReader(link)
            if not (self._last and reader.has(self._last)):
                self._last = reader.newest()
                yield REBUILD
            while True:
                entries = reader.after(self._last, WAIT)
                if not entries:
                    yield None
                for one in entries:
                    self._last = one.id
                    yield Change(one.kind, one.name, one.op, one.commit, one.height)


def embedded_url(state: Path) -> str:
    """The URL of the server in a state folder. Raises `RetryLater` when none runs."""
    url = found(state)
    if url is None:
        raise RetryLater(f"no Redis server runs in {state}", hint="the daemon starts it: see `reconciler status`")
    return url
