"""What a `redis.url` says: where the server or its Sentinels are, which login and database, and how TLS is checked.

Parameters have the names that redis-py gives them. One that is not known is refused: left out, it would be missed where
it matters.
"""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

from reconciler.errors import NeedsHuman, UsageError
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SETTING = "redis.url"
URL_HINT = (
    "write redis://host:6379/0, rediss://host:6379/0, unix:///path/to/socket "
    "or redis+sentinel://host:26379,host:26379/mymaster/0"
)
PORT, SENTINEL_PORT, MAX_PORT = 6379, 26379, 65535
SOCKET = "unix"
SENTINEL = "+sentinel"
SCHEMES = ("redis", "rediss", SOCKET, f"redis{SENTINEL}", f"rediss{SENTINEL}")
NODE = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<name>[^\[\]:@/]*))(?::(?P<port>\d{1,5}))?")
"""A name or an address, one of IPv6 in brackets, and a port (RFC 3986, section 3.2)."""
CERTIFICATE_CHECKS = ("required", "optional", "none")


class ServerUrl(Struct, frozen=True):
    """Where a server is: `nodes` are itself or its Sentinels, which call it `service`; `socket` is a path instead.

    `options` are those of the driver, `sentinel_options` the login of the Sentinels. Both hold passwords.
    """

    nodes: tuple[tuple[str, int], ...]
    service: str
    socket: str
    tls: bool
    options: Mapping[str, Any]
    sentinel_options: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"ServerUrl({self.place})"

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        nodes = ", ".join(map(format_node, self.nodes))
        return f"{self.service} (Sentinel {nodes})" if self.service else self.socket or nodes


def format_node(node: tuple[str, int]) -> str:
    """`10.0.0.8:6379`."""
    host, port = node
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_url(url: str) -> ServerUrl:
    """What a URL says. Raises `UsageError` for what is no such URL, without a secret of it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _no_url("") from error
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise _no_url("")
    if parts.fragment:
        raise _no_url("it has a #, which is written %23 in a password")
    tls, is_sentinel = parts.scheme.startswith("rediss"), parts.scheme.endswith(SENTINEL)
    options = {**_login(parts), **_parameters(parts.query, tls=tls, is_sentinel=is_sentinel)}
    sentinel_options = {
        name.removeprefix("sentinel_"): options.pop(name) for name in SENTINEL_PARAMETERS if name in options
    }
    place = parts.netloc.rpartition("@")[2]
    if parts.scheme == SOCKET:
        if place or not parts.path.strip("/"):
            raise _no_url("it names no socket")
        return ServerUrl((), "", unquote(parts.path), tls, options, {})
    service, database = _path(parts.path) if is_sentinel else ("", parts.path.strip("/"))
    if database:
        options.setdefault("db", _whole(database, "what follows the last / is no number of a database"))
    nodes = tuple(_node(text, SENTINEL_PORT if is_sentinel else PORT) for text in place.split(","))
    if not is_sentinel and len(nodes) > 1:
        raise _no_url("it names several servers, which only Sentinels (redis+sentinel://) may be")
    if is_sentinel and not place:
        raise _no_url("it names no Sentinel")
    return ServerUrl(nodes, service, "", tls, options, sentinel_options)


def _login(parts: SplitResult) -> dict[str, str]:
    login, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return {name: unquote(text) for name, text in (("username", login), ("password", password)) if text}


def _path(path: str) -> tuple[str, str]:
    service, _, database = path.removeprefix("/").partition("/")
    if not service:
        raise _no_url("after the Sentinels it does not say what they call the primary, such as /mymaster")
    return unquote(service), database.strip("/")


def _node(text: str, port: int) -> tuple[str, int]:
    found = NODE.fullmatch(text)
    if found is None or (found["port"] and not 0 < int(found["port"]) <= MAX_PORT):
        raise _no_url("a host is written host:6379, an address of IPv6 in brackets")
    return found["v6"] or unquote(found["name"]) or "localhost", int(found["port"] or port)


def _parameters(query: str, *, tls: bool, is_sentinel: bool) -> dict[str, Any]:
    known = {**PARAMETERS, **(TLS_PARAMETERS if tls else {}), **(SENTINEL_PARAMETERS if is_sentinel else {})}
    found: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name in found:
            raise _no_url(f"it has {name} twice")
        if name not in known:
            if name in TLS_PARAMETERS:
                raise _no_url(f"{name} is for TLS, which begins with rediss")
            if name in SENTINEL_PARAMETERS:
                raise _no_url(f"{name} is for Sentinels, with which it begins with redis+sentinel")
            raise _no_url(f"there is no parameter {name}", suggest(name, sorted(known)))
        found[name] = known[name](text, name)
    return found


def _text(text: str, name: str) -> str:
    if not text:
        raise _no_url(f"{name} is empty")
    return text


def _whole(text: str, problem: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise _no_url(problem)
    return int(text)


def _database(text: str, name: str) -> int:
    return _whole(text, f"{name} is no number of a database")


def _seconds(text: str, name: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) or not float(text):
        raise _no_url(f"{name} is no number of seconds")
    return float(text)


def _switch(text: str, name: str) -> bool:
    word = text.lower()
    if word not in {"true", "yes", "1", "false", "no", "0"}:
        raise _no_url(f"{name} is true or false")
    return word in {"true", "yes", "1"}


def _certificate_check(text: str, name: str) -> str:
    word = text.lower().removeprefix("cert_")  # as Python's ssl and Celery write it
    if word not in CERTIFICATE_CHECKS:
        raise _no_url(f"{name} is one of {', '.join(CERTIFICATE_CHECKS)}")
    return word


PARAMETERS: dict[str, Callable[[str, str], Any]] = {
    "db": _database,
    "username": _text,
    "password": _text,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "client_name": _text,
}
TLS_PARAMETERS: dict[str, Callable[[str, str], Any]] = {
    "ssl_ca_certs": _text,
    "ssl_certfile": _text,
    "ssl_keyfile": _text,
    "ssl_password": _text,
    "ssl_cert_reqs": _certificate_check,
    "ssl_check_hostname": _switch,
}
SENTINEL_PARAMETERS: dict[str, Callable[[str, str], Any]] = {"sentinel_username": _text, "sentinel_password": _text}


def _no_url(why: str, hint: str = URL_HINT) -> UsageError:
    return UsageError(f"{SETTING} is no URL of a Redis server{f': {why}' if why else ''}", hint=hint)


def check_files(options: Mapping[str, Any]) -> None:
    """Read the files of certificates as the driver does at each connection. Raises `NeedsHuman` for what is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities, certificate, key = (options.get(f"ssl_{name}") for name in ("ca_certs", "certfile", "keyfile"))
    if authorities:
        with _reading(f"ssl_ca_certs, {authorities}"):
            context.load_verify_locations(cafile=authorities)
    if key and not certificate:
        raise NeedsHuman(f"{SETTING} has ssl_keyfile without ssl_certfile", hint="name both")
    if certificate:
        with _reading(f"ssl_certfile and ssl_keyfile, {certificate}{f' and {key}' if key else ''}"):
            context.load_cert_chain(certificate, key, options.get("ssl_password", ""))  # None would ask at the terminal


@contextmanager
def _reading(what: str) -> Iterator[None]:
    hint = "it is a file in PEM that this user may read; a key with a password needs ssl_password"
    try:
        yield
    except ssl.SSLError as error:
        why = (error.reason or "no key that this password opens").replace("_", " ").lower()
        raise NeedsHuman(f"{SETTING}: cannot use {what}: {why}", hint=hint) from error
    except OSError as error:
        raise NeedsHuman(
            f"{SETTING}: cannot read {what}: {(error.strerror or str(error)).lower()}", hint=hint
        ) from error
