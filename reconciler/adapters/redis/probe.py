"""What a server says of itself, and what a login may do there: for `doctor`. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.connection import connect, script
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection

PROBE_TIMEOUT = 2.0
"""Seconds that an answer may take: a server that is slower is of no use to programs."""


@dataclass(frozen=True, slots=True)
class RedisAnswer:
    """A server: where it is, its version and its `maxmemory-policy`, both empty when it does not tell.

    `refused` are commands that this login may not run, each with a key it was refused for; `fault` is what is wrong
    with the live view there.
    """

    place: str
    version: str
    policy: str
    refused: tuple[str, ...]
    fault: NeedsHuman | None


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
        return RedisAnswer(link.server, _version(told), told.get("maxmemory_policy", ""), words, fault)


def _info(link: Connection) -> dict[str, str]:
    """What INFO says; nothing where this login may not ask."""
    try:
        lines = [line for section in ("server", "memory") for line in link.ask("INFO", section).decode().splitlines()]
    except NeedsHuman:
        return {}
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def _version(told: dict[str, str]) -> str:
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told['redis_version']}" if "redis_version" in told else ""
