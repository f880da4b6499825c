"""Comparing the live view in Redis with the rows that should be there: what was lost, altered or added. Writes nothing.

Each piece is one script of about a millisecond: neither the server nor who asks is kept from anything else.
"""

from __future__ import annotations

import time
from itertools import count, islice
from typing import TYPE_CHECKING

from reconciler.adapters.redis.cache import RedisCache, decode_key, encode_key
from reconciler.adapters.redis.connection import connect, script
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.live import ComparedView, ViewDifference, ViewFault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.adapters.redis.connection import Connection
    from reconciler.model.live import ExpectedRow, ViewContent, ViewMark

ROWS_PER_SCRIPT = 100
NAMES_PER_SCRIPT = 1_000
KEYS_PER_SCRIPT = 250
KEYS = 50_000
"""About so many keys of the server are looked at in one comparison, to find what was added; the next one goes on."""
FAULTS = {"L": ViewFault.LOST, "A": ViewFault.ALTERED}


class ViewAudit:
    """One comparison after the other, of the view on one server."""

    def __init__(self, link: Connection, keys: int | None = KEYS, cursor: str = "0") -> None:
        """`cursor` is where the search for keys that were added goes on."""
        self._link, self._keys = link, keys
        self.cursor = cursor

    def differences(self, content: ViewContent, kinds: Collection[str]) -> Iterator[ViewDifference | None]:
        """What differs, with None after each piece, when `content` may go on with the view.

        Rows there is no room for are no difference. `kinds` are the kinds' names in lower case. All keys of the server
        are looked at where no limit is set, else a part of them each time.
        """
        found = 0
        rows = content.rows()
        while some := list(islice(rows, ROWS_PER_SCRIPT)):
            faults = self._compare(some)
            found += len(faults)
            yield from faults
            yield None
        unknown: set[str] = set()
        if found or self._count() != len({row.place for row in content.rows()}):
            for members in self._members():
                unknown.update(members)
                yield None
        for keys in self._unlisted(sorted(kinds)):
            unknown.update(keys)
            yield None
        unknown -= content.keys()
        if unknown:
            yield from self._still_there(sorted(unknown))

    def _compare(self, rows: Sequence[ExpectedRow]) -> list[ViewDifference]:
        parts = [part for row in rows for part in (row.place, row.id, row.digest.hex(), int(row.gone))]
        letters: bytes = self._link.run(script("when_full", "view", "view_compare"), ("config:meta",), parts)
        pairs = zip(rows, letters.decode(), strict=True)
        return [ViewDifference(row.place, FAULTS[letter]) for row, letter in pairs if letter in FAULTS]

    def _still_there(self, unknown: Sequence[str]) -> Iterator[ViewDifference]:
        """A commit may have come meanwhile: what it took away is no difference."""
        for key in unknown:
            raw = encode_key(key)
            listed, there = self._link.ask_all(("ZSCORE", "config:rows", raw), ("EXISTS", b"config:" + raw))
            if there or listed is not None:
                yield ViewDifference(key, ViewFault.UNKNOWN)

    def _count(self) -> int:
        """The rows that the view says it holds, or has no room for."""
        rows, dropped = self._link.ask_all(("ZCARD", "config:rows"), ("SCARD", "config:dropped"))
        return int(rows) + int(dropped)

    def _members(self) -> Iterator[list[str]]:
        for start in count(step=NAMES_PER_SCRIPT):
            some = self._link.ask("ZRANGE", "config:rows", start, start + NAMES_PER_SCRIPT - 1)
            yield [decode_key(member) for member in some]
            if len(some) < NAMES_PER_SCRIPT:
                return

    def _unlisted(self, kinds: Sequence[str]) -> Iterator[list[str]]:
        """Keys of these kinds that the view does not say it holds."""
        looked = 0
        while self._keys is None or looked < self._keys:
            arguments: tuple[str | int, ...] = (self.cursor, KEYS_PER_SCRIPT, *kinds)
            cursor, *keys = self._link.run(script("when_full", "view", "view_scan"), ("config:meta",), arguments)
            self.cursor = cursor.decode()
            yield [decode_key(key) for key in keys]
            looked += KEYS_PER_SCRIPT
            if self.cursor == "0":
                return


ANSWER_TIMEOUT = 1.0
"""Seconds that an answer may take."""
LOOK_PAUSE = 0.05
"""Seconds between two looks at a view that a daemon is about to bring up to date."""


def compare_view(
    find: Callable[[], str], patience: float, mark: ViewMark, content: ViewContent, kinds: Collection[str]
) -> ComparedView:
    """Compare the view of the server whose URL `find` gives with the state at a commit.

    A view that is not there yet is waited for up to so many seconds. What keeps it from being compared is told, not
    raised: the live rows do not need it.
    """
    try:
        with connect(find(), answer_timeout=ANSWER_TIMEOUT) as link:
            return _await_view(link, patience, mark) or _compare_all(link, content, kinds)
    except (RetryLater, NeedsHuman) as error:
        return ComparedView(None, str(error))


def _compare_all(link: Connection, content: ViewContent, kinds: Collection[str]) -> ComparedView:
    found = ViewAudit(link, keys=None).differences(content, kinds)
    differences = tuple(one for one in found if one is not None)
    return ComparedView(len({row.place for row in content.rows()}), differences=differences)


def _await_view(link: Connection, patience: float, mark: ViewMark) -> ComparedView | None:
    """None once the view is at a mark; else why not."""
    limit = time.monotonic() + patience
    while (here := RedisCache(link, 0).state().mark) != mark:
        if time.monotonic() < limit:
            time.sleep(LOOK_PAUSE)
            continue
        if here is None:
            return ComparedView(None, f"the Redis server at {link.server} holds no whole live view")
        kept = link.ask("GET", "config:keeper")
        who = kept.partition(b" ")[2].decode(errors="replace") if isinstance(kept, bytes) else ""
        keeper = f"which {who} keeps there" if who else "and no daemon keeps it"
        return ComparedView(None, f"it is of commit {here.commit[:8]}, {keeper}", stale=not who)
    return None
