"""A TCP proxy that a test turns from one server to another, as a load balancer or a floating address does."""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

LOOK = 0.05


class Proxy(socketserver.ThreadingTCPServer):
    """Passes on what comes to `port` to the port `target` of this machine, plain where it came with `tls`."""

    allow_reuse_address = True

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.tls = tls
        self.port: int = self.server_address[1]
        self.target = target

    def turn(self, target: int) -> None:
        """Lead elsewhere from now on; what was open breaks."""
        self.target = target


class _Passing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        tls, target = self.server.tls, self.server.target
        with (
            contextlib.suppress(OSError),
            tls.wrap_socket(self.request, server_side=True) if tls else self.request as near,
            socket.create_connection(("127.0.0.1", target), 2) as far,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(near, selectors.EVENT_READ, (near, far))
            ready.register(far, selectors.EVENT_READ, (far, near))
            while self.server.target == target:
                for key, _ in ready.select(LOOK):
                    source, sink = key.data
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)


@contextlib.contextmanager
def proxy(target: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy, ended outside."""
    with Proxy(target, tls) as running:
        serving = threading.Thread(target=running.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield running
        finally:
            running.turn(0)
            running.shutdown()
            serving.join()
