"""Runs policies in the sandbox. Implements the port `PolicyEngine`."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.sandbox import faults, tables
from reconciler.adapters.duckdb.sandbox.held import Held, Wanted
from reconciler.adapters.duckdb.sandbox.messages import SECONDS, Ask, Batch
from reconciler.adapters.duckdb.sandbox.process import Process
from reconciler.model.problem import Severity, Verdict, Violation
from reconciler.policy import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from reconciler.adapters.duckdb.sandbox.messages import Answer, Load
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.problem import Policy
    from reconciler.ports import Between

SECONDS_FOR_ALL = 20.0
"""What the policies of one run may take together, before the rest of them is not run."""


class Sandbox:
    """A context manager. The process is started when there is a policy to run, and kept with its rows for the next run.

    Threads take turns.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        """`seconds` is what one policy may take."""
        self._seconds = seconds
        self._process: Process | None = None
        self._statements: tuple[str, ...] = ()
        self._held: Held | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_idle()

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order. Raises `RetryLater` when there is no memory for the tables."""
        if not policies:
            return ()
        with self._turn:
            try:
                wanted = Wanted(kinds, tables.named(policies, kinds), live, desired, step)
                return self._verdicts(policies, wanted)
            except BaseException:
                self._end()
                raise

    def close_idle(self) -> None:
        """End the process: its memory is free, and the next run starts another one with all rows."""
        with self._turn:
            self._end()

    def _verdicts(self, policies: Sequence[Policy], wanted: Wanted) -> tuple[Verdict, ...]:
        process, end = self._ready(wanted), time.monotonic() + SECONDS_FOR_ALL
        verdicts: list[Verdict] = []
        while True:
            left = policies[len(verdicts) :]
            batch = Batch(tuple(Ask(one.sql, self._seconds) for one in left), end - time.monotonic())
            for answer, policy in zip(process.ask(batch), left, strict=False):  # one that ends answers no more
                verdicts.append(self._verdict(policy, answer))
            if len(verdicts) == len(policies):
                return tuple(verdicts)
            process = self._ready(wanted)

    def _ready(self, wanted: Wanted) -> Process:
        """A process with these states: the one that runs, or a new one."""
        if self._process is not None and self._process.has_ended:
            self._end()
        held, step = self._held, wanted.step
        if self._process is None or held is None or step is None or not held.serves(wanted):
            return self._loaded(wanted)
        if held.has(step):
            return self._process
        settled = held.settles(step)
        if settled is None:
            return self._loaded(wanted)
        return self._advanced(self._process, held, wanted, step, settled=settled)

    def _loaded(self, wanted: Wanted) -> Process:
        """A process that was given all rows."""
        kinds, names, step = wanted.kinds, wanted.names, wanted.step
        if step is not None and self._held is not None and self._held.kinds == kinds.digest:
            names |= self._held.names  # two sets of rules may take turns
        small = step is not None and step.rows is not None
        process = self._holding(tables.load(names, kinds, wanted.live, None if small else wanted.desired))
        if step is None or step.rows is None:
            self._held = Held(kinds.digest, names, step.old, step.new) if step else Held(kinds.digest, names)
            return process
        return self._advanced(process, Held(kinds.digest, names, step.old, step.old), wanted, step, settled=True)

    def _holding(self, request: Load) -> Process:
        self._held = None
        if request.statements != self._statements:
            self._end()
        if self._process is None:
            self._process, self._statements = Process(), request.statements
        self._process.hold(request)
        return self._process

    def _advanced(self, process: Process, held: Held, wanted: Wanted, step: Between, *, settled: bool) -> Process:
        """The process after one step from what it holds."""
        self._held = None
        process.hold(tables.advance(held.names, wanted.kinds, step.rows or (), settled=settled))
        self._held = replace(held, live=step.old, desired=step.new, reversible=True)
        return process

    def _verdict(self, policy: Policy, answer: Answer | None) -> Verdict:
        if answer is None:
            self._end()
            return Verdict(policy, fault=faults.ended(self._seconds))
        if "rows" not in answer:
            return Verdict(policy, fault=faults.fault(answer, policy.sql, self._seconds, SECONDS_FOR_ALL))
        return Verdict(policy, tuple(_violation(row) for row in answer["rows"]), answer["cut"])

    def _end(self) -> None:
        self._held = None
        if self._process is not None:
            self._process.close()
            self._process = None


def _violation(cells: Sequence[str | None]) -> Violation:
    message, kind, name, field = (plain(cell or "") for cell in cells[:4])
    return Violation(message, kind, name, field, Severity((cells[4] or Severity.ERROR).lower()))
