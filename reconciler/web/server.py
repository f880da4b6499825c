"""uvicorn on a thread of its own: listening before anybody is told so, gone when it was stopped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol as HttpConnection

from reconciler.errors import BugError, NeedsHuman, UsageError
from reconciler.web.app import App
from reconciler.web.auth import client_key
from reconciler.web.waiting import EventHub, Waiting

if TYPE_CHECKING:
    from reconciler.web.app import ServedHost
    from reconciler.web.auth import ServerConfig


THREAD = "http"
WORKERS = 4
"""Calls to the daemon that may take their time at once."""
START, GRACE, END = 5.0, 1, 4.0
"""Seconds: to start, for answers under way when it stops, and for the thread to end."""
BACKLOG = 1024
FILES = 4096
"""Files that this process should be allowed to have open: each client is one."""


_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})")
MAX_PORT = 65_535
HINT = "http.listen is an address and a port: 127.0.0.1:8642, [::1]:8642; port 0 is any free one"


class Listen(Struct, frozen=True):
    """An address and a port; as text as it stands in a URL."""

    host: str
    port: int

    @property
    def local(self) -> Listen:
        """How programs on this host get there: an address that stands for all of them is not one to call."""
        return Listen({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104  a key

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """Raises `UsageError` for what is no address and port."""
    match = _LISTEN.fullmatch(text.strip())
    if match is None or int(match["port"]) > MAX_PORT:
        raise UsageError(f"cannot listen on {text!r}", hint=HINT)
    return Listen(match["six"] or match["host"], int(match["port"]))


class HttpServer:
    """The HTTP side of a daemon. A context manager: it listens inside, and its threads are gone outside."""

    def __init__(self, host: ServedHost, config: ServerConfig, listen: Listen) -> None:
        """Takes the address at once. Raises `NeedsHuman` when that is not to be had.

        `address` is the one taken, with its port; `address.local` is how programs on this host call it.
        """
        self._waiting = Waiting(EventHub(host.events))
        self._socket = _bind(listen)
        allow_files(FILES)
        self.address = Listen(listen.host, self._socket.getsockname()[1])
        self._app = App(host, replace(config, hosts=config.hosts | {listen.host}), self._waiting)
        uvicorn_config = uvicorn.Config(
            self._app.starlette,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = _Server(uvicorn_config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)

    def __enter__(self) -> HttpServer:
        self._thread.start()
        if not self._server.up.wait(START) or self._failure is not None:
            self.stop()
            raise BugError(f"the HTTP server did not start on {self.address}") from self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive() and not self._server.should_exit

    def stop(self) -> None:
        """Answer what is under way, or refuse it, and end; again does nothing. Raises `BugError` if it does not end."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._end()
        self._app.close()
        self._socket.close()

    def _end(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._waiting.stop)
        self._thread.join(END)
        if self._thread.is_alive():
            raise BugError(f"the thread {THREAD} did not end within {END:g} s: a call to the daemon does not return")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  handed to whoever started this thread
            self._failure = error
        finally:
            self._server.up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(WORKERS, thread_name_prefix=f"{THREAD}-call"))
        with self._waiting.hub.listen():
            await self._server.serve(sockets=[self._socket])


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is up, and does not wait for half a request when it stops."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.drop_unfinished_request()
        await super().shutdown(sockets)


def _bind(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off: else each answer waits 40 ms for its other half
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let two programs have one address
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # an address that was in use a moment ago may be had again
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((listen.host, listen.port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise _bind_error(listen, error) from error
    return opened


def _bind_error(listen: Listen, error: OSError) -> NeedsHuman:
    if error.errno == errno.EADDRINUSE:
        asked = f"`ss -ltnp 'sport = :{listen.port}'`, on Windows `Get-NetTCPConnection -LocalPort {listen.port}`"
        hint = f"ask who it is ({asked}), or choose another port: run --port N, or http.listen"
        return NeedsHuman(f"cannot listen on {listen}: another program does already", hint=hint)
    why = (error.strerror or str(error)).lower()
    hint = "set http.listen to an address of this host, and a free port"
    return NeedsHuman(f"cannot listen on {listen}: {why}", hint=hint)


def allow_files(wanted: int) -> None:
    """Raise the limit to so many, as far as that may be done. On Windows there is none to raise."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  Windows has no such module

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # a container may forbid it: the server takes fewer clients then
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


HEAD = 10.0
"""Seconds for a request's line and headers to arrive."""
STALL = 20.0
"""Seconds in which a client may take nothing of its answer."""
READ = 16 * 1024
"""Bytes read at once. asyncio's own 256 KiB, cut to what came and freed again, tear holes into the heap: a hundred MB
after as many thousand requests, although nothing is kept."""
MAX_CONNECTIONS = 2_000
"""Connections at once; more are hung up on. A process may have some thousand files open."""
MAX_OF_CLIENT = 1_800
"""Connections of one address at once: all streams that there may be, and requests beside them. That may be a proxy, or
all programs of this host, so it is not a small share; the rest is for other addresses."""
LINGER, MAX_LINGERING = 1.0, 100
"""Seconds that a client has to read why it is refused, and how many may: closed at once, it would see a reset."""


class Connection(HttpConnection):
    """uvicorn's, with a deadline for what comes before the body. The body's is the application's business."""

    _head: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _address = ""
    _refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin waiting for a request."""
        assert isinstance(transport, asyncio.Transport)
        transport.max_size = READ  # type: ignore[attr-defined]  # asyncio documents no way to ask for less
        super().connection_made(transport)
        self._address = client_key(self.client[0] if self.client else None)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        elif len(self.connections) > MAX_OF_CLIENT and self._are_too_many():
            self._refuse()
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when the request is there; wait again when the next one has begun."""
        if self._refused:
            return
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
        self._send_error(HTTPStatus.BAD_REQUEST, "not-http", "this is not an HTTP/1.1 request")
        self.transport.close()

    def _send_error(self, status: int, code: str, message: str, hint: str = "") -> None:
        data = json.dumps({"error": {"code": code, "message": message, "hint": hint}}).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(data))),
            ("connection", "close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=data), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")

    def _are_too_many(self) -> bool:
        others = [one for one in self.connections if isinstance(one, Connection) and not one._refused]
        return len([one for one in others if one._address == self._address]) > MAX_OF_CLIENT

    def _refuse(self) -> None:
        """Say why there is no connection for this client; what it asks is not read."""
        self._refused = True
        if sum(isinstance(one, Connection) and one._refused for one in self.connections) > MAX_LINGERING:
            self.transport.abort()
            return
        message = f"{MAX_OF_CLIENT:,} connections from your address are open, and there is room for no more"
        self._send_error(HTTPStatus.TOO_MANY_REQUESTS, "too-many", message, "close some of them")
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.abort)

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
