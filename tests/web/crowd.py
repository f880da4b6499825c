"""A thousand clients that follow a server, on one thread."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from typing import TYPE_CHECKING

from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 100
ABRUPT = struct.pack("ii", 1, 0)
"""SO_LINGER so that closing resets the connection (RST), as the end of a process may."""


class Crowd:
    """Streams that are all open once it is made."""

    def __init__(self, host: str, port: int, size: int) -> None:
        self._ready = selectors.DefaultSelector()
        self._heard: dict[socket.socket, bytes] = {}
        for start in range(0, size, BATCH):
            for _ in range(min(BATCH, size - start)):
                opened = socket.create_connection((host, port), 10)
                opened.sendall(f"GET /v1/watch HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                self._heard[opened] = b""
                self._ready.register(opened, selectors.EVENT_READ)
            self.hear(b"\nid: ", DEADLINE)
        for opened in self._heard:
            self._heard[opened] = b""

    def hear(self, words: bytes, seconds: float) -> list[float]:
        """Wait until each has heard these words since the last time; the moments at which they had, in order."""
        limit, waiting, moments = time.monotonic() + seconds, set(self._heard), []
        for opened in [one for one in waiting if words in self._heard[one]]:
            waiting.discard(opened)
        while waiting:
            assert time.monotonic() < limit, (
                f"{len(waiting)} of {len(self._heard)} have not heard {words!r} but {self._other(waiting)!r}"
            )
            for opened in self._readable(0.1):
                if opened in waiting and words in self._heard[opened]:
                    waiting.discard(opened)
                    moments.append(time.perf_counter())
        return moments

    def _other(self, waiting: set[socket.socket]) -> bytes:
        return self._heard[next(iter(waiting))][-500:]

    def forget(self) -> None:
        """What was heard until now counts no more."""
        for _ in self._readable(0):
            pass
        for opened in self._heard:
            self._heard[opened] = b""

    def end(self, *, abruptly: bool) -> None:
        """Close all, as a client does or as a power cut does."""
        for opened in self._heard:
            if abruptly:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPT)
            opened.close()
        self._ready.close()
        self._heard.clear()

    def await_end(self, seconds: float) -> int:
        """Wait until the server has ended all; how many it ended as HTTP wants it."""
        limit, well, left = time.monotonic() + seconds, 0, set(self._heard)
        while left:
            assert time.monotonic() < limit, f"{len(left)} streams are still open"
            for opened in self._readable(0.1, left):
                left.discard(opened)
                well += self._heard[opened].endswith(b"0\r\n\r\n")
        return well

    def _readable(self, wait: float, ended: set[socket.socket] | None = None) -> Iterator[socket.socket]:
        """Read what is there; gives those with news, or with `ended` those that are at their end."""
        for key, _ in self._ready.select(wait):
            opened = key.fileobj
            assert isinstance(opened, socket.socket)
            try:
                data = opened.recv(65536)
            except ConnectionResetError:
                data = b""
            self._heard[opened] += data
            if not data:
                self._ready.unregister(opened)
            if ended is None or not data:
                yield opened
