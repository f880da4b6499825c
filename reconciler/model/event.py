"""Host events: what git does not know, because it happened on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.canonical import Value


@dataclass(frozen=True, slots=True)
class HostEvent:
    """Something this host did, and when (aware, UTC). `seq` only ever rises, gaps are possible.

    `commit` and `digest` are None where the event is about neither; `duration_ms` is 0 for what takes no time.
    `store` is the id of the store that wrote it down (a UUID, given by the store): `seq` counts within it.
    """

    seq: int
    at: datetime
    event: str
    commit: str | None
    digest: str | None
    duration_ms: float
    detail: Mapping[str, Value]
    store: str = ""
