"""The sessions of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.service.rows import Rows
from reconciler.service.sessions import Sessions
from reconciler.wiring.host import open_host
from reconciler.wiring.reading import local_reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.settings import Settings


def open_sessions(settings: Settings) -> Sessions:
    """The sessions of this host. Whose they are is looked up in the live rows, of a daemon where one runs."""

    def find_rows(kind: str, word: str) -> tuple[str, Sequence[Mapping[str, object]]]:
        try:
            rows = open_host(settings).ask(Rows.row, kind, word)
        except UsageError:
            return "", ()
        return rows.key, [row.values for row in rows.rows]

    return Sessions(local_reader(settings).context(), find_rows)
