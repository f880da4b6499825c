"""A program's rows and where they come from. Sources are asked in order; one more is one more class here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Struct

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.redis.cache import ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import find_server_url
from reconciler.errors import NeedsHuman, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection

    Answer = TypeVar("Answer")


class NoSuchRow(UsageError, LookupError):
    """No live row of this kind has this name."""


class Row(Mapping[str, Any]):
    """A live row. A column is an attribute, and an item for names that this class has itself (`row["age"]`).

    `age` is how many seconds ago somebody who knows said that this is the row: 0 unless nobody can be reached.
    """

    def __init__(self, kind: str, name: str, columns: Mapping[str, Any], age: float = 0.0) -> None:
        self.kind, self.name, self.age = kind, name, age
        self._columns = columns

    @property
    def is_current(self) -> bool:
        """Whether this is what is live now, and not what was when somebody could last be asked."""
        return self.age == 0.0

    def __getattr__(self, column: str) -> Any:
        try:
            return self.__dict__["_columns"][column]
        except KeyError:
            raise AttributeError(f"a row of kind {self.__dict__.get('kind')} has no column {column}") from None

    def __getitem__(self, column: str) -> Any:
        return self._columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Row({self.kind} {self.name}, {dict(self._columns)}, age {self.age:.1f} s)"


class Change(Struct, frozen=True):
    """Something about a row is not what it was. `op` is create, update or delete, which may leave the row INACTIVE.

    With `op` rebuild, kind and name are empty: changes may have been missed, look at all that matters.
    """

    kind: str
    name: str
    op: str
    commit: str
    height: int


REBUILD = Change("", "", "rebuild", "", 0)


STREAM_WAIT, ANSWER_MARGIN = 1.0, 0.5
"""Seconds that the server waits for a change before it says that there is none; how much later that may come."""


class RedisSource:
    """The live view of a Redis server. `find` gives its URL, which may be another one after a restart."""

    def __init__(self, find: Callable[[], str]) -> None:
        self._find = find
        self._url = ""
        self._link: Connection | None = None

    def row(self, kind: str, name: str) -> Mapping[str, Any]:
        """The live row, as it was at one commit. That there is none Redis cannot tell: raises `CannotTell`."""
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
        with connect(self._find(), answer_timeout=STREAM_WAIT + ANSWER_MARGIN) as link:
            reader = ViewReader(link)
            reader.check_format()
            if not (self._last and reader.has(self._last)):
                self._last = reader.newest()
                yield REBUILD
            while True:
                entries = reader.after(self._last, STREAM_WAIT)
                if not entries:
                    yield None
                for one in entries:
                    self._last = one.id
                    yield Change(one.kind, one.name, one.op, one.commit, one.height)


def embedded_url(state: Path) -> str:
    """The URL of the server in a state folder. Raises `RetryLater` when none runs."""
    url = find_server_url(state)
    if url is None:
        raise RetryLater(f"no Redis server runs in {state}", hint="the daemon starts it: see `reconciler status`")
    return url


TIMEOUT = 1.0
"""Seconds for each answer: a daemon on this host takes some milliseconds."""
SILENCE = 20.0
"""Seconds without a word on a stream: the daemon says something every 15."""
MOST = 1024 * 1024
"""Bytes of an answer, and of a line of a stream."""
NONE = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND})
"""What is answered where there is no such row, and where no row can be."""
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon listens, `host:port`, and a token to read; empty on its own host, where none is needed."""

    address: str
    token: str = field(default="", repr=False)
    secure: bool = False


class HttpSource:
    """The live rows of a daemon. `find` says where it is, which may be elsewhere after a restart."""

    def __init__(self, find: Callable[[], Place]) -> None:
        self._find = find

    def row(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """The live row. That there is none is believed of a daemon on which something is live."""
        place = self._find()
        with _asked(place, f"/v1/resources/{quote(kind, safe='')}/{quote(name, safe='')}", TIMEOUT) as response:
            if response.status == HTTPStatus.OK:
                return _row(_json(response), kind, name)
            if response.status not in NONE:
                raise _refusal(response, place)
        with _asked(place, "/v1/status", TIMEOUT) as response:
            if response.status != HTTPStatus.OK:
                raise _refusal(response, place)
            if _json(response).get("applied") is None:
                raise RetryLater(f"nothing is live yet on the daemon at {place.address}", hint="see its status")
        return None

    def follow(self) -> HttpFollower:
        """A place in its stream: the newest, if that can be told now."""
        follower = HttpFollower(self._find)
        try:
            follower.come()
        except (RetryLater, NeedsHuman):
            return HttpFollower(self._find)
        return follower

    def close(self) -> None:
        """Nothing is held between two calls."""


class HttpFollower:
    """A place in a daemon's stream: the id that was told last, empty when that is not known."""

    def __init__(self, find: Callable[[], Place]) -> None:
        self._find, self._last = find, ""

    def come(self) -> None:
        """Take one's place at the end of the stream."""
        with self._stream() as response:
            self._last = _block(response).get("id", "")

    def changes(self) -> Iterator[Change | None]:
        """The changes after those told already."""
        missed = not self._last
        with self._stream() as response:
            if missed:
                yield REBUILD
            while True:
                told = _block(response)
                self._last = told.get("id", self._last)  # not before the whole of it is here
                yield from _changes(told)

    @contextmanager
    def _stream(self) -> Iterator[http.client.HTTPResponse]:
        place = self._find()
        headers = {"Last-Event-ID": self._last} if self._last else {}
        with _asked(place, "/v1/watch", SILENCE, headers) as response:
            if response.status != HTTPStatus.OK:
                raise _refusal(response, place)
            yield response


def announced_place(state: Path) -> Place:
    """Where the daemon of a state folder listens. Raises `RetryLater` when none runs."""
    daemon = find_daemon(state)
    if daemon is None:
        raise RetryLater(f"no daemon runs in {state}", hint="`reconciler run` starts it")
    return Place(daemon.address, daemon.token)


def read_place(url: str, token: str) -> Place:
    """The daemon of a URL such as `http://127.0.0.1:8642`. Raises `UsageError` for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise UsageError(f"{url} is no daemon's address", hint="write one such as http://127.0.0.1:8642")
    return Place(parts.netloc, token, parts.scheme == "https")


@contextmanager
def _asked(
    place: Place, path: str, timeout: float, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """An answer of the daemon. Raises `RetryLater` when there is none, or when it breaks off."""
    connect = http.client.HTTPSConnection if place.secure else http.client.HTTPConnection
    connection = connect(place.address, timeout=timeout)
    allowed = {"Authorization": f"Bearer {place.token}"} if place.token else {}
    try:
        connection.request("GET", path, headers={"Connection": "close", **allowed, **(headers or {})})
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        hint = f"see that it runs, and that this is its address ({str(error).lower() or type(error).__name__})"
        raise RetryLater(f"no daemon answers at {place.address}", hint=hint) from error
    finally:
        connection.close()


def _json(response: http.client.HTTPResponse) -> dict[str, Any]:
    if response.length is None or response.length > MOST:
        raise _stranger()
    try:
        value = json.loads(response.read())
    except ValueError as error:
        raise _stranger() from error
    if not isinstance(value, dict):
        raise _stranger()
    return value


def _stranger() -> http.client.HTTPException:
    return http.client.HTTPException("what answers is no daemon")


def _block(response: http.client.HTTPResponse) -> dict[str, str]:
    """The next block of a stream, by field; the daemon has one line for each."""
    told: dict[str, str] = {}
    while line := _line(response):
        name, _, value = line.partition(": ")
        told[name] = value
    return told


def _line(response: http.client.HTTPResponse) -> str:
    line = response.readline(MOST)
    if not line.endswith(b"\n"):
        raise http.client.HTTPException("its stream has ended")
    return line.decode(errors="replace").rstrip("\r\n")


def _row(found: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any] | None:
    """The row by its columns; None where something else was found that goes by that word."""
    match found:
        case {"kind": str(told), "rows": [{"name": str(called), "values": dict(values)}]}:
            return values if (told.lower(), called) == (kind, name) else None
    raise _stranger()


def _refusal(response: http.client.HTTPResponse, place: Place) -> RetryLater | NeedsHuman:
    """What the daemon said, as an error."""
    said = _json(response).get("error", {})
    message = f"the daemon at {place.address} says: {said.get('message', response.reason)}"
    later = response.status in LATER or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return (RetryLater if later else NeedsHuman)(message, hint=str(said.get("hint", "")))


def _changes(told: Mapping[str, str]) -> Iterator[Change | None]:
    """What an event says about rows; None for nothing."""
    if told.get("event") == "reset":
        yield REBUILD
    elif told.get("event") != "applied":
        yield None
    else:
        applied = json.loads(told["data"])
        if not applied["complete"]:
            yield REBUILD
        for one in applied["changes"]:
            yield Change(one["kind"].lower(), one["name"], one["op"], applied["commit"], applied["height"])


Source: TypeAlias = RedisSource | HttpSource
"""Knows the live rows. All calls raise `RetryLater` or `NeedsHuman` when that is not so now."""
Follower: TypeAlias = RedisFollower | HttpFollower
"""A place in the stream of changes: `changes` gives those that were not given yet, without end, and None now and then.

What was missed since the last time, and cannot be told any more, is one change with op `rebuild`.
"""
