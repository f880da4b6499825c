"""A command's way to a running daemon: the endpoint table over a plain connection, no proxy and no redirect between."""

from __future__ import annotations

import http.client
import inspect
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload
from urllib.parse import quote, unquote, urlencode

from msgspec import ValidationError

from reconciler.answers import from_json
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError
from reconciler.service.endpoint import EXPIRES, find_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from io import FileIO
    from pathlib import Path

    from reconciler.service.endpoint import Endpoint

P = ParamSpec("P")
T = TypeVar("T")
SHORT_TIMEOUT, LONG_TIMEOUT = 15.0, 310.0
"""Seconds without a byte: the daemon itself answers in 10, or in 300 where an operation has to have its turn."""
WATCH_TIMEOUT = 40.0
"""The same of a stream: the daemon writes a comment every 15."""
CHANGING_EVENTS = frozenset({b"event: applied", b"event: drift", b"event: reset"})
"""After which live rows may be others."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer: every change of a commit that touches 100,000 resources."""
REFUSED = "suspended"
"""The code of an error that is a refusal."""
CHUNK = 256 * 1024
ALIVE = "/healthz"
"""What the daemon answers without any of its threads."""
FILE_NAME = re.compile(r"attachment; filename\*=UTF-8''([^;]+)\.[a-z]+")
"""How the daemon names a file that it sends (RFC 8187)."""

_ERRORS: dict[int, type[ReconcilerError]] = {
    HTTPStatus.BAD_REQUEST: UsageError,
    HTTPStatus.UNPROCESSABLE_ENTITY: UsageError,
    HTTPStatus.REQUEST_TIMEOUT: RetryLater,
    HTTPStatus.TOO_MANY_REQUESTS: RetryLater,
    HTTPStatus.SERVICE_UNAVAILABLE: RetryLater,
    HTTPStatus.GATEWAY_TIMEOUT: RetryLater,
    HTTPStatus.INTERNAL_SERVER_ERROR: BugError,
}
"""What a status means here, as `web/http.py` gives them; any other needs a human."""


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """A running daemon, found by its `daemon.json`. `ask(History.blame, kind, name)` asks the address of that call.

    It raises what the daemon raised, with its message and hint; `RetryLater` when nobody answers, `NeedsHuman` when
    somebody else does.
    """

    address: str
    token: str = field(repr=False)
    patience: float = LONG_TIMEOUT
    """Seconds without a byte after which any answer is given up."""

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], Future[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The answer of a call, decoded into the type that its endpoint names."""
        endpoint = find_endpoint(call)
        arguments = inspect.signature(call).bind(None, *args, **kwargs).arguments
        path, body = _request(endpoint, dict(list(arguments.items())[1:]))
        timeout = LONG_TIMEOUT if endpoint.slow else SHORT_TIMEOUT
        answer = self.request(endpoint.method, path, body, timeout)
        try:
            return from_json(answer, endpoint.answer)
        except ValidationError as error:
            raise self._stranger() from error

    def is_silent(self, seconds: float) -> bool:
        """Whether its process says nothing for so long, as one that hangs. A busy one tells at least how it is."""
        connection = http.client.HTTPConnection(self.address, timeout=seconds)
        try:
            connection.request("GET", ALIVE)
            connection.getresponse()
        except TimeoutError:
            return True
        except (OSError, http.client.HTTPException):  # it starts or stops, or is another program
            return False
        finally:
            connection.close()
        return False

    def await_change(self, call: Callable[[Any], T], tag: str, seconds: float) -> tuple[T, str] | None:
        """The answer of a call without arguments, and its ETag, once that is another one; None when time is over."""
        endpoint = find_endpoint(call)
        headers = {"If-None-Match": tag, "Prefer": f"wait={max(1, round(seconds))}"} if tag else {}
        with self._connect(endpoint.method, endpoint.path, None, seconds + SHORT_TIMEOUT, headers) as response:
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            if response.length is None or response.length > MAX_ANSWER:
                raise self._stranger()
            answer, changed = json.loads(response.read()), response.headers.get("etag", "")
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise self._error(response.status, answer)
        try:
            return from_json(answer, endpoint.answer), changed
        except ValidationError as error:
            raise self._stranger() from error

    def write_table(
        self, export: Callable[..., object], table: str, form: str, file: Path, *, history: bool
    ) -> tuple[str, int]:
        """Write what a call exports into a file; what the table is called, and how many rows it has."""
        path, _ = _request(find_endpoint(export), {"table": table, "form": form, "history": history})
        with file.open("wb", buffering=0) as output, self._connect("GET", path, None, LONG_TIMEOUT) as response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise self._error(response.status, json.loads(response.read(MAX_ANSWER)))
            name = FILE_NAME.fullmatch(response.headers.get("content-disposition", ""))
            rows = response.headers.get("reconciler-rows", "")
            if name is None or not rows.isdecimal() or response.length is None:
                raise self._stranger()
            left = response.length
            while chunk := response.read(CHUNK):
                left -= _write(output, chunk)
            if left:
                raise http.client.IncompleteRead(b"", left)
            return unquote(name[1]), int(rows)

    def watch(self) -> Iterator[None]:
        """Something to wait for: comes once it is connected, and each time that live rows may have changed since.

        Ends when the daemon does. Raises `RetryLater` when it cannot be reached, or says nothing for too long.
        """
        with self._connect("GET", "/v1/watch", None, WATCH_TIMEOUT) as response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise self._error(response.status, json.loads(response.read(MAX_ANSWER)))
            yield
            while line := response.readline(CHUNK):
                if line.strip() in CHANGING_EVENTS:
                    yield

    def request(self, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> dict[str, Any]:
        """The JSON object that an address answers with."""
        with self._connect(method, path, body, timeout) as response:
            if response.length is None or response.length > MAX_ANSWER:
                raise self._stranger()
            status, answer = response.status, json.loads(response.read())
        if status < HTTPStatus.MULTIPLE_CHOICES and isinstance(answer, dict):
            return answer
        raise self._error(status, answer)

    def _error(self, status: int, answer: Any) -> ReconcilerError:
        """What the daemon raised."""
        match answer:
            case {"error": {"code": str(code), "message": str(message), "hint": str(hint)}} if (
                status >= HTTPStatus.BAD_REQUEST
            ):
                return (RefusedError if code == REFUSED else _ERRORS.get(status, NeedsHuman))(message, hint=hint)
        return self._stranger()

    @contextmanager
    def _connect(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        timeout: float,
        more: Mapping[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request, to be read within the block."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Connection": "close"}
        headers.update(more or {})
        timeout = min(timeout, self.patience)
        if body is not None:  # what is given up must not be done later by a daemon that was stopped
            headers[EXPIRES] = f"{time.time() + timeout:.3f}"
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            yield connection.getresponse()
        except TimeoutError as error:
            message = f"the daemon at {self.address} has not answered within {timeout:g} s"
            raise RetryLater(message, hint="its log says what it is doing") from error
        except (OSError, http.client.IncompleteRead) as error:
            message = f"nobody answers at {self.address}, where the daemon is to be"
            raise RetryLater(message, hint="it may be starting or stopping: try again in a moment") from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._stranger() from error
        finally:
            connection.close()

    def _stranger(self) -> NeedsHuman:
        hint = "another program has its address: see what listens there, or run it with another --port"
        return NeedsHuman(f"what answers at {self.address} is not the daemon", hint=hint)


def _request(endpoint: Endpoint, arguments: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Path with query, and body, of a call with these arguments; what is None is left out."""
    given = {name: value for name, value in endpoint.spread(arguments).items() if value is not None}
    path = endpoint.path.format_map({name: quote(str(given.pop(name)), safe="") for name in endpoint.path_names})
    if endpoint.body is not None:
        return path, given
    names = {parameter.keyword: parameter.name for parameter in endpoint.params}
    query = {names[name]: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return (f"{path}?{urlencode(query)}" if query else path), None


def _write(file: FileIO, chunk: bytes) -> int:
    """Write a chunk. A disk that is full is not a daemon that does not answer."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        hint = "see that there is room on the disk"
        raise NeedsHuman(f"cannot write {file.name}: {error.strerror}", hint=hint) from error
    return len(chunk)
