"""The addresses of the endpoint table, answered: parameters and bodies are read, the call is made where it belongs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from msgspec import Struct
from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from reconciler.answers import Answer, to_json
from reconciler.errors import ReconcilerError, RetryLater
from reconciler.service.endpoint import AT, EXPIRES, JSON, OWNER_NAME, Runs
from reconciler.service.endpoints import ENDPOINTS
from reconciler.web.http import (
    NO_STORE,
    HttpError,
    encode_json,
    has_tag,
    if_none_match,
    json_response,
    preferred_wait,
    read_json,
    read_object,
    strong_tag,
    translate_error,
    unprocessable,
    weak_tag,
)
from reconciler.web.waiting import wake_on_disconnect
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from concurrent.futures import Executor

    from starlette.types import ASGIApp

    from reconciler.service.endpoint import Endpoint
    from reconciler.service.services import Services
    from reconciler.service.sql import ExportedFile
    from reconciler.web.auth import Deadlines
    from reconciler.web.waiting import Waiting

    Call = partial[Any]
    Handler = Callable[[Request], Awaitable[ASGIApp]]
    Work = Callable[[], Mapping[str, Any]]
    Tag = Callable[[Mapping[str, Any], bytes], str]

LOOK_AGAIN = 5.0
"""Seconds after which a waiting client's question is asked again although nothing seems to have happened: not
everything that an answer holds is an event, such as a version on its way to the history."""
CACHED = {**NO_STORE, "cache-control": "private, no-cache", "vary": "authorization, prefer"}
"""Whoever keeps an answer asks whether it is still the same."""
SOMEBODY = "somebody with the daemon's token"
SESSION_THREADS = 4
"""Calls about sessions at once: of those that need the live rows, and of the others."""
QUERY_THREADS, SLOW_THREADS = 8, 4
"""Queries and exports at once, those that wait for their turn among them, and reads that may take long. No short read,
as of the status or of rows, waits behind either."""
URGENT_THREADS = 4
"""Halts at once."""
CHUNK = 256 * 1024
MEDIA_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8", "json": JSON}
EPOCH = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
ROW_COUNT = "reconciler-rows"
"""The header that says how many rows an exported file has."""


class Encoded(Struct, frozen=True):
    """An answer: its text, its tag, and the address of the next page where there is one."""

    text: bytes
    tag: str
    next_page: str | None


class ConditionalReads:
    """Answers reads with a tag: with 304 to whoever has the answer already, or when there is another one."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    async def answer(
        self, request: Request, work: Work, deadline: float, tag: Tag = strong_tag, executor: Executor | None = None
    ) -> Response:
        """What a call gives, made and encoded on another thread within `deadline` seconds."""
        make = partial(_encode_answer, request, work, tag)
        encoded = await self._waiting.call(make, deadline, executor)
        known = if_none_match(request)
        if not (known and has_tag(known, encoded.tag)):
            return _response(encoded)
        wait = preferred_wait(request.headers.getlist("prefer"))
        if not wait:
            return _not_modified(encoded.tag)
        ask = partial(self._waiting.call, make, deadline, executor)
        another = await self._wait_for_another(request, ask, known, wait)
        applied = {"preference-applied": f"wait={wait}"}
        return _response(another, applied) if another else _not_modified(encoded.tag, applied)

    async def answer_once(self, request: Request, work: Work, deadline: float, executor: Executor) -> Response:
        """The same for what is not to be asked again and again: nobody waits for another answer."""
        make = partial(_encode_answer, request, work)
        return tagged_response(request, await self._waiting.call(make, deadline, executor))

    async def _wait_for_another(
        self, request: Request, ask: Callable[[], Awaitable[Encoded]], known: str, wait: float
    ) -> Encoded | None:
        """The answer as soon as it is another one; None when the time is over, or the client has gone."""
        hub, end = self._waiting.hub, asyncio.get_running_loop().time() + wait
        hub.admit("ask without `Prefer: wait`")
        with hub.waiter() as waiter:
            leaving = asyncio.ensure_future(wake_on_disconnect(request.receive, waiter))
            try:
                while not (leaving.done() or hub.ended):
                    waiter.clear()
                    encoded = await ask()
                    if not has_tag(known, encoded.tag):
                        return encoded
                    left = end - asyncio.get_running_loop().time()
                    if left <= 0:
                        break
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(min(left, LOOK_AGAIN)):
                            await waiter.wait()
            finally:
                leaving.cancel()
        return None


TOO_BUSY = RetryLater(
    "the daemon is in the midst of something that takes longer",
    hint="it is done after that: `reconciler status` shows it",
)
"""What is said to whoever asked for a short operation that does not get its turn in time."""


class Api:
    """The routes of the endpoint table. `owner_word` is the parameter for whose sessions they are.

    `close` ends its threads: for sessions, for queries, for reads that may take long.
    """

    def __init__(self, services: Services, waiting: Waiting, deadlines: Deadlines) -> None:
        self._services, self._waiting, self._deadlines = services, waiting, deadlines
        self._reads = ConditionalReads(waiting)
        self._owner_word = services.context.session_layout().owner_kind.lower()
        self._executors = {
            Runs.SESSIONS: ThreadPoolExecutor(SESSION_THREADS, "sessions"),
            Runs.OWNERS: ThreadPoolExecutor(SESSION_THREADS, "sessions-new"),
            Runs.QUERY: ThreadPoolExecutor(QUERY_THREADS, "query"),
            Runs.WORKER: ThreadPoolExecutor(SLOW_THREADS, "slow-read"),
            Runs.URGENT: ThreadPoolExecutor(URGENT_THREADS, "urgent"),
        }
        self._runs = {
            Runs.LOOP: self._answer_now,
            Runs.WORKER: self._read,
            Runs.QUERY: self._query,
            Runs.EXPORT: self._export,
            Runs.OPERATIONS: self._operate,
            Runs.URGENT: self._act,
            Runs.SESSIONS: self._ask_sessions,
            Runs.OWNERS: self._ask_sessions,
        }

    def close(self) -> None:
        """End the threads."""
        for executor in self._executors.values():
            executor.shutdown(cancel_futures=True)

    def routes(self, special: Mapping[str, Handler]) -> list[Route]:
        """All routes; `special` handles the addresses, by path, that no call of a service answers."""
        return [
            Route(
                endpoint.path,
                special[endpoint.path] if endpoint.call is None else partial(self._handle, endpoint),
                methods=[endpoint.method],
            )
            for endpoint in ENDPOINTS
        ]

    async def _handle(self, endpoint: Endpoint, request: Request) -> Response:
        assert endpoint.call is not None
        _check_expiry(endpoint, request)
        arguments = dict(request.path_params) | read_parameters(endpoint, request, self._owner_word)
        if endpoint.body is not None:
            arguments |= await self._read_fields(endpoint, request)
        call = partial(self._services.bind(endpoint.call), **arguments)
        return await self._runs[endpoint.runs](endpoint, request, call)

    async def _answer_now(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        try:
            return json_response(to_json(call()))
        except ReconcilerError as error:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, endpoint.unavailable, str(error), hint=error.hint
            ) from error

    async def _operate(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        if endpoint.slow:
            answer = await self._waiting.result(call(), self._deadlines.operation)
        else:
            answer = await self._waiting.result(call(), self._deadlines.turn, TOO_BUSY)
        return json_response(to_json(answer))

    async def _act(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        """What waits for nobody: its future is done when it is given."""
        executor = self._executors[endpoint.runs]
        answer = await self._waiting.call(lambda: call().result(), self._deadlines.operation, executor)
        return json_response(to_json(answer))

    async def _ask_sessions(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        answer = await self._waiting.call(call, self._deadlines.read, self._executors[endpoint.runs])
        if endpoint.tagged:
            return tagged_response(request, _encode_answer(request, lambda: _json(answer)))
        return json_response(_json(answer), endpoint.status)

    async def _export(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        executor = self._executors[Runs.QUERY]
        return _file_response(await self._waiting.call(call, self._deadlines.operation, executor))

    async def _query(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        executor = self._executors[Runs.QUERY]
        return await self._reads.answer_once(request, lambda: _json(call()), self._deadline(endpoint), executor)

    async def _read(self, endpoint: Endpoint, request: Request, call: Call) -> Response:
        tag = weak_tag if endpoint.weak else strong_tag
        takes_long = endpoint.slow or AT.name in call.keywords  # what was once is asked of the history
        executor = self._executors[Runs.WORKER] if takes_long else None
        return await self._reads.answer(request, lambda: _json(call()), self._deadline(endpoint), tag, executor)

    def _deadline(self, endpoint: Endpoint) -> float:
        return self._deadlines.operation if endpoint.slow else self._deadlines.read

    async def _read_fields(self, endpoint: Endpoint, request: Request) -> dict[str, Any]:
        """The fields of a body; where none is named, all of it is the argument `given`."""
        if not endpoint.body:
            return {"given": await read_json(request, self._deadlines.body)}
        body = await read_object(request, {field.name: field.type for field in endpoint.body}, self._deadlines.body)
        for field in endpoint.body:
            value = body.get(field.name)
            if field.required and not str(value or "").strip():
                raise unprocessable(field.missing[0], hint=field.missing[1])
            if value is not None:
                body[field.name] = field.check(field.name, value)
        if endpoint.runs in (Runs.OPERATIONS, Runs.URGENT):
            body["by"] = str(body.get("by", "")).strip() or SOMEBODY
        return endpoint.gather(body)


def _check_expiry(endpoint: Endpoint, request: Request) -> None:
    """A daemon that was stopped finds old halts and releases when it goes on: a newer one may stand by then."""
    if endpoint.runs is not Runs.URGENT:
        return
    expires = request.headers.get(EXPIRES, "")
    if EPOCH.fullmatch(expires) and time.time() > float(expires):
        hint = "see what stands now, then ask again"
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "too-late", "this request came too late to be met", hint=hint)


def read_parameters(endpoint: Endpoint, request: Request, owner_word: str = "") -> dict[str, Any]:
    """The parameters of a request as arguments of the call. Raises `HttpError` for what makes no sense."""
    query, arguments = request.query_params, {}
    parameters = {owner_word if one.name == OWNER_NAME else one.name: one for one in endpoint.params}
    if endpoint.refuses:
        unknown = next((name for name in query if name not in parameters), None)
        if unknown is not None:
            message = f"there is no {endpoint.refuses} {unknown[:100]}"
            raise unprocessable(message, hint=suggest(unknown, parameters))
    for name, parameter in parameters.items():
        value = query.get(name)
        if parameter.missing[0] and (parameter.required if value is None else not value.strip()):
            raise unprocessable(parameter.missing[0].format(name), hint=parameter.missing[1])
        if value is not None:
            try:
                arguments[parameter.keyword] = parameter.parse(value)
            except ReconcilerError as error:
                raise translate_error(error) from error
    return arguments


def tagged_response(request: Request, encoded: Encoded) -> Response:
    """An answer with its tag; 304 to whoever has it."""
    same = request.method != "POST" and has_tag(if_none_match(request), encoded.tag)
    return _not_modified(encoded.tag) if same else _response(encoded)


def _json(answer: Answer | dict[str, Any]) -> dict[str, Any]:
    return to_json(answer) if isinstance(answer, Answer) else answer


def _encode_answer(request: Request, work: Work, tag: Tag = strong_tag) -> Encoded:
    body = work()
    text = encode_json(body)
    cursor = body.get("next")
    query = {**request.query_params, "cursor": cursor}
    following = f"{request.url.path}?{urlencode(query)}" if isinstance(cursor, str) else None
    return Encoded(text, tag(body, text), following)


def _response(encoded: Encoded, more: Mapping[str, str] | None = None) -> Response:
    headers = {**CACHED, "etag": encoded.tag, **(more or {})}
    if encoded.next_page:
        headers["link"] = f'<{encoded.next_page}>; rel="next"'
    return Response(encoded.text, headers=headers, media_type=JSON)


def _not_modified(tag: str, more: Mapping[str, str] | None = None) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**CACHED, "etag": tag, **(more or {})})


def _file_response(file: ExportedFile) -> Response:
    headers = {
        **NO_STORE,
        "content-length": str(os.fstat(file.content.fileno()).st_size),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(f'{file.table}.{file.form}', safe='')}",
        ROW_COUNT: str(file.rows),
    }
    return StreamingResponse(_chunks(file.content), headers=headers, media_type=MEDIA_TYPES[file.form])


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
