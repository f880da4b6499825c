"""One connection to a client: it may not be silent for long, and there may not be too many."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds for a request's line and headers to arrive."""
STALL = 20.0
"""Seconds in which a client may take nothing of its answer."""
READ = 16 * 1024
"""Bytes read at once. asyncio's own 256 KiB, cut to what came and freed again, tear holes into the heap: a hundred MB
after as many thousand requests, although nothing is kept."""
MAX_CONNECTIONS = 2_000
"""Connections at once; more are hung up on. A process may have some thousand files open."""


class Connection(H11Protocol):
    """uvicorn's, with a deadline for what comes before the body. The body's is the application's business."""

    _head: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin waiting for a request."""
        assert isinstance(transport, asyncio.Transport)
        transport.max_size = READ  # type: ignore[attr-defined]  # asyncio documents no way to ask for less
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when the request is there; wait again when the next one has begun."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait_for_head()
        else:
            self._end_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._end_waiting()
        self._end_stall()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn does not after a reset: the timer would keep it all for 5 s

    def pause_writing(self) -> None:
        """The client does not take what it asked for: it has a while to go on."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL, self.transport.abort)

    def resume_writing(self) -> None:
        """It does."""
        self._end_stall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so in the form that everything else has."""
        body = {"error": {"code": "not-http", "message": "this is not an HTTP/1.1 request", "hint": ""}}
        data = json.dumps(body).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(data))),
            ("connection", "close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=data), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def drop_unfinished_request(self) -> None:
        """When the server stops: whoever has not sent all of a request need not go on."""
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            self.transport.abort()

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _wait_for_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(HEAD, self.timeout_keep_alive_handler)

    def _end_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
