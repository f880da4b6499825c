"""A short question to the history's engine: are you there, who are you, what time is it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from reconciler import canonical
from reconciler.adapters.clickhouse.address import parse
from reconciler.adapters.clickhouse.connection import Timeouts, connect_server, open_embedded
from reconciler.adapters.clickhouse.ledger import EMBEDDED_FOLDER

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

BRIEF = Timeouts(connect=5, read=10)


class Answer(NamedTuple):
    """What the engine says of itself. `now` is its time, in UTC; `place` is where it is, in words."""

    place: str
    version: str
    now: datetime


def ask(url: str, folder: Path) -> Answer:
    """Ask the engine of the setting history.url; `folder` is the state folder. Raises as `open_ledger` does."""
    server = parse(url)
    opened = connect_server(server, BRIEF) if server else open_embedded(folder / EMBEDDED_FOLDER)
    with closing(opened) as connection:
        ((version, now),) = connection.ask("SELECT version(), now64(6, 'UTC')")
        return Answer(connection.place, str(version), canonical.utc(now))
