"""Who may do what: reads are free on this host, operations need a token, and no web page may ask for either.

A page somewhere in the web can make a browser on this host send requests. It cannot choose the Host header, which
gives a rebound name away, nor the Origin header of a POST, nor add a token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.web.answers import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a proxy: the client is then not on this host, although its connection comes from here."""
READS = frozenset({"GET", "HEAD"})


class Role(IntEnum):
    """What a token allows; the higher one includes the lower."""

    READ = 1
    OPERATE = 2


@dataclass(frozen=True, slots=True)
class Grant:
    """A token's role. Of the token only its SHA-256 is kept."""

    role: Role
    digest: bytes = field(repr=False)


def grant(token: str, role: Role) -> Grant:
    """What this token allows."""
    return Grant(role, _digest(token))


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens, and the names besides the local ones that this server goes by."""

    grants: tuple[Grant, ...]
    hosts: frozenset[str] = frozenset()

    def check(self, method: str, headers: Mapping[str, str], client: str | None) -> None:
        """Raise `HttpError` unless this request may go on: 421 unknown Host, 403 foreign Origin or role, 401 token."""
        host = headers.get("host", "")
        if host_name(host) not in LOCAL_NAMES | self.hosts:
            hint = "use 127.0.0.1 or localhost, or list the name for this server"
            raise HttpError(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", "this server has another name", hint=hint)
        origin = headers.get("origin")
        if method not in READS and origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise HttpError(HTTPStatus.FORBIDDEN, "foreign-origin", "pages of other sites may not operate this host")
        self._check_token(Role.READ if method in READS else Role.OPERATE, headers, client)

    def _check_token(self, needed: Role, headers: Mapping[str, str], client: str | None) -> None:
        given = headers.get("authorization")
        if given is None and needed is Role.READ and is_local(headers, client):
            return
        role = self._role(given or "")
        if role is None:
            hint = "send `Authorization: Bearer TOKEN`; the daemon's own token is in daemon.json in its state folder"
            headers = {"www-authenticate": "Bearer"}
            raise HttpError(HTTPStatus.UNAUTHORIZED, "no-token", "this needs a token", hint=hint, headers=headers)
        if role < needed:
            raise HttpError(HTTPStatus.FORBIDDEN, "read-only-token", "this token may only read")

    def _role(self, authorization: str) -> Role | None:
        scheme, _, token = authorization.partition(" ")
        digest = _digest(token.strip() if scheme.lower() == "bearer" else "")
        # Every grant is compared: how long it takes says nothing about which one it was
        found = [one.role for one in self.grants if hmac.compare_digest(one.digest, digest)]
        return max(found, default=None)


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


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
