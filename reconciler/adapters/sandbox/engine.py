"""Runs policies in the sandbox. Implements the port `PolicyEngine`.

It knows which two states the process holds and which are asked about, and sends the rows that lead from these to
those.
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.adapters.sandbox import faults
from reconciler.adapters.sandbox.process import Process
from reconciler.adapters.sandbox.protocol import (
    POLICY_SECONDS,
    READINGS,
    STOP_FACTOR,
    VIOLATIONS,
    Advance,
    Batch,
    ChangedRows,
    Load,
    PolicyRequest,
    TablePair,
)
from reconciler.errors import RetryLater
from reconciler.model.bounds import bounds_of_row, round_number
from reconciler.model.problem import Measure, Reading, Severity, Verdict, Violation
from reconciler.policy import escape_line
from reconciler.tables.duckdb import (
    DESIRED,
    LIVE,
    declared_columns,
    live_columns,
    make_tables,
    qualify,
    quote_list,
    spell_in_query,
)
from reconciler.tables.rows import desired_values, is_live, live_values
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from types import TracebackType

    from reconciler.adapters.sandbox.protocol import Answer
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Between, Row
    from reconciler.model.problem import Policy

    Records = list[tuple[Any, ...]]

SECONDS_FOR_ALL = 20.0
"""CPU time that the policies of one run may take together, before the rest of them is not run."""
RUN_SECONDS = 120.0
"""Seconds after which a run is given up that took less CPU time than that: the machine does not get on."""


class Sandbox:
    """A context manager. The process is started when there is a policy to run, or by `start` while others still read
    what it will be asked about. It is kept with its rows for the next run.

    Threads take turns.
    """

    def __init__(self, seconds: float = POLICY_SECONDS) -> None:
        """`seconds` is the CPU time that one policy may take."""
        self._seconds = seconds
        self._process: Process | None = None
        self._statements: tuple[str, ...] | None = None
        self._held: LoadedStates | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_idle()

    def start(self) -> None:
        """Start the process, and do not wait for it. Raises `NeedsHuman` when it cannot be started."""
        with self._turn:
            if self._process is None:
                self._process = Process()

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy, in order.

        Raises `RetryLater` for whatever is the machine's fault: no memory for the tables, too little CPU time, a
        process that is killed.
        """
        if not policies:
            return ()
        with self._turn:
            try:
                wanted = RequestedStates(kinds, find_named_kinds(policies, kinds), live, desired, step)
                return self._verdicts(policies, wanted)
            except BaseException:
                self._end()
                raise

    def close_idle(self) -> None:
        """End the process: its memory is free, and the next run starts another one with all rows."""
        with self._turn:
            self._end()

    def _verdicts(self, policies: Sequence[Policy], wanted: RequestedStates) -> tuple[Verdict, ...]:
        verdicts: list[Verdict] = []
        end, spent, tried_again = time.monotonic() + RUN_SECONDS, 0.0, -1
        while len(verdicts) < len(policies):
            process, left = self._ready(wanted), policies[len(verdicts) :]
            batch = Batch(tuple(map(self._request, left)), SECONDS_FOR_ALL - spent)
            answers = process.ask(batch, end - time.monotonic())
            for answer, policy in zip(answers, left, strict=False):  # one that ends answers no more
                if (answer is None or answer.get("slow")) and tried_again != len(verdicts):
                    tried_again = len(verdicts)  # by a fresh process: what fails there as well is the policy's fault
                    self._end()
                    break
                if answer is None and process.was_killed:
                    raise RetryLater(
                        f"policies could not be run: their process was killed twice, while it ran {policy.path}",
                        hint="see that there is a gigabyte of free memory; it is tried again",
                    )
                spent += self._seconds * STOP_FACTOR if answer is None else answer["seconds"]
                verdicts.append(self._verdict(policy, answer))
        return tuple(verdicts)

    def _request(self, policy: Policy) -> PolicyRequest:
        return PolicyRequest(policy.sql, self._seconds, READINGS if isinstance(policy, Measure) else VIOLATIONS)

    def _ready(self, wanted: RequestedStates) -> Process:
        """A process with these states: the one that runs, or a new one."""
        if self._process is not None and self._process.has_ended:
            self._end()
        held, step = self._held, wanted.step
        if self._process is None or held is None or step is None or not held.matches(wanted):
            return self._loaded(wanted)
        if held.has(step):
            return self._process
        settled = held.needs_settling(step)
        if settled is None:
            return self._loaded(wanted)
        return self._advanced(self._process, held, wanted, step, settled=settled)

    def _loaded(self, wanted: RequestedStates) -> Process:
        """A process that was given all rows."""
        kinds, names, step = wanted.kinds, wanted.names, wanted.step
        if step is not None and self._held is not None and self._held.kinds == kinds.digest:
            names |= self._held.names  # two sets of rules may take turns
        small = step is not None and step.rows is not None
        process = self._holding(build_load(names, kinds, wanted.live, None if small else wanted.desired))
        if step is None or step.rows is None:
            self._held = (
                LoadedStates(kinds.digest, names, step.old, step.new) if step else LoadedStates(kinds.digest, names)
            )
            return process
        return self._advanced(
            process, LoadedStates(kinds.digest, names, step.old, step.old), wanted, step, settled=True
        )

    def _holding(self, request: Load) -> Process:
        self._held = None
        if self._statements not in (None, request.statements):
            self._end()
        if self._process is None:
            self._process = Process()
        self._statements = request.statements
        self._process.hold(request)
        return self._process

    def _advanced(
        self, process: Process, held: LoadedStates, wanted: RequestedStates, step: Between, *, settled: bool
    ) -> Process:
        """The process after one step from what it holds."""
        self._held = None
        process.hold(build_advance(held.names, wanted.kinds, step.rows or (), settled=settled))
        self._held = replace(held, live=step.old, desired=step.new, reversible=True)
        return process

    def _verdict(self, policy: Policy, answer: Answer | None) -> Verdict:
        if answer is None:
            self._end()
            return Verdict(policy, fault=faults.ended(self._seconds))
        if "rows" not in answer:
            return Verdict(policy, fault=faults.build_fault(answer, policy.sql, self._seconds, SECONDS_FOR_ALL))
        if isinstance(policy, Measure):
            return Verdict(policy, cut=answer["cut"], readings=tuple(_reading(policy, row) for row in answer["rows"]))
        return Verdict(policy, tuple(_violation(row) for row in answer["rows"]), answer["cut"])

    def _end(self) -> None:
        self._held = self._statements = None
        if self._process is not None:
            self._process.close()
            self._process = None


def _violation(cells: Sequence[str | None]) -> Violation:
    message, kind, name, field = (escape_line(cell or "") for cell in cells[:4])
    severity = Severity((cells[4] or Severity.ERROR).lower())
    return Violation(message, kind, name, field, severity, bounds_of_row(*cells[5:]))


def _reading(measure: Policy, cells: Sequence[str | None]) -> Reading:
    value, label, unit = cells
    return Reading(
        escape_line(label or measure.title),
        None if value is None else round_number(float(value)),
        escape_line(unit or ""),
    )


class RequestedStates(Struct, frozen=True):
    """Two states, with the kinds of which policies name the tables."""

    kinds: Kinds
    names: frozenset[str]
    live: Iterable[Row]
    desired: Iterable[Row]
    step: Between | None


class LoadedStates(Struct, frozen=True):
    """The rows of some kinds in two states, by what those are known by; None for one that nobody will ask for again.

    `kinds` is the digest of all kinds. With `reversible` the process knows what was in place of all that differs.
    """

    kinds: str
    names: frozenset[str]
    live: str | None = None
    desired: str | None = None
    reversible: bool = False

    def matches(self, wanted: RequestedStates) -> bool:
        """Whether the tables are those that policies ask for."""
        return wanted.kinds.digest == self.kinds and wanted.names <= self.names

    def has(self, step: Between) -> bool:
        """Whether these are the two states, reached in the same way."""
        return self.reversible and step.rows is not None and (self.live, self.desired) == (step.old, step.new)

    def needs_settling(self, step: Between) -> bool | None:
        """Whether the way there begins with the desired state going live, or with giving it up; None for no way."""
        if step.rows is None:
            return None
        if self.desired == step.old:
            return True
        return False if self.reversible and self.live == step.old else None


def find_named_kinds(policies: Sequence[Policy], kinds: Kinds) -> frozenset[str]:
    """The kinds whose tables any policy names: there is no other way to them, so the rest is not loaded."""
    texts = "\n".join(policy.sql for policy in policies).lower()
    return frozenset(kind.name for kind in kinds if spell_in_query(kind.table) in texts)


def build_load(names: Collection[str], kinds: Kinds, live: Iterable[Row], desired: Iterable[Row] | None = None) -> Load:
    """Two states as a store would hold them, in tables without keys, checks and indexes; or `live` in both.

    Rows of other kinds than those named are left out. What an old row lacks of a kind's columns is NULL.
    """
    members = {kind.name: kind for kind in kinds if kind.name in names}
    statements = (f"CREATE SCHEMA {DESIRED}", *(statement for kind in kinds for statement in _statements(kind)))
    pairs = {kind.name: _pair(kind) for kind in kinds}
    after = _by_kind(members, live if desired is None else desired)
    wide = {name: [desired_values(members[name], row) for row in rows] for name, rows in after.items()}
    if desired is None:
        return Load(statements, pairs, wide, None)
    # Most rows are the same in both states, and spelling out their JSON is what takes the time.
    spelt = {id(row): values for name in members for row, values in zip(after[name], wide[name], strict=True)}
    narrow = {
        name: [
            spelt[id(row)][: pairs[name].width] if id(row) in spelt else live_values(members[name], row) for row in rows
        ]
        for name, rows in _by_kind(members, live).items()
    }
    return Load(statements, pairs, wide, narrow)


def build_advance(names: Collection[str], kinds: Kinds, rows: Iterable[Row], *, settled: bool) -> Advance:
    """The next state, by the rows that differ. `settled` as in `Advance`."""
    touched: dict[str, tuple[list[str], Records]] = {}
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is None or kind.name not in names:
            continue
        ids, records = touched.setdefault(kind.name, ([], []))
        ids.append(row.resource.id)
        if is_live(kind, row):
            records.append(desired_values(kind, row))
    return Advance(settled, {name: ChangedRows(tuple(ids), records) for name, (ids, records) in touched.items()})


@lru_cache(maxsize=64)
def _statements(kind: Kind) -> tuple[str, ...]:
    """A table that is made from a query has that one's columns and no constraint."""
    desired, live = qualify(DESIRED, kind.table), qualify(LIVE, kind.table)
    return (
        make_tables(kind).desired,
        f"CREATE OR REPLACE TABLE {desired} AS FROM {desired}",
        f"CREATE TABLE {live} AS SELECT {quote_list(live_columns(kind))} FROM {desired}",
    )


@lru_cache(maxsize=64)
def _pair(kind: Kind) -> TablePair:
    live = live_columns(kind)
    return TablePair(kind.table, kind.key, (*live, *declared_columns(kind)), len(live))


def _by_kind(kinds: dict[str, Kind], rows: Iterable[Row]) -> dict[str, list[Row]]:
    rows_by_kind: dict[str, list[Row]] = {name: [] for name in kinds}
    for row in rows:
        kind = kinds.get(row.resource.kind)
        if kind is not None and is_live(kind, row):
            rows_by_kind[kind.name].append(row)
    return rows_by_kind
