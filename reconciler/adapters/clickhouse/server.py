"""The server that history.url names: its addresses, who logs in, and how its tables are kept.

No message quotes a part of the URL: a reserved character in the password moves parts of it elsewhere.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from reconciler.errors import UsageError
from reconciler.tables.clickhouse import DEFAULT_DATABASE, ONE_SERVER, Placement
from reconciler.words import closest, list_words

EMBEDDED = "chdb"
PLAIN, TLS = "clickhouse", "clickhouses"
PORTS = {PLAIN: 8123, TLS: 8443}
MAX_PORT = 65_535
FORMS = "history.url is chdb, duckdb, clickhouse://login:password@host:8123/database, clickhouses://… (TLS), or none"
RESERVED = "reserved characters of the login and the password are written as %XX"

CLUSTER, ENGINE = "cluster", "engine"
CA_CERT, CLIENT_CERT, CLIENT_CERT_KEY = "ca_cert", "client_cert", "client_cert_key"
CERTIFICATES = (CA_CERT, CLIENT_CERT, CLIENT_CERT_KEY)
PARAMETERS = (CLUSTER, ENGINE, *CERTIFICATES)
REPLICATED = "Replicated"
CLUSTER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
ADDRESS = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{1,5}))?")


class Address(NamedTuple):
    """Where a server's HTTP interface listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Certificates(NamedTuple):
    """Files in PEM. Without `authority` the system's are trusted; `own`, and the key to it, are this client's."""

    authority: str = ""
    own: str = ""
    own_key: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server's HTTP interface, which may have several addresses, asked in this order until one answers.

    The password stays out of the repr, as out of everything else. Without `certificates` there is no TLS.
    """

    addresses: tuple[Address, ...]
    login: str
    password: str = field(repr=False)
    database: str
    certificates: Certificates | None = None
    placement: Placement = ONE_SERVER


def parse_url(url: str) -> Server | None:
    """The server a URL names, None for the embedded engine. Raises `UsageError`, never quoting the URL."""
    if url == EMBEDDED:
        return None
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in PORTS:
        raise UsageError("history.url names no ClickHouse server", hint=FORMS)
    if "#" in rest:
        raise UsageError("history.url has a # in it, with which nothing can follow", hint=RESERVED)
    target, _, query = rest.partition("?")
    authority, _, path = target.partition("/")
    login, _, hosts = authority.rpartition("@")
    name, _, password = login.partition(":")
    addresses = tuple(_read_address(text, PORTS[scheme.lower()]) for text in hosts.split(","))
    parameters = _read_parameters(query)
    return Server(
        addresses=addresses,
        login=unquote(name) or "default",
        password=unquote(password),
        database=unquote(path.strip("/")) or DEFAULT_DATABASE,
        certificates=_read_certificates(parameters, encrypted=scheme.lower() == TLS),
        placement=_read_placement(parameters, several=len(addresses) > 1),
    )


def _read_address(text: str, default_port: int) -> Address:
    matched = ADDRESS.fullmatch(text)
    if matched is None:
        if not text:
            raise UsageError("history.url names no ClickHouse server: a host is missing", hint=FORMS)
        raise _malformed()
    port = int(matched["port"] or default_port)
    if not 0 < port <= MAX_PORT:
        raise _malformed()
    if matched["ipv6"]:
        try:
            IPv6Address(matched["ipv6"])
        except AddressValueError:
            raise _malformed() from None
    return Address((matched["ipv6"] or matched["name"]).lower(), port)


def _malformed() -> UsageError:
    hint = f"several are host1:8123,host2:8123, an IPv6 address is [::1]:8123; {RESERVED}"
    return UsageError("history.url cannot be read: its host or port is malformed", hint=hint)


def _read_parameters(query: str) -> dict[str, str]:
    """What follows the question mark. A plus is a plus: these are names and paths, and no form's fields."""
    parameters: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in PARAMETERS:
            meant = closest(name, PARAMETERS)
            did_you_mean = f"did you mean {meant}? " if meant else ""
            raise UsageError(
                "history.url has a query parameter that is not known",
                hint=f"{did_you_mean}there are: {list_words(PARAMETERS)}; TLS is clickhouses://, always verified",
            )
        if name in parameters:
            raise UsageError(f"history.url has the query parameter {name} more than once", hint="leave one")
        if not value:
            raise UsageError(f"history.url has the query parameter {name} without a value", hint="give it one, or none")
        parameters[name] = unquote(value)
    return parameters


def _read_placement(parameters: dict[str, str], *, several: bool) -> Placement:
    cluster = parameters.get(CLUSTER, "")
    if cluster and not CLUSTER_NAME.fullmatch(cluster):
        raise UsageError(
            "history.url: cluster is no name of a cluster",
            hint="`SELECT cluster FROM system.clusters` lists them: letters, digits, underscores, dots and hyphens",
        )
    if parameters.get(ENGINE, REPLICATED) != REPLICATED:
        raise UsageError(
            "history.url: engine is not one that there is",
            hint=f"engine={REPLICATED} keeps the tables on every replica; without it they are on one server",
        )
    if several and cluster and ENGINE not in parameters:
        raise UsageError(
            f"history.url names several hosts of a cluster without engine={REPLICATED}",
            hint=f"add engine={REPLICATED}: each host would have rows that the others lack",
        )
    return Placement(cluster, replicated=ENGINE in parameters)


def _read_certificates(parameters: dict[str, str], *, encrypted: bool) -> Certificates | None:
    given = [name for name in CERTIFICATES if name in parameters]
    if not encrypted:
        if given:
            raise UsageError(
                f"history.url has {list_words(given)} and no TLS",
                hint=f"write clickhouses://, whose port is {PORTS[TLS]} where none is given",
            )
        return None
    if CLIENT_CERT_KEY in parameters and CLIENT_CERT not in parameters:
        raise UsageError(
            f"history.url has {CLIENT_CERT_KEY} without {CLIENT_CERT}", hint=f"name the certificate as {CLIENT_CERT}"
        )
    # As a path, whatever it is called: to the driver `certifi` is another thing.
    return Certificates(*(str(Path(parameters[name]).absolute()) if name in given else "" for name in CERTIFICATES))


_INSERT_SETTINGS: dict[str, object] = {
    "precise_float_parsing": 1,  # the fast parser is off by a bit in the last place for one number in six
    "async_insert": 0,  # when the call returns, the rows are there
}
COPY_SETTINGS: dict[str, object] = {
    "send_progress_in_http_headers": 1,  # so that a long statement is not taken for a server that hangs
    "max_insert_threads": 1,  # keeps the order
}
SHARE_OF_SILENCE = 0.8
"""Of the time that a server may be silent: what a statement waits for on other hosts ends before that."""
CONSISTENT_READS = {"select_sequential_consistency": 1}
"""A replica that lacks what a quorum has says so, in place of answering without it."""


def insert_settings(placement: Placement, silence: int) -> dict[str, object]:
    """Rows of replicated tables are on most replicas when the call returns, insert after insert (decision 47)."""
    if not placement.replicated:
        return _INSERT_SETTINGS
    return _INSERT_SETTINGS | {
        "insert_quorum": "auto",
        "insert_quorum_parallel": 0,
        "insert_quorum_timeout": int(silence * SHARE_OF_SILENCE * 1000),
        "insert_deduplicate": 0,  # rows that are written, changed and written again as they were are the newest
    }


def definition_settings(placement: Placement, silence: int) -> dict[str, object]:
    """A statement about tables waits for all hosts, and fails where one does not carry it out."""
    patience = max(1, int(silence * SHARE_OF_SILENCE))
    settings: dict[str, object] = {}
    if placement.cluster or placement.replicated:
        settings |= {"distributed_ddl_task_timeout": patience, "distributed_ddl_output_mode": "throw"}
    if placement.replicated:
        settings |= {"alter_sync": 2, "replication_wait_for_inactive_replica_timeout": patience}
    return settings


def check_certificates(certificates: Certificates) -> None:
    """Raise `UsageError` for a file that is not there, cannot be read, or holds something else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, file in zip(CERTIFICATES, certificates, strict=True):
        _check_readable(name, file)
    if certificates.authority:
        try:
            context.load_verify_locations(certificates.authority)
        except ssl.SSLError:
            message = f"history.url: the file that {CA_CERT} names holds no certificate"
            raise UsageError(message, hint="it is PEM: -----BEGIN CERTIFICATE-----") from None
    if certificates.own:
        try:
            context.load_cert_chain(certificates.own, certificates.own_key or None, password="")
        except ssl.SSLError:
            raise UsageError(
                f"history.url: {CLIENT_CERT} is no certificate with its key",
                hint=f"both are PEM, in one file or the key in {CLIENT_CERT_KEY}; the key has no passphrase",
            ) from None


def _check_readable(name: str, file: str) -> None:
    try:
        if file:
            Path(file).open("rb").close()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or "no such file"
        message = f"history.url: the file that {name} names cannot be read: {why[:1].lower()}{why[1:]}"
        raise UsageError(message, hint="a path on this host, absolute, readable by the daemon's user") from None
