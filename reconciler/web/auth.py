"""Who may do what: reads are free on this host unless it is set otherwise, operations need a token, and no web page may
ask for either.

A page somewhere in the web can make a browser on this host send requests. It cannot choose the Host header, which
gives a rebound name away, nor Origin and the fetch metadata, which give the page away, nor add a token.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import math
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.requests import Request

from reconciler.model.grants import Grant, Role, hash_token
from reconciler.service.endpoint import Role as Needs
from reconciler.service.endpoints import ENDPOINTS
from reconciler.web.http import HttpError
from reconciler.web.pages.responses import wants_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a proxy: the client is then not on this host, although its connection comes from here."""
READS = frozenset({"GET", "HEAD"})
READ_BY_POST = frozenset(
    endpoint.path for endpoint in ENDPOINTS if endpoint.method not in READS and endpoint.role is Needs.READ
)
"""Addresses where a POST is a read: the question is too long for an address."""


class Access(Struct, frozen=True):
    """The tokens, and the names besides the local ones that this server goes by. `own` is the one in daemon.json.

    `local_reads` need no token: other users of this host may read what they could not in the state folder.
    """

    own: Grant
    grants: tuple[Grant, ...] = ()
    hosts: frozenset[str] = frozenset()
    local_reads: bool = True

    def granted(self, headers: Mapping[str, str]) -> Grant | None:
        """What the token of a request allows; None for none, or one that is not known."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        is_typed = scheme.lower() == "basic"
        token = _read_password(credentials) if is_typed else credentials.strip() if scheme.lower() == "bearer" else ""
        given = hash_token(token)
        # Every grant is compared: how long it takes says nothing about which one it was
        matching = [grant for grant in (self.own, *self.grants) if hmac.compare_digest(grant.digest, given)]
        found = max(matching, key=lambda grant: grant.role, default=None)
        # A browser adds a password to whatever it asks from now on, so that is no sign that somebody wants to operate
        return Grant(Role.READ, found.digest) if found is not None and is_typed else found

    def check(self, method: str, path: str, headers: Mapping[str, str], client: str | None) -> None:
        """Raise `HttpError` unless this request may go on: 421 unknown Host, 403 role, 401 token."""
        granted = self.granted(headers)
        host = parse_authority(headers.get("host", ""))
        # No page can know a token: whoever has one may call this server as it is called where they are
        if host is None or (granted is None and host.name not in LOCAL_NAMES | self.hosts):
            hint = "use 127.0.0.1 or localhost; with a token any name will do"
            raise HttpError(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", "this server has another name", hint=hint)
        needed = Role.READ if method in READS or path in READ_BY_POST else Role.OPERATE
        is_open = self.local_reads and needed is Role.READ and is_local(headers, client)
        if is_open and "authorization" not in headers:
            return
        if granted is None:
            raise _no_token()
        if granted.role < needed:
            raise HttpError(HTTPStatus.FORBIDDEN, "read-only-token", "this token may only read")


def _no_token() -> HttpError:
    hint = "send `Authorization: Bearer TOKEN`: one of http.tokens, or on this host the one in daemon.json"
    headers = {"www-authenticate": "Bearer"}
    return HttpError(HTTPStatus.UNAUTHORIZED, "no-token", "this needs a token", hint=hint, headers=headers)


SIGN_IN = {"www-authenticate": 'Basic realm="reconciler", charset="UTF-8"'}
"""Has a browser ask whoever sits before it for a password (RFC 7617). It keeps that for this address and port alone,
which a cookie is not, and `check_site` refuses what pages of other sites ask with it."""


def _ask_to_sign_in() -> HttpError:
    hint = "enter a token as the password, and any user: one of http.tokens, or on this host the one in daemon.json"
    return HttpError(HTTPStatus.UNAUTHORIZED, "no-token", "this needs a token", hint=hint, headers=SIGN_IN)


def _read_password(credentials: str) -> str:
    """The password of `Basic` credentials; empty for what is none."""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:  # no Base64, or no UTF-8 in it
        return ""


def is_local(headers: Mapping[str, str], client: str | None) -> bool:
    """Whether a request was made on this host, and not passed on by a proxy here."""
    if client is None or any(name in headers for name in FORWARDED):
        return False
    address = ipaddress.ip_address(client.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class Authority(Struct, frozen=True):
    """A name, in lower case and without brackets and the root's dot, and a port where one is given."""

    name: str
    port: int | None


_AUTHORITY = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._~!$&'()*+,;=%-]*))(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
PORTS = range(1, 65_536)


def parse_authority(text: str) -> Authority | None:
    """What a Host header names (RFC 9110, section 7.2); None for what is no name or address with at most a port.

    The grammar (RFC 3986, section 3.2.2) lets a port be empty; no client writes it so.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = None if match["port"] is None else int(match["port"])
    if port is not None and (port not in PORTS or not (match["six"] or match["name"])):
        return None
    if match["six"] is None:
        return Authority(match["name"].lower().removesuffix("."), port)
    try:
        return Authority(str(ipaddress.IPv6Address(match["six"])), port)
    except ValueError:
        return None


OWN_SITES = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site: this server's pages, and what a person does in the browser itself, as with a bookmark. `same-site`
is not among them: to a browser all ports of this host are one site."""
DEFAULT_PORTS = {"http": 80, "https": 443}


def check_site(request: Request) -> None:
    """Raise `HttpError` (403) for what a page of another site makes a browser ask. It could not read the answer, but
    time it, and keep this host busy. To open a page as a tab of its own is no more than a link does.

    https://w3c.github.io/webappsec-fetch-metadata/: browsers add Sec-Fetch-Site to whatever they ask of this host.
    """
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if (origin is None or _is_own(origin, headers.get("host", ""))) and site.lower() in OWN_SITES:
        return
    if not (request.method in READS and origin is None and _opens_page(request)):
        message = "pages of other sites may not ask this host anything"
        hint = "open the address in a tab of its own, or ask with a program"
        raise HttpError(HTTPStatus.FORBIDDEN, "foreign-origin", message, hint=hint)


def _opens_page(request: Request) -> bool:
    headers = request.headers
    opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return opens and wants_page(request.scope)


def _is_own(origin: str, host: str) -> bool:
    """Whether an Origin header names the server that the Host header does. A proxy may have taken TLS off."""
    scheme, found, authority = origin.lower().partition("://")
    ours, theirs = parse_authority(host), parse_authority(authority)
    if not found or ours is None or theirs is None or not theirs.name:
        return False
    default = DEFAULT_PORTS.get(scheme)
    return (ours.name, ours.port or default) == (theirs.name, theirs.port or default)


OPEN = frozenset(endpoint.path for endpoint in ENDPOINTS if endpoint.role is Needs.OPEN)
SIGNED = tuple(endpoint.path.partition("{")[0] for endpoint in ENDPOINTS if endpoint.role is Needs.SIGNED)
"""Addresses without Host, Origin and token: probes say nothing worth hiding, webhooks have their signature."""


class Limits:
    """How often each client has asked, and how often with a token that is wrong. `now` is in monotonic seconds."""

    def __init__(self, reading: Rate, failing: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._asked, self._failed = Buckets(reading), Buckets(failing)

    def admit(self, client: str, *, with_token: bool) -> None:
        """Count a request. Raises `HttpError` (429) when there were too many, or too many tokens that are wrong."""
        now = self._now()
        wait = self._asked.wait(client, now)
        if wait:
            raise _too_many("you ask more often than this host answers", wait)
        self._asked.take(client, now)
        wait = self._failed.wait(client, now) if with_token else 0.0
        if wait:
            raise _too_many("too many tokens from your address were wrong", wait)

    def failed(self, client: str) -> None:
        """Count a token that is wrong."""
        self._failed.take(client, self._now())


class AuthMiddleware:
    """Admits a request, or raises `HttpError`."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self._app, self._access, self._limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every address but the open ones, those that do not exist too."""
        path: str = scope["path"]
        if not (path in OPEN or path.startswith(SIGNED)):
            self._check(Request(scope))
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        # First, and whatever the token: pages of other sites use up nobody's share
        check_site(request)
        address = request.client.host if request.client else None
        client, given = client_key(address), "authorization" in request.headers
        granted = self._access.granted(request.headers)
        # The daemon's own token nobody guesses, so whoever has it is never kept waiting by those who try
        if granted is not self._access.own:
            self._limits.admit(client, with_token=given)
        if given and granted is None:
            self._limits.failed(client)
        try:
            self._access.check(request.method, request.url.path, request.headers, address)
        except HttpError as error:
            if error.status == HTTPStatus.UNAUTHORIZED and wants_page(request.scope):
                raise _ask_to_sign_in() from error
            raise


def _too_many(message: str, wait: float) -> HttpError:
    seconds = str(math.ceil(wait))
    headers = {"retry-after": seconds}
    return HttpError(HTTPStatus.TOO_MANY_REQUESTS, "too-many", message, hint=f"wait {seconds} s", headers=headers)


MAX_BUCKETS = 10_000
WAIT_DIGITS = 6
"""Of a second: less is an error of rounding, and nobody waits for that."""
NETWORK_BITS = 64
"""Bits of an IPv6 address that are one client: whoever has one address of these has them all."""


class Rate(Struct, frozen=True):
    """So many in a second on average, and so many at once."""

    per_second: float
    burst: int


READING = Rate(1_000.0, 5_000)
"""Requests of any kind: more than one program asks for by mistake, and room for a thousand streams opened together."""
FAILING = Rate(10 / 60, 10)
"""Tokens that are wrong."""


class Buckets:
    """A token bucket for each client: it fills at a rate, and each request takes one.

    As in GCRA (ITU-T I.371) one number stands for a bucket: the monotonic second at which it is full again. So a full
    one need not be kept.
    """

    def __init__(self, rate: Rate, most: int = MAX_BUCKETS) -> None:
        self._interval = 1 / rate.per_second
        self._room = (rate.burst - 1) * self._interval
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, client: str, now: float) -> float:
        """Seconds until this client may ask again; 0 when it may now."""
        return max(0.0, round(self._full_at.get(client, now) - now - self._room, WAIT_DIGITS))

    def take(self, client: str, now: float) -> None:
        """Count a request. The bucket that was used longest ago is forgotten when there are too many."""
        self._full_at[client] = max(self._full_at.get(client, now), now) + self._interval
        self._full_at.move_to_end(client)
        while self._full_at and (len(self._full_at) > self._most or self._oldest() <= now):
            self._full_at.popitem(last=False)

    def _oldest(self) -> float:
        return next(iter(self._full_at.values()))


def client_key(address: str | None) -> str:
    """Who asks from an address: itself, or of IPv6 its network."""
    if address is None:
        return ""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, NETWORK_BITS), strict=False))


class Deadlines(Struct, frozen=True):
    """Seconds: for a body to arrive, a short answer, the turn of a short operation, and the end of a long one."""

    body: float = 10.0
    read: float = 10.0
    turn: float = 9.0
    operation: float = 300.0


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """`token` is the one in daemon.json, `grants` are of other tokens, `hosts` the names besides the local ones.

    No webhook secret, no webhooks. `reading` is how often a client may ask, `failing` how often with a wrong token.
    `local_reads` need no token.
    """

    token: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset()
    deadlines: Deadlines = field(default_factory=Deadlines)
    grants: tuple[Grant, ...] = ()
    reading: Rate = READING
    failing: Rate = FAILING
    local_reads: bool = True
