"""Where a repository is on its forge, from the address that it is fetched from: the API, the path there, the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from reconciler.errors import UsageError
from reconciler.model.receiver import LOOPBACK, ReceiverKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.receiver import Receiver

SHORT = re.compile(r"(?:[^@/:]+@)?(?P<host>[\w.-]+|\[[0-9A-Fa-f:]+\]):(?P<path>[^/\\].*)", re.ASCII)
"""`git@host:path`, as ssh takes it."""
PATH = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+", re.ASCII)
GITHUB, CLOUD = "github.com", ".ghe.com"
APIS = {ReceiverKind.GITHUB: "/api/v3", ReceiverKind.GITLAB: "/api/v4", ReceiverKind.GITEA: "/api/v1"}
COMMIT_PAGES = {ReceiverKind.GITHUB: "commit", ReceiverKind.GITLAB: "-/commit", ReceiverKind.GITEA: "commit"}
KNOWN_HOSTS = (
    (GITHUB, ReceiverKind.GITHUB),
    ("gitlab", ReceiverKind.GITLAB),
    ("codeberg.org", ReceiverKind.GITEA),
    ("gitea", ReceiverKind.GITEA),
    ("forgejo", ReceiverKind.GITEA),
)
"""What the name of a host says of its forge, where no receiver does."""


class Address(Struct, frozen=True):
    """A repository on a server: `site` is scheme, host and port of its pages, `host` the name alone."""

    site: str
    host: str
    path: str


class ForgePlace(Struct, frozen=True):
    """A repository on a forge: the address of the API, and the path in it."""

    api: str
    path: str


def parse_address(url: str) -> Address | None:
    """The repository behind the address that it is fetched from; None for a folder, and for what is no path on a forge.

    The port of ssh says nothing of the pages.
    """
    matched = SHORT.fullmatch(url) if "://" not in url else None
    if matched is not None:
        scheme, host, port, path = "https", matched["host"].strip("[]"), "", matched["path"]
    else:
        try:
            parts = urlsplit(url)
            host, number = parts.hostname or "", parts.port
        except ValueError:
            return None
        if parts.scheme not in ("https", "http", "ssh") or not host:
            return None
        scheme, path = ("http" if parts.scheme == "http" else "https"), parts.path
        port = f":{number}" if number and parts.scheme != "ssh" else ""
    path = unquote(path).strip("/").removesuffix(".git")
    if not PATH.fullmatch(path):
        return None
    shown = f"[{host}]" if ":" in host else host
    return Address(f"{scheme}://{shown}{port}", host.lower(), path)


def find_forge(receiver: Receiver, url: str) -> ForgePlace:
    """Where a forge is told of the repository that is fetched from an address.

    Raises `UsageError` where neither that nor the receiver says it.
    """
    address = parse_address(url)
    path = receiver.repository or (address.path if address else "")
    if not path:
        hint = f'write repository = "OWNER/NAME" beside kind = "{receiver.kind}" in `notify`'
        raise UsageError(f"{receiver.label}: the repository's address does not say its path on the forge", hint=hint)
    if receiver.url:
        return ForgePlace(receiver.url.rstrip("/"), path)
    if address is None:
        hint = f'write url = "https://HOST{APIS[receiver.kind]}" beside kind = "{receiver.kind}" in `notify`'
        raise UsageError(f"{receiver.label}: the repository's address does not say where the API is", hint=hint)
    if address.site.startswith("http:") and address.host not in LOOPBACK:
        hint = f'write url = "https://HOST{APIS[receiver.kind]}" in `notify`'
        raise UsageError(f"{receiver.label}: the token would cross the network for all to read", hint=hint)
    return ForgePlace(_api(receiver.kind, address), path)


def _api(kind: ReceiverKind, address: Address) -> str:
    if kind is ReceiverKind.GITHUB:
        if address.host == GITHUB:
            return "https://api.github.com"
        if address.host.endswith(CLOUD):
            return f"https://api.{address.host}"
    return address.site + APIS[kind]


def commit_page(url: str, receivers: Iterable[Receiver]) -> str:
    """The address of a commit's page, with `{sha}` in it; empty where nothing says which forge it is."""
    address = parse_address(url)
    if address is None:
        return ""
    kinds = [one.kind for one in receivers if one.kind in COMMIT_PAGES]
    kinds += [kind for part, kind in KNOWN_HOSTS if part in address.host]
    return f"{address.site}/{address.path}/{COMMIT_PAGES[kinds[0]]}/{{sha}}" if kinds else ""
