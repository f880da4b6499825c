"""Runs policies in the sandbox. Implements the port `PolicyEngine`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.sandbox import faults, tables
from reconciler.adapters.duckdb.sandbox.messages import SECONDS, Ask
from reconciler.adapters.duckdb.sandbox.process import Process
from reconciler.model.policy import Verdict, Violation
from reconciler.model.problem import Severity
from reconciler.policy.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from reconciler.adapters.duckdb.sandbox.messages import Answer, Load
    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Row
    from reconciler.model.policy import Policy

SECONDS_FOR_ALL = 20.0
"""What the policies of one run may take together, before the rest of them is not run."""


class Sandbox:
    """A context manager. The process is started when there is a policy to run, and kept for the next run."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """`seconds` is what one policy may take."""
        self._seconds = seconds
        self._process: Process | None = None
        self._statements: tuple[str, ...] = ()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(
        self, policies: Sequence[Policy], kinds: Kinds, live: Iterable[Row], desired: Iterable[Row]
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order. Raises `RetryLater` when there is no memory for the tables."""
        if not policies:
            return ()
        request = tables.load(policies, kinds, live, desired)
        if request.statements != self._statements or (self._process and self._process.has_ended):
            self._end()
        self._loaded(request)
        end = time.monotonic() + SECONDS_FOR_ALL
        verdicts = []
        for policy in policies:
            if time.monotonic() > end:
                verdicts.append(Verdict(policy, fault=faults.not_run(SECONDS_FOR_ALL)))
                continue
            process = self._process or self._loaded(request)
            verdicts.append(self._verdict(policy, process.ask(Ask(policy.sql, self._seconds))))
        return tuple(verdicts)

    def _loaded(self, request: Load) -> Process:
        """A process with these rows: the one that runs, or a new one."""
        if self._process is None:
            self._process, self._statements = Process(), request.statements
        try:
            self._process.load(request)
        except BaseException:
            self._end()
            raise
        return self._process

    def _verdict(self, policy: Policy, answer: Answer | None) -> Verdict:
        if answer is None:
            self._end()
            return Verdict(policy, fault=faults.ended(self._seconds))
        if "rows" not in answer:
            return Verdict(policy, fault=faults.fault(answer, policy.sql, self._seconds))
        return Verdict(policy, tuple(_violation(row) for row in answer["rows"]), answer["cut"])

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _violation(cells: Sequence[str | None]) -> Violation:
    message, kind, name, field = (plain(cell or "") for cell in cells[:4])
    return Violation(message, kind, name, field, Severity((cells[4] or Severity.ERROR).lower()))
