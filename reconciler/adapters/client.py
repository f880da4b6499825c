"""A command's way to a running daemon: its HTTP API, over a plain connection, no proxy and no redirect between."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import FileIO
    from pathlib import Path

SHORT, LONG = 15.0, 310.0
"""Seconds without a byte: the daemon itself answers in 10, or in 300 where an operation has to have its turn."""
MOST = 64 * 1024 * 1024
"""Bytes of an answer: every change of a commit that touches 100,000 resources."""

FAILED, REFUSED = HTTPStatus.BAD_REQUEST, "suspended"

CHUNK = 256 * 1024
NAMED = re.compile(r"attachment; filename\*=UTF-8''([^;]+)\.[a-z]+")
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
"""What a status means here, as `web/answers.py` gives them; any other needs a human."""


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """A running daemon, found by its `daemon.json`. All calls return JSON objects, in the shapes of docs/commands.md.

    They raise what the daemon raised, with its message and hint; `RetryLater` when nobody answers, `NeedsHuman` when
    somebody else does.
    """

    address: str
    token: str = field(repr=False)
    patience: float = LONG
    """Seconds without a byte after which any answer is given up."""

    def status(self) -> dict[str, Any]:
        """What is live, and whether it is what git says."""
        return self._ask("GET", "/v1/status", timeout=SHORT)

    def rows(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The live rows of a kind, or the one that goes by a name."""
        return self._ask("GET", _resource(kind, name), timeout=LONG)

    def versions(self, limit: int, filters: Mapping[str, str]) -> dict[str, Any]:
        """The newest versions of the history; those that all of some filters let through."""
        return self._ask("GET", f"/v1/versions?{urlencode({'limit': limit, **filters})}", timeout=LONG)

    def history(self, kind: str | None, name: str | None, limit: int) -> dict[str, Any]:
        """The changes of a resource, or the newest of all."""
        place = "/v1/history" if kind is None else f"{_resource(kind, name)}/history"
        return self._ask("GET", f"{place}?limit={limit}", timeout=LONG)

    def show(self, kind: str, name: str | None, at: str) -> dict[str, Any]:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        return self._ask("GET", f"{_resource(kind, name)}?{urlencode({'at': at})}", timeout=LONG)

    def diff(self, base: str, head: str) -> dict[str, Any]:
        """What is otherwise at one commit or moment than at another."""
        return self._ask("GET", f"/v1/diff?{urlencode({'base': base, 'head': head})}", timeout=LONG)

    def blame(self, kind: str, name: str) -> dict[str, Any]:
        """For each field of a live row the commit that last set it."""
        return self._ask("GET", f"{_resource(kind, name)}/blame", timeout=LONG)

    def query(self, sql: str, rows: int, *, history: bool) -> dict[str, Any]:
        """What a query on the live rows, or on the history, finds."""
        return self._ask("POST", "/v1/sql", {"query": sql, "limit": rows, "history": history}, timeout=LONG)

    def tables(self, *, history: bool) -> dict[str, Any]:
        """The tables that can be exported."""
        return self._ask("GET", f"/v1/export?history={str(history).lower()}", timeout=LONG)

    def export(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file; what the table is called, and how many rows it has."""
        asked = urlencode({"format": form, "history": str(history).lower()})
        place = f"/v1/export/{quote(table, safe='')}?{asked}"
        with file.open("wb", buffering=0) as to, self._connected("GET", place, None, LONG) as response:
            if response.status >= FAILED:
                raise self._refusal(response.status, json.loads(response.read(MOST)))
            named = NAMED.fullmatch(response.headers.get("content-disposition", ""))
            rows = response.headers.get("reconciler-rows", "")
            if named is None or not rows.isdecimal() or response.length is None:
                raise self._stranger()
            left = response.length
            while chunk := response.read(CHUNK):
                left -= _written(to, chunk)
            if left:
                raise http.client.IncompleteRead(b"", left)
            return unquote(named[1]), int(rows)

    def drift(self) -> dict[str, Any]:
        """What in the live rows is not what git says."""
        return self._ask("GET", "/v1/drift", timeout=LONG)

    def heal(self, by: str) -> dict[str, Any]:
        """Put that right; what there was."""
        return self._ask("POST", "/v1/heal", {"by": by}, timeout=LONG)

    def back_up(self, by: str) -> dict[str, Any]:
        """Copy the store; where the copy is."""
        return self._ask("POST", "/v1/backup", {"by": by}, timeout=LONG)

    def restore(self, file: Path, by: str) -> dict[str, Any]:
        """Make a copy the store."""
        return self._ask("POST", "/v1/restore", {"file": str(file.absolute()), "by": by}, timeout=LONG)

    def sync(self, by: str, *, approve: str | None = None, force: bool = False) -> dict[str, Any]:
        """Reconcile once, and wait for it; `force` also while suspended."""
        return self._ask("POST", "/v1/sync", {"by": by, "approve": approve, "force": force}, timeout=LONG)

    def verify(self, by: str) -> dict[str, Any]:
        """Compare ledger and live rows with git."""
        return self._ask("POST", "/v1/verify", {"by": by}, timeout=LONG)

    def suspend(self, by: str, reason: str, until: str | None = None) -> dict[str, Any]:
        """Stop automatic reconciling, until a moment with its zone or for a span such as `2h`."""
        return self._ask("POST", "/v1/suspend", {"by": by, "reason": reason, "until": until}, timeout=SHORT)

    def resume(self, by: str) -> dict[str, Any]:
        """Take it up again."""
        return self._ask("POST", "/v1/resume", {"by": by}, timeout=SHORT)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout: float) -> dict[str, Any]:
        with self._connected(method, path, body, timeout) as response:
            if response.length is None or response.length > MOST:
                raise self._stranger()
            status, answer = response.status, json.loads(response.read())
        if status < HTTPStatus.MULTIPLE_CHOICES and isinstance(answer, dict):
            return answer
        raise self._refusal(status, answer)

    def _refusal(self, status: int, answer: Any) -> ReconcilerError:
        """What the daemon raised."""
        match answer:
            case {"error": {"code": str(code), "message": str(message), "hint": str(hint)}} if status >= FAILED:
                return (RefusedError if code == REFUSED else _ERRORS.get(status, NeedsHuman))(message, hint=hint)
        return self._stranger()

    @contextmanager
    def _connected(
        self, method: str, path: str, body: dict[str, Any] | None, timeout: float
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request, to be read within the block."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Connection": "close"}
        timeout = min(timeout, self.patience)
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
        hint = "another program has its address: see what listens there, or set http.listen to another port"
        return NeedsHuman(f"what answers at {self.address} is not the daemon", hint=hint)


def _written(file: FileIO, chunk: bytes) -> int:
    """A disk that is full is not a daemon that does not answer."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        hint = "see that there is room on the disk"
        raise NeedsHuman(f"cannot write {file.name}: {error.strerror}", hint=hint) from error
    return len(chunk)


def _resource(kind: str, name: str | None) -> str:
    return "/".join(["/v1/resources", *(quote(one, safe="") for one in (kind, name) if one is not None)])
