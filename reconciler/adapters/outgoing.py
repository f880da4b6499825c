"""Requests to programs elsewhere: bounded in time and size, never redirected, and with no address in an error.

An address may be all that it takes to write to a receiver, and a token goes to one host only: what a redirect names is
another. A server that sends a byte now and then would outlast any timeout of the socket, so a timer ends the exchange.
"""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from msgspec import Struct
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

TIMEOUT = 10.0
"""Seconds until a connection is there, and between two signs of life."""
DEADLINE = 20.0
"""Seconds that an exchange may take in all."""
MAX_BODY = 64 << 10
"""Bytes of an answer that are read where nobody says another number."""
PIECE = 64 << 10
PROXY_SCHEMES = ("http", "https")


class Reply(Struct, frozen=True):
    """The answer of a server. Names of headers are lower case; of a longer `body` its beginning is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The sockets of one exchange. For any thread, but for `add`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.was_cut = False

    def add(self, opened: socket.socket) -> None:
        """Know a socket by a handle of its own: TLS takes the first one for itself."""
        with self._lock:
            self._sockets.append(opened.dup())
        if self.was_cut:
            self.cut()

    def cut(self) -> None:
        """End the exchange: whoever reads or writes meets an error at once."""
        with self._lock:
            self.was_cut = True
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Forget the sockets."""
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()


_WIRE: ContextVar[Wire] = ContextVar("wire")


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        _WIRE.get().add(opened)
        return opened


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        _WIRE.get().add(opened)
        return opened


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _PlainPool, "https": _TlsPool}


class HttpClient:
    """Sends requests for one thread; `stop` is for any.

    Proxies are those of the environment, or of the system's settings. `ca_cert` is a file of authorities to trust in
    place of the system's. `label` is how errors call the other end.
    """

    def __init__(self, label: str, ca_cert: str = "", *, timeout: float = TIMEOUT, deadline: float = DEADLINE) -> None:
        self._label, self._ca_cert = label, ca_cert
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)
        self._deadline = deadline
        self._wire: Wire | None = None
        self._stopped = False

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        max_body: int = MAX_BODY,
    ) -> Reply:
        """Send a request and read the answer, whatever its status.

        Raises `RetryLater` when there is none, `NeedsHuman` when there never will be: neither names the address.
        """
        try:
            with self._wired(), self._manager(url) as manager:
                response = manager.request(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", "Connection": "close", **headers},
                    body=body,
                    timeout=self._timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                lower = {name.lower(): value for name, value in response.headers.items()}
                reply = Reply(response.status, lower, _read(response, max_body))
        except (exceptions.HTTPError, OSError, ValueError) as error:
            cut = self._wire is not None and self._wire.was_cut
            raise self._explain(error, cut=cut) from None  # the error of the library has the address in it
        finally:
            if self._wire is not None:
                self._wire.close()
        if self._wire is not None and self._wire.was_cut:  # then what is there ends like what is complete
            raise self._explain(TimeoutError(), cut=True)
        return reply

    def check(self) -> None:
        """Raise `NeedsHuman` for a `ca_cert` that cannot be read."""
        self._tls()

    def stop(self) -> None:
        """End an exchange that is under way, and let none begin."""
        self._stopped = True
        if self._wire is not None:
            self._wire.cut()

    @contextmanager
    def _wired(self) -> Iterator[None]:
        self._wire = wire = Wire()
        if self._stopped:
            wire.cut()
        timer = threading.Timer(self._deadline, wire.cut)
        timer.name, timer.daemon = "notify-deadline", True
        token = _WIRE.set(wire)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            _WIRE.reset(token)

    @contextmanager
    def _manager(self, url: str) -> Iterator[urllib3.PoolManager]:
        proxy = find_proxy(url)
        context = self._tls() if urlsplit(url).scheme == "https" or (proxy or "").startswith("https:") else None
        if proxy is None:
            manager = urllib3.PoolManager(1, ssl_context=context)
        else:
            headers = proxy_headers(proxy)
            manager = urllib3.ProxyManager(
                proxy, 1, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context
            )
        manager.pool_classes_by_scheme = POOLS
        try:
            yield manager
        finally:
            manager.clear()

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_cert or None)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or "it holds no certificate"
            hint = "name a file of certificates in PEM that this user may read"
            raise NeedsHuman(f"{self._label}: cannot read ca_cert {self._ca_cert}: {why}", hint=hint) from None

    def _explain(self, error: Exception, *, cut: bool) -> RetryLater | NeedsHuman:
        if cut:
            why = "the daemon stops" if self._stopped else f"it did not answer in full within {self._deadline:g} s"
            return RetryLater(f"{self._label}: {why}")
        chain = list(_causes(error))
        for cause in chain:
            if isinstance(cause, ssl.SSLCertVerificationError):
                hint = "name its authority in ca_cert, or see that this host's clock is right"
                return NeedsHuman(f"{self._label}: its certificate is not trusted: {cause.verify_message}", hint=hint)
        for kind, why in REASONS:
            if any(isinstance(cause, kind) for cause in chain):
                return RetryLater(f"{self._label}: {why}")
        refusal = next((cause for cause in reversed(chain) if isinstance(cause, OSError) and cause.strerror), None)
        return RetryLater(
            f"{self._label}: {(refusal.strerror or '').lower() if refusal else 'the exchange was broken off'}"
        )


REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.ProxyError, "the proxy does not let it through, or does not answer"),
    (exceptions.NameResolutionError, "the name of its host cannot be resolved"),
    (ConnectionRefusedError, "nothing listens there"),
    (exceptions.ConnectTimeoutError, "it does not answer"),
    (exceptions.ReadTimeoutError, "it does not answer"),
    (TimeoutError, "it does not answer"),
    (ssl.SSLError, "TLS does not come about"),
    (exceptions.LocationValueError, "its address is none"),
)


def find_proxy(url: str) -> str | None:
    """The proxy for an address, by the environment or the system's settings; None for none."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    return proxy if urlsplit(proxy).scheme in PROXY_SCHEMES else None


def proxy_headers(proxy: str) -> dict[str, str] | None:
    """Who asks the proxy, by the login in its address, in which `@`, `:` and `/` are written `%40`, `%3A`, `%2F`."""
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    name, _, password = login.partition(":")
    text = f"{unquote(name)}:{unquote(password)}".encode()
    return {"proxy-authorization": f"Basic {b64encode(text).decode()}"} if login else None


def _read(response: BaseHTTPResponse, most: int) -> bytes:
    """The body, or its beginning: the rest is left with the connection, which is closed."""
    body = b""
    while len(body) < most and (piece := response.read(min(PIECE, most - len(body)))):
        body += piece
    return body


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those behind it: urllib3 keeps the telling one as the `reason` of its last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None) or getattr(error, "original_error", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
