"""How often a client may ask: a bucket for each that fills at a rate, and of which each request takes one.

Pure: the time is given, in seconds of a clock that never goes back. As in GCRA (ITU-T I.371) one number stands for a
bucket: the moment at which it is full again. So one that is full need not be kept.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

MOST = 10_000
"""Buckets that are kept."""
DIGITS = 6
"""Of a second: less is an error of rounding, and nobody waits for that."""
NETWORK = 64
"""Bits of an IPv6 address that are one client: whoever has one address of these has them all."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second on average, and so many at once."""

    per_second: float
    burst: int


READING = Rate(1_000.0, 5_000)
"""Requests of any kind: more than one program asks for by mistake, and room for a thousand streams opened together."""
FAILING = Rate(10 / 60, 10)
"""Tokens that are wrong."""


class Buckets:
    """The buckets of all clients."""

    def __init__(self, rate: Rate, most: int = MOST) -> None:
        self._interval = 1 / rate.per_second
        self._room = (rate.burst - 1) * self._interval
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, client: str, now: float) -> float:
        """Seconds until this client may ask again; 0 when it may now."""
        return max(0.0, round(self._full_at.get(client, now) - now - self._room, DIGITS))

    def take(self, client: str, now: float) -> None:
        """Count a request. The bucket that was used longest ago is forgotten when there are too many."""
        self._full_at[client] = max(self._full_at.get(client, now), now) + self._interval
        self._full_at.move_to_end(client)
        while self._full_at and (len(self._full_at) > self._most or self._oldest() <= now):
            self._full_at.popitem(last=False)

    def _oldest(self) -> float:
        return next(iter(self._full_at.values()))


def client_of(address: str | None) -> str:
    """Who asks from an address: itself, or of IPv6 its network."""
    if address is None:
        return ""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, NETWORK), strict=False))
