"""What happened on this host, as those are told who follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

APPLIED, REFUSED, STATE, DRIFT = "applied", "refused", "state", "drift"
"""A commit went live · the head is kept from it · sync, health or troubles changed · live rows were not as git says."""


@dataclass(frozen=True, slots=True, eq=False)
class Happening:
    """One of them. `number` counts from 1 in each run of the daemon; `data` is JSON, as docs/http.md shows it."""

    number: int
    event: str
    data: Mapping[str, Any]
