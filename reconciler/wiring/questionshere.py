"""Queries and exports while no daemon runs: the store and the history are opened for each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.wiring.origins import target
from reconciler.wiring.pasthere import past_here
from reconciler.wiring.program import shipped
from reconciler.wiring.questions import questions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.settings import Settings
    from reconciler.wiring.questions import Questions


@contextmanager
def questions_here(settings: Settings, *, history: bool) -> Iterator[Questions]:
    """Questions to this host. Nothing is created by it: before the first sync there is nothing.

    The history answers also while git cannot be read.
    """

    @contextmanager
    def reading() -> Iterator[DuckDBReader | None]:
        from reconciler.adapters.duckdb.store import open_reader

        with target(settings) as at:
            reader = open_reader(at.state)
            if reader is None:
                yield None
                return
            with reader:
                yield reader

    if not history:
        yield questions(reading, lambda: None, lambda: shipped().kinds)
        return
    with past_here(settings) as past:
        yield questions(reading, past.ledger, past.kinds)
