"""What a server says of itself, and what a login may do there: for `doctor`. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct

from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.connection import connect, script
from reconciler.adapters.redis.url import format_node
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.sentinel import Sentinels

CONNECTING = "hello ping select"
SCRIPTS = "eval evalsha"
SESSIONS = (
    "del get hmget hset pexpireat pttl set time zadd zcard zcount zrange zrem zremrangebyrank zrevrange zrevrank zscore"
)
VIEW = (
    "del exists get hdel hget hmget hset hsetnx mget sadd scan scard set sismember srem unlink xadd zadd zcard zmscore "
    "zrange zrem zscore"
)
READING = "get hget hmget sismember xrange xread xrevrange"
ASKING = "info"
"""The commands of each part; `doctor` asks for the version and `maxmemory-policy`."""


def session_rights(owner_prefix: str) -> str:
    """The ACL rules for sessions alone. `owner_prefix` begins the keys of their owners."""
    return _rules(("~session:*", "~sessions:*", f"~{owner_prefix}*"), CONNECTING, SCRIPTS, SESSIONS)


def view_rights() -> str:
    """The ACL rules for keeping the live view alone."""
    return _rules(("~config:*",), CONNECTING, SCRIPTS, VIEW)


def reader_rights() -> str:
    """The ACL rules for a program that reads the live view."""
    return _rules(("%R~config:*",), CONNECTING, READING)


def host_rights(owner_prefix: str) -> str:
    """The ACL rules for a daemon, and for commands on its host: sessions, the live view and `doctor`."""
    keys = ("~config:*", "~session:*", "~sessions:*", f"~{owner_prefix}*")
    return _rules(keys, CONNECTING, SCRIPTS, SESSIONS, VIEW, ASKING)


def _rules(keys: Sequence[str], *commands: str) -> str:
    names = sorted({name for some in commands for name in some.split()})
    return " ".join(("resetkeys", *keys, "resetchannels", "-@all", *(f"+{name}" for name in names)))


SECTIONS = ("server", "memory", "replication")
PROBE_TIMEOUT = 2.0
"""Seconds that an answer may take: a server that is slower is of no use to programs."""


class RedisAnswer(Struct, frozen=True):
    """A server: where it is, its version and its `maxmemory-policy`, both empty when it does not tell.

    `sentinels` is what each Sentinel says against a failover, empty where it is for one; `primary` is whom they named,
    `replicas` how many it has, and `waits` whether it takes no writes without one (`min-replicas-to-write`).

    `refused` are commands that this login may not run, each with a key it was refused for, `rights` the ACL rules of
    a login that may; `fault` is what is wrong with the live view there.
    """

    place: str
    version: str
    policy: str
    refused: tuple[str, ...]
    rights: str
    fault: NeedsHuman | None
    sentinels: Mapping[str, str] = {}
    primary: str = ""
    replicas: int = 0
    waits: bool = False


def probe(url: str, owner_prefix: str) -> RedisAnswer:
    """Ask the server of a URL. `owner_prefix` begins the keys of owners of sessions.

    Raises `UsageError` for what is no such URL, `RetryLater` when nothing answers, `NeedsHuman` for a wrong login, or
    one that may not run scripts.
    """
    with connect(url, answer_timeout=PROBE_TIMEOUT) as link:
        link.ask("PING")
        told = _info(link)
        nobody = f"doctor:{uuid4().hex}"
        keys = [f"config:{nobody}", f"session:{nobody}", f"sessions:{nobody}", f"{owner_prefix}{nobody}:sessions"]
        refused = link.run(script("when_full", "probe"), (), keys)
        fault = None
        try:
            RedisCache(link, 0).state()
        except NeedsHuman as error:
            fault = error
        words = tuple(sorted({one.decode().replace(nobody, "…") for one in refused}))
        policy, rights = told.get("maxmemory_policy", ""), host_rights(owner_prefix)
        answer = RedisAnswer(link.server, _version(told), policy, words, rights, fault)
        return _add_failover(answer, link.sentinels, told) if link.sentinels else answer


def _add_failover(answer: RedisAnswer, sentinels: Sentinels, told: dict[str, str]) -> RedisAnswer:
    said: dict[str, str] = {}
    for node in sentinels.nodes:
        try:
            sentinels.ask(node, "CKQUORUM", sentinels.service)
            said[format_node(node)] = ""
        except ReconcilerError as error:
            said[format_node(node)] = str(error)
    primary = format_node(sentinels.primary) if sentinels.primary else ""
    replicas = told.get("connected_slaves", "")
    waits = "min_slaves_good_slaves" in told
    return replace(
        answer, sentinels=said, primary=primary, replicas=int(replicas) if replicas.isdigit() else 0, waits=waits
    )


def _info(link: Connection) -> dict[str, str]:
    """What INFO says; nothing where this login may not ask."""
    try:
        lines = [line for section in SECTIONS for line in link.ask("INFO", section).decode().splitlines()]
    except NeedsHuman:
        return {}
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def _version(told: dict[str, str]) -> str:
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told['redis_version']}" if "redis_version" in told else ""
