"""Where the history is: the setting `history.url`, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from reconciler.errors import UsageError
from reconciler.tables.clickhouse import DEFAULT_DATABASE

EMBEDDED = "chdb"
_PORTS = {"clickhouse": 8123, "clickhouses": 8443}
_HINT = "history.url is chdb, clickhouse://login:password@host:8123/database, clickhouses://… (TLS), or none"


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server's HTTP interface. The password stays out of the repr, as out of everything else."""

    host: str
    port: int
    login: str
    password: str = field(repr=False)
    database: str
    secure: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse(url: str) -> Server | None:
    """The server a URL names, None for the embedded engine. Raises `UsageError`, never quoting the URL."""
    if url == EMBEDDED:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError("history.url cannot be read: its host or port is malformed", hint=_HINT) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError("history.url names no ClickHouse server", hint=_HINT)
    return Server(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        login=unquote(parts.username or "") or "default",
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or DEFAULT_DATABASE,
        secure=parts.scheme == "clickhouses",
    )
