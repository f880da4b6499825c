"""Which backups to keep: all of the last moments, then ever fewer, never more than 48."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

NEWEST = 8
HOURLY = timedelta(hours=24)
DAILY = timedelta(days=14)


def superfluous(made: Collection[datetime], now: datetime) -> frozenset[datetime]:
    """The backups to delete, by when they were made (UTC).

    Kept are the newest eight, the last of each hour for a day, and the last of each day for two weeks. Those from the
    future, made before a clock was put back, wait until it has come: they must not push out what is made now.
    """
    past = sorted((at for at in made if at <= now), reverse=True)
    hourly = {at.strftime("%Y%m%d%H"): at for at in reversed(past) if now - at < HOURLY}
    daily = {at.date(): at for at in reversed(past) if now - at < DAILY}
    return frozenset(past) - {*past[:NEWEST], *hourly.values(), *daily.values()}
