"""How a daemon is to be served: its tokens, names, webhook secret and deadlines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.web.limits import FAILING, READING, Rate

if TYPE_CHECKING:
    from reconciler.model.grants import Grant


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds: for a body to arrive, for a short answer, and for an operation to have its turn and end."""

    body: float = 10.0
    read: float = 10.0
    operation: float = 300.0


@dataclass(frozen=True, slots=True)
class Serving:
    """`token` is the one in daemon.json, `grants` are of other tokens, `hosts` the names besides the local ones.

    No webhook secret, no webhooks. `reading` is how often a client may ask, `failing` how often with a wrong token.
    """

    token: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset()
    deadlines: Deadlines = Deadlines()
    grants: tuple[Grant, ...] = ()
    reading: Rate = READING
    failing: Rate = FAILING
