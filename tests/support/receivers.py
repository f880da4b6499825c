"""A server on loopback that keeps what it is sent, and answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, str], bytes]
GOOD: Answer = (200, {}, b"{}")


@dataclass(frozen=True)
class Sent:
    """A request. Names of headers are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiving:
    """The server: what it was sent, and what it answers to it."""

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    answer: Callable[[Sent], Answer] = lambda sent: GOOD


@contextmanager
def receiving(answer: Callable[[Sent], Answer] = lambda sent: GOOD) -> Iterator[Receiving]:
    """A server that listens inside the block."""
    found = Receiving(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = Sent(self.command, self.path, headers, body)
            found.sent.append(sent)
            status, more, answered = found.answer(sent)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answered)), **more}.items():
                self.send_header(name, value)
            with suppress(OSError):  # it may be gone
                self.end_headers()
                self.wfile.write(answered)

        do_GET = do_PATCH = do_PUT = do_DELETE = do_POST  # noqa: N815  the library's names

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
