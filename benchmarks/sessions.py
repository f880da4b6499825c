"""Sessions and the live view on the embedded server: how many calls a second, and how long the slow ones take."""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import sys
import tempfile
import time
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from benchmarks.measure import Figure
from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.connection import connect, script
from reconciler.adapters.redis.server import EmbeddedServer
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.client import Config
from reconciler.model.change import Op
from reconciler.model.live import NewSession, ViewMark, ViewStep, ViewWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS, CALLS = 8, 2_000
ROWS, LOOK_UPS = 10_000, 5_000
BUDGET = 256 * 1024 * 1024
FINGERPRINT = "hmac-sha256:" + "x" * 43
ROW = '{"value":"' + "x" * 400 + '"}'


def operations(folder: Path) -> Iterator[Figure]:
    """Begin, touch, get and list from eight processes; then the same scripts without a driver."""
    del folder  # a socket's path has to be short
    with tempfile.TemporaryDirectory() as state, EmbeddedServer(Path(state), BUDGET) as server:
        with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
            pool.map(_warm, [server.url] * CLIENTS)
            began = time.perf_counter()
            taken = [one for many in pool.map(_calls, [server.url] * CLIENTS, chunksize=1) for one in many]
            seconds = time.perf_counter() - began
        yield Figure(f"session calls of {CLIENTS} programs that share its processors", f"{len(taken) / seconds:,.0f}/s")
        yield Figure("the same, 99 of 100 are faster", f"{quantiles(taken, n=100)[-1] * 1000:.1f} ms")
        began = time.perf_counter()
        taken = _bare(server.url)
        seconds = time.perf_counter() - began
        yield Figure(
            f"touches and looks of {CLIENTS} connections without a driver", f"{len(taken) / seconds:,.0f}/s", "5,000/s"
        )
        yield Figure("the same, 99 of 100 are faster", f"{quantiles(taken, n=100)[-1] * 1000:.1f} ms", "10 ms")
        with connect(server.url, answer_timeout=5) as link:
            sessions, owner = RedisSessions(link, "user:", "user_id"), str(uuid4())
            for _ in range(20_000):
                sessions.create(NewSession(str(uuid4()), owner, "203.0.113.7", FINGERPRINT))
            began = time.perf_counter()
            sessions.expire_all(owner)
            yield Figure("20,000 sessions of one user end", f"{time.perf_counter() - began:.2f} s", "1 s")


def look_ups(folder: Path) -> Iterator[Figure]:
    """A program looks rows up; the daemon writes a small step and the whole view."""
    del folder
    with tempfile.TemporaryDirectory() as state, EmbeddedServer(Path(state), BUDGET) as server:
        link, config = connect(server.url, answer_timeout=5), Config(server.url)
        with link, config:
            cache = RedisCache(link, BUDGET)
            writes = [ViewWrite(Op.CREATE, "user", f"u{one:06}", f"{one:036}", ROW) for one in range(ROWS)]
            began = time.perf_counter()
            cache.rebuild(writes, ViewMark("0", "0", 0))
            yield Figure(f"live view rebuilt, {ROWS:,} rows", f"{time.perf_counter() - began:.2f} s", "5 s")
            taken = [_timed(partial(config.user, f"u{number % ROWS:06}")) for number in range(LOOK_UPS)]
            yield Figure("look-up through the client, median", f"{median(taken) * 1000:.2f} ms", "1 ms")
            yield Figure("the same, 99 of 100 are faster", f"{quantiles(taken, n=100)[-1] * 1000:.2f} ms")
            steps = [ViewStep(_mark(one), _mark(one + 1), tuple(writes[:3])) for one in range(200)]
            taken = [_timed(partial(cache.advance, one)) for one in steps]
            yield Figure("step of 3 rows, median", f"{median(taken) * 1000:.2f} ms", "2 ms")


def _mark(number: int) -> ViewMark:
    return ViewMark(str(number), str(number), number)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _warm(url: str) -> None:
    with connect(url, answer_timeout=5) as link:
        link.ask("PING")
    time.sleep(0.3)  # so that each of the processes has one


def _calls(url: str) -> list[float]:
    taken: list[float] = []
    with connect(url, answer_timeout=5) as link:
        sessions, owner = RedisSessions(link, "user:", "user_id"), str(uuid4())
        while len(taken) < CALLS:
            new = NewSession(str(uuid4()), owner, "203.0.113.7", FINGERPRINT)
            touch, get = partial(sessions.touch, new.id), partial(sessions.get, new.id)
            taken.append(_timed(partial(sessions.create, new)))
            taken += [_timed(touch) for _ in range(5)]
            taken += [_timed(get) for _ in range(3)]
            taken.append(_timed(partial(sessions.page, owner, 10)))
    return taken


def _bare(url: str) -> list[float]:
    """Seconds of each of many touches and looks that eight connections send in turn, one at a time each.

    What redis-benchmark does, which no package here has: no driver, so that it is the server that is measured.
    """
    owner = str(uuid4())
    with connect(url, answer_timeout=5) as link:
        sessions = RedisSessions(link, "user:", "user_id")
        new = [NewSession(str(uuid4()), owner, "203.0.113.7", FINGERPRINT) for _ in range(CLIENTS)]
        for one in new:
            sessions.create(one)
            sessions.touch(one.id)
            sessions.get(one.id)
    header = ("", str(30 * 60_000), str(7 * 86_400_000), "user_id", "user:")
    digests = [script("when_full", "session", f"session_{what}").digest for what in ("touch", "get")]
    ready = selectors.DefaultSelector()
    asked: dict[socket.socket, float] = {}
    taken: list[float] = []
    for one in new:
        opened = _opened(url)
        calls = cycle(_packed("EVALSHA", digest, "1", f"session:{one.id}", *header, one.id) for digest in digests)
        ready.register(opened, selectors.EVENT_READ, calls)
        asked[opened] = time.perf_counter()
        opened.sendall(next(calls))
    while len(taken) < CLIENTS * CALLS:
        for key, _ in ready.select():
            answered = key.fileobj
            assert isinstance(answered, socket.socket)
            if answered.recv(4096).startswith(b"-"):
                raise RuntimeError("the server refused a call")
            now = time.perf_counter()
            taken.append(now - asked[answered])
            asked[answered] = now
            answered.sendall(next(key.data))
    for opened in asked:
        opened.close()
    return taken


def _opened(url: str) -> socket.socket:
    if sys.platform == "win32":
        raise RuntimeError("the embedded server does not run on Windows")
    parts = urlsplit(url)
    opened = socket.socket(socket.AF_UNIX)
    opened.connect(unquote(parts.path))
    opened.sendall(_packed("AUTH", parse_qs(parts.query)["password"][0]))
    opened.recv(100)
    return opened


def _packed(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"".join(parts)
