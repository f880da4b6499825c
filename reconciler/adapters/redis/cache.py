"""The live view in Redis. Implements the port `Cache`.

| key | holds |
|---|---|
| `config:KIND:NAME` | the row as JSON |
| `config:KIND:id:ID` | its name |
| `config:changes` | a stream of kind, name, op, commit, height; op `rebuild` without a name: look at everything |
| `config:meta` | commit, digest, height; the format of all these keys, 1 where there is none |
| `config:rows`, `config:sizes`, `config:dropped` | what is there, and what is not for want of room |

A small step is one script, so it is there as a whole or not at all. A larger one is several, none of which keeps others
waiting for long; meanwhile `config:meta` has no commit. What was written before is found by `config:rows`: no key of
anybody else is looked at.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from reconciler.adapters.redis.link import script
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.live import CacheState, ViewMark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.adapters.redis.link import Link
    from reconciler.model.live import ViewStep, ViewWrite

CHUNK = 200
"""Rows that are written at a time: a few milliseconds, in which nobody else is served."""
NAMES = 1000
"""Names that are read or removed at a time."""
CHANGES = 10_000
"""Entries that the stream of changes keeps, about: half a megabyte."""
REBUILD = "rebuild"
FORMAT_VERSION = 1
"""The format of the keys. A later one, which this program must not write, has a higher number."""

STALE = -1
BY_ANOTHER = "another process writes the live view of this Redis server"
ONE_EACH = "give each repository a database of its own: redis.url …/1"


class RedisCache:
    """The live view, in at most `budget` bytes as they are counted here."""

    def __init__(self, link: Link, budget: int) -> None:
        self._link = link
        self._budget = budget

    def state(self) -> CacheState:
        """What the view holds. Raises `NeedsHuman` when a newer version of reconciler has written it."""
        commit, digest, height, taken, rows, dropped, version = self._run("state")
        if int(version) > FORMAT_VERSION:
            raise NeedsHuman(
                f"the live view of the Redis server at {self._link.server} has format {int(version)}, "
                f"this version of reconciler writes format {FORMAT_VERSION}",
                hint=f"update reconciler on this host, or {ONE_EACH}",
            )
        mark = ViewMark(_text(commit), _text(digest), int(height)) if commit else None
        return CacheState(mark, rows, dropped, int(taken))

    def advance(self, step: ViewStep) -> bool:
        """Take a step; False when the view is not at its base, or another process took it from there."""
        return self._write(step.base, step.to, sorted(step.writes, key=_order), "")

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Become the given rows. Raises `RetryLater` when another process rebuilds the view meanwhile."""
        begun = _unfinished()
        self._run("begin", begun.digest)
        rows = sorted((one for one in writes if one.json is not None), key=_order)
        kept = {_member(one) for one in rows}
        stale = [member for member in self._members() if member not in kept]
        for some in _slices(stale, NAMES):
            if self._run("forget", begun.digest, *some) == STALE:
                raise RetryLater(BY_ANOTHER, hint=ONE_EACH)
        if not self._write(begun, to, rows, REBUILD):
            raise RetryLater(BY_ANOTHER, hint=ONE_EACH)

    def keep_within(self, budget: int) -> CacheState:
        """Take no more than so many bytes from now on."""
        self._budget = budget
        self.state()  # refuses a newer format before anything goes
        self._fit()
        return self.state()

    def _write(self, base: ViewMark, to: ViewMark, writes: Sequence[ViewWrite], word: str) -> bool:
        chunks = [*_slices(writes, CHUNK)] or [()]
        for number, chunk in enumerate(chunks, 1):
            until = to if number == len(chunks) else _unfinished()
            head = (self._budget, CHANGES, base.commit, base.digest, until.commit, until.digest, until.height)
            about = (word, to.height, to.commit)
            fits = self._run("write", *head, *about, *(part for one in chunk for part in _parts(one)))
            if fits == STALE:
                return False
            if not fits:
                self._fit()
            base = until
        return True

    def _fit(self) -> None:
        while not self._run("fit", self._budget):
            pass  # each round takes some rows away

    def _members(self) -> Iterator[str]:
        for start in count(step=NAMES):
            some = self._link.ask("ZRANGE", "config:rows", start, start + NAMES - 1)
            yield from map(_text, some)
            if len(some) < NAMES:
                return

    def _run(self, what: str, *arguments: str | int) -> Any:
        room = "when_room" if what == "write" else "when_full"  # what makes room works when there is none
        return self._link.run(script(room, "view", f"view_{what}"), ("config:meta",), arguments)


def row_key(kind: str, name: str) -> str:
    """The key of a row: a name with a colon or a line break in it is quoted as in a URL (RFC 3986)."""
    return f"config:{kind}:{quote(name, safe='')}"


def _member(write: ViewWrite) -> str:
    return row_key(write.kind, write.name).removeprefix("config:")


def _parts(write: ViewWrite) -> tuple[str | int, ...]:
    return (str(write.op), write.kind, write.name, write.id, write.json or "", write.bytes, write.order)


def _order(write: ViewWrite) -> int:
    return write.order


def _unfinished() -> ViewMark:
    """The mark of a view that is being written, by this call and no other."""
    return ViewMark("", f"writing {uuid4().hex}", 0)


def _slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
