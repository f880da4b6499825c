"""Plans that are kept: what finds nothing, as policies nearly always do, need not be planned again to find it.

DuckDB keeps no plan that its optimiser has seen, since that may have looked at the rows. So these are made without it:
they read more than they need to, which is the quicker way while tables are small.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.sandbox.deadline import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_ONLY = "BEGIN TRANSACTION READ ONLY"
MAX_PLANS = 200
WORTH = 3.0
"""How much longer running a plan may take than making it did, as a factor: the optimiser's would be quicker then.

With an optimiser, planning takes about twice as long, and running saves what the plan reads in vain.
"""
SHORT = 0.002
"""Seconds of CPU time that any plan is worth."""
PATIENCE = 0.1
"""Seconds of CPU time after which a plan without an optimiser is given up."""


class _Kept(Struct, frozen=True):
    """A plan: what runs it, and the seconds that it is worth."""

    run: duckdb.Statement
    name: str
    worth: float


class KeptPlans:
    """Asks whether queries find anything. `plain` is a connection without an optimiser."""

    def __init__(self, plain: duckdb.DuckDBPyConnection) -> None:
        self._plain = plain
        self._plans: dict[str, _Kept | None] = {}
        self._made = 0

    def finds_any(self, query: str, seconds: float) -> bool | None:
        """Whether there is any row; None when there is no telling, and a plan has to be made for the rows as they are.

        A query that may take so many seconds, and does not stop when it is told to, ends the process.
        """
        if query in self._plans and not self.keeps(query):
            return None
        with deadline(self._plain, seconds, time.process_time, early=PATIENCE):
            try:
                with self._reading():
                    return self._ask(query)
            except duckdb.Error:
                self._give_up(query)
                return None

    def keeps(self, query: str) -> bool:
        """Whether there is a plan of it."""
        return self._plans.get(query) is not None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self._plain.execute(READ_ONLY)
        try:
            yield
        finally:
            self._plain.rollback()

    def _ask(self, query: str) -> bool:
        plan = self._plans.get(query) or self._make(query)
        began = time.thread_time()
        rows = self._plain.execute(plan.run).fetchall()
        if time.thread_time() - began > plan.worth:
            self._give_up(query)
        return bool(rows)

    def _make(self, query: str) -> _Kept:
        if len(self._plans) >= MAX_PLANS:
            oldest = next(iter(self._plans))
            self._give_up(oldest)
            del self._plans[oldest]
        began = time.thread_time()
        self._made += 1
        name = f"kept_{self._made}"
        self._plain.execute(f"PREPARE {name} AS {query}")
        (run,) = self._plain.extract_statements(f"EXECUTE {name}")
        plan = self._plans[query] = _Kept(run, name, max(SHORT, (time.thread_time() - began) * WORTH))
        return plan

    def _give_up(self, query: str) -> None:
        plan = self._plans.get(query)
        if plan is not None:
            self._plain.execute(f"DEALLOCATE {plan.name}")
        self._plans[query] = None
