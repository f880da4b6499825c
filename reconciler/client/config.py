"""The live configuration for a program: asked of whoever knows it, remembered for when nobody can be reached."""

from __future__ import annotations

import re
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.adapters.redis.cache import CannotTell
from reconciler.client.sources import (
    REBUILD,
    HttpSource,
    NoSuchRow,
    RedisSource,
    Row,
    announced_place,
    embedded_url,
    read_place,
)
from reconciler.errors import NeedsHuman, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.client.sources import Change, Follower, Source

PLACE = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
REST = 0.5
"""Seconds in which a source that did not answer is not asked again when the last known row will do."""


class Config:
    """The live rows, by kind and name. Safe between threads.

    `where` is `HOST:PORT` or the URL of a Redis server, the state folder of a daemon, or the daemon's own address
    (`http://127.0.0.1:8642`). `daemon` is that address, too: it is asked when Redis is not there, as the one of a
    state folder is; `token` is for reading from another host. Rows are remembered: when no source can be reached the
    last known one is given, and its `age` says so.
    """

    def __init__(
        self, where: str | Path, *, daemon: str = "", token: str = "", sources: Sequence[Source] | None = None
    ) -> None:
        self._sources = tuple(sources) if sources is not None else _sources(where, daemon, token)
        self._known: dict[tuple[str, str], tuple[Mapping[str, Any], float]] = {}
        self._failed: dict[int, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Config:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, kind: str) -> Callable[[str], Row]:
        """What gives a row of a kind by its name."""
        if kind.startswith("_"):
            raise AttributeError(kind)
        return partial(self.row, kind)

    def close(self) -> None:
        """Let go of connections."""
        for source in self._sources:
            source.close()

    def row(self, kind: str, name: str) -> Row:
        """The live row of a kind that goes by a name.

        Raises `NoSuchRow` when the daemon says that there is none. When nobody can be asked and it was never known:
        `CannotTell` when Redis does not have it, which may have lost it, and `RetryLater` or `NeedsHuman`.
        """
        place = (kind.lower(), name)
        trouble: Exception | None = None
        for number in self._order(place):
            try:
                columns = self._sources[number].row(*place)
            except (RetryLater, NeedsHuman) as error:
                trouble = trouble or error
                if not isinstance(error, CannotTell):  # which is about this row, not about the others there
                    self._failed[number] = time.monotonic()
                continue
            self._failed.pop(number, None)
            return self._remember(place, columns)
        known = self._known.get(place)
        if known is None:
            raise trouble or RetryLater("there is nobody to ask for the configuration")
        return Row(*place, known[0], time.monotonic() - known[1])

    def watch(self, kind: str = "", name: str = "") -> Iterator[Change]:
        """The changes from now on, of all rows or of those of a kind or name; without end, and through outages.

        A change with op `rebuild` says that some may have been missed. Raises `NeedsHuman` when no source ever will.
        """
        followed = _followed([source.follow() for source in self._sources])
        return (one for one in followed if one.op == REBUILD.op or _is_about(one, kind.lower(), name))

    def _order(self, place: tuple[str, str]) -> list[int]:
        """Whom to ask, one after the other: who failed a moment ago only about a row that was never known, and last."""
        now = time.monotonic()
        resting = {number for number, failed in self._failed.copy().items() if now - failed < REST}
        awake = [number for number in range(len(self._sources)) if number not in resting]
        return awake if place in self._known else [*awake, *sorted(resting)]

    def _remember(self, place: tuple[str, str], columns: Mapping[str, Any] | None) -> Row:
        with self._lock:
            if columns is None:
                self._known.pop(place, None)
            else:
                self._known[place] = (columns, time.monotonic())
        if columns is None:
            raise NoSuchRow(f"no live row of kind {place[0]} is called {place[1]}", hint="names are those in git")
        return Row(*place, columns)


def _is_about(change: Change, kind: str, name: str) -> bool:
    return kind in {"", change.kind} and name in {"", change.name}


def _followed(followers: Sequence[Follower]) -> Iterator[Change]:
    """What the first follower tells that can; when another has to take over, something may have been missed."""
    told_by: Follower | None = None
    while True:
        troubles: list[Exception] = []
        for follower in followers:
            try:
                for change in follower.changes():
                    if told_by not in {None, follower}:
                        yield REBUILD
                    told_by = follower
                    if change is not None:
                        yield change
            except (RetryLater, NeedsHuman) as error:
                troubles.append(error)
        if len(troubles) == len(followers) and all(isinstance(error, NeedsHuman) for error in troubles):
            raise troubles[0]
        time.sleep(REST)


def _sources(where: str | Path, daemon: str = "", token: str = "") -> tuple[Source, ...]:
    text, folder = str(where), Path(where)
    served = (_served(daemon, token),) if daemon else ()
    if text.startswith(("http://", "https://")):
        return (_served(text, token), *served)
    if "://" in text:
        return (RedisSource(lambda: text), *served)
    if PLACE.fullmatch(text):
        return (RedisSource(lambda: f"redis://{text}"), *served)
    if folder.is_dir():
        return (RedisSource(lambda: embedded_url(folder)), *(served or (HttpSource(lambda: announced_place(folder)),)))
    hint = "write HOST:PORT or a redis:// URL, the http:// address of a daemon, or its state folder"
    raise UsageError(f"{text} is no Redis server, no daemon and no folder", hint=hint)


def _served(daemon: str, token: str) -> HttpSource:
    place = read_place(daemon, token)
    return HttpSource(lambda: place)
