"""How a daemon is to be served: its tokens, names, webhook secret and deadlines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds: for a body to arrive, for a short answer, and for an operation to have its turn and end."""

    body: float = 10.0
    read: float = 10.0
    operation: float = 300.0


@dataclass(frozen=True, slots=True)
class Serving:
    """`token` is the one in daemon.json, `hosts` the names besides the local ones; no webhook secret, no webhooks."""

    token: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset()
    deadlines: Deadlines = Deadlines()
