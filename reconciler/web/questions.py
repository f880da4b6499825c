"""Queries and exports over HTTP: they ask more than other reads, and take turns."""

from __future__ import annotations

import asyncio
import os
import re
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.responses import StreamingResponse
from starlette.routing import Route

from reconciler.web import bodies
from reconciler.web.answers import BEFORE_ALL
from reconciler.web.reads import Reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.responses import Response

    from reconciler.web.operations import Operations
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting

CHUNK = 256 * 1024
MANY, MOST = 1_000, 100_000
"""Rows that a query tells unless a client says so, and what it may say."""
TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8", "json": "application/json"}
YES, NO = ("true", "1"), ("false", "0", "")
NUMBER = re.compile("[0-9]{1,6}", re.ASCII)
ROWS = "reconciler-rows"
"""The header that says how many rows an exported file has."""


class Questions(Protocol):
    """What is asked of the daemon. Each call may take its time, and raises what a command would."""

    def query(self, sql: str, rows: int, *, history: bool) -> Mapping[str, Any]:
        """What `sql --format json` prints."""
        ...

    def tables(self, *, history: bool) -> Mapping[str, Any]:
        """The tables that can be exported."""
        ...

    def export(self, word: str, form: str, *, history: bool) -> tuple[str, int, IO[bytes]]:
        """A table as a file that is gone when it is closed: its name, how many rows it has, and the file."""
        ...


class QuestionRoutes:
    """Reads, whatever they ask: queries cannot write."""

    def __init__(self, operations: Operations, waiting: Waiting, deadlines: Deadlines) -> None:
        self._operations, self._waiting, self._deadlines = operations, waiting, deadlines
        self._reads = Reads(waiting)

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/sql", self.query, methods=["GET"]),
            Route("/v1/sql", self.query_posted, methods=["POST"]),
            Route("/v1/export", self.tables, methods=["GET"]),
            Route("/v1/export/{table}", self.export, methods=["GET"]),
        ]

    async def query(self, request: Request) -> Response:
        """Run one SELECT: `?query=`, `&history=true` for the ledger, `&limit=` for how many rows."""
        limit = request.query_params.get("limit", str(MANY))
        if not NUMBER.fullmatch(limit):
            raise _limited()
        return await self._query(request, request.query_params.get("query", ""), int(limit), history=_history(request))

    async def query_posted(self, request: Request) -> Response:
        """The same, told in the body: a query may be long, and addresses end up in logs."""
        fields = {"query": str, "history": bool, "limit": int}
        told = await bodies.read_object(request, fields, self._deadlines.body)
        return await self._query(
            request, told.get("query", ""), told.get("limit", MANY), history=told.get("history", False)
        )

    async def tables(self, request: Request) -> Response:
        """The tables that can be exported: of the live rows, or `?history=true`."""
        work = partial(self._operations.questions.tables, history=_history(request))
        return await self._reads.once(request, work, self._deadlines.operation)

    async def export(self, request: Request) -> Response:
        """A whole table as a file: `?format=parquet`, `csv` or `json`, `&history=true`."""
        word, form = request.path_params["table"], request.query_params.get("format", "csv")
        if form not in TYPES:
            raise bodies.unprocessable("there is no such format", hint=f"there are: {', '.join(TYPES)}")
        work = partial(self._operations.questions.export, word, form, history=_history(request))
        table, rows, file = await self._waiting.call(work, self._deadlines.operation)
        headers = {
            **BEFORE_ALL,
            "content-length": str(os.fstat(file.fileno()).st_size),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(f'{table}.{form}', safe='')}",
            ROWS: str(rows),
        }
        return StreamingResponse(_chunks(file), headers=headers, media_type=TYPES[form])

    async def _query(self, request: Request, sql: str, limit: int, *, history: bool) -> Response:
        if not sql.strip():
            raise bodies.unprocessable("there is no query", hint="name it as query: one SELECT")
        if not 1 <= limit <= MOST:
            raise _limited()
        work = partial(self._operations.questions.query, sql, limit, history=history)
        return await self._reads.once(request, work, self._deadlines.operation)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def _history(request: Request) -> bool:
    told = request.query_params.get("history", "").lower()
    if told not in (*YES, *NO):
        raise bodies.unprocessable("history is true or false")
    return told in YES


def _limited() -> Exception:
    return bodies.unprocessable(f"limit is a number of rows from 1 to {MOST:,}")
