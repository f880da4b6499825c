"""Who may do what: reads are free on this host, operations need a token, and no web page may ask for either.

A page somewhere in the web can make a browser on this host send requests. It cannot choose the Host header, which
gives a rebound name away, nor the Origin header of a POST, nor add a token.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.model.grants import Grant, Role, hash_token
from reconciler.web.answers import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a proxy: the client is then not on this host, although its connection comes from here."""
READS = frozenset({"GET", "HEAD"})
QUESTIONS = frozenset({"/v1/sql"})
"""Addresses where a POST is a read: the question is too long for an address."""


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens, and the names besides the local ones that this server goes by. `own` is the one in daemon.json."""

    own: Grant
    grants: tuple[Grant, ...] = ()
    hosts: frozenset[str] = frozenset()

    def granted(self, headers: Mapping[str, str]) -> Grant | None:
        """What the token of a request allows; None for none, or one that is not known."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = hash_token(token.strip() if scheme.lower() == "bearer" else "")
        # Every grant is compared: how long it takes says nothing about which one it was
        found = [one for one in (self.own, *self.grants) if hmac.compare_digest(one.digest, given)]
        return max(found, key=lambda one: one.role, default=None)

    def check(self, method: str, path: str, headers: Mapping[str, str], client: str | None) -> None:
        """Raise `HttpError` unless this request may go on: 421 unknown Host, 403 foreign Origin or role, 401 token."""
        granted = self.granted(headers)
        host = headers.get("host", "")
        # No page can know a token: whoever has one may call this server as it is called where they are
        if granted is None and host_name(host) not in LOCAL_NAMES | self.hosts:
            hint = "use 127.0.0.1 or localhost; with a token any name will do"
            raise HttpError(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", "this server has another name", hint=hint)
        origin = headers.get("origin")
        if method not in READS and origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise HttpError(HTTPStatus.FORBIDDEN, "foreign-origin", "pages of other sites may not operate this host")
        needed = Role.READ if method in READS or path in QUESTIONS else Role.OPERATE
        if "authorization" not in headers and needed is Role.READ and is_local(headers, client):
            return
        if granted is None:
            raise _no_token()
        if granted.role < needed:
            raise HttpError(HTTPStatus.FORBIDDEN, "read-only-token", "this token may only read")


def _no_token() -> HttpError:
    hint = "send `Authorization: Bearer TOKEN`: one of http.tokens, or on this host the one in daemon.json"
    headers = {"www-authenticate": "Bearer"}
    return HttpError(HTTPStatus.UNAUTHORIZED, "no-token", "this needs a token", hint=hint, headers=headers)


def is_local(headers: Mapping[str, str], client: str | None) -> bool:
    """Whether a request was made on this host, and not passed on by a proxy here."""
    if client is None or any(name in headers for name in FORWARDED):
        return False
    address = ipaddress.ip_address(client.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def host_name(host: str) -> str:
    """The name in a Host header (RFC 9110, section 7.2): without port, brackets and the root's dot, in lower case."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")
