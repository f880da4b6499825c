"""A release judged like any step: from the live rows, as halts have made them, to what git says of those it lets go.

What stays halted is on both sides what git says, as it is when a commit is judged. So a rule about a state says what
it said when the commit went live, and a rule about a change sees what the release would switch on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NeedsHuman, ReconcilerError, RefusedError
from reconciler.kinds.build import stored_kinds
from reconciler.reconcile.admission import AdmissionController, AdmissionRequest, CommitState
from reconciler.reconcile.goback import SHOWN
from reconciler.reconcile.remembered import KeptTrees
from reconciler.reconcile.rules import RuleReader, rules_of
from reconciler.snapshot.snapshot import LoadedBase
from reconciler.tables.rows import with_halts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.model.halt import Halts
    from reconciler.model.problem import Problem
    from reconciler.ports import StoreReader
    from reconciler.reconcile.admission import OpenEngine
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas, Rules


class ReleaseJudge(Struct, frozen=True):
    """For any thread. `open_rows` is as in `HaltDesk`; `open_source` opens the repository as it is on this machine.

    It is asked for the rules of a commit that went live before the store kept these.
    """

    open_rows: Callable[[], AbstractContextManager[DuckDBReader | None]]
    open_source: Callable[[], AbstractContextManager[Source]]
    open_engine: OpenEngine
    bundled: BundledSchemas
    faults: FaultFinder

    def check(self, after: Halts) -> None:
        """Raise `RefusedError` where rules are against what is left of the halts, or why it cannot be judged."""
        with self.open_rows() as store:
            applied = store.applied() if store else None
            if store is None or applied is None:
                return
            kinds = stored_kinds(store.kinds())
            rows = tuple(store.base(kinds).rows())
            halted = tuple(_released(kinds, rows, store.halts(), after))
            if halted == rows:
                return
            problems = self._judge(store, applied, kinds, halted, rows)
        errors = [problem for problem in problems if problem.is_error]
        if errors:
            shown = "; ".join(f"[{one.code}] {one.message}" for one in errors[:SHOWN])
            more = f", and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
            raise RefusedError(
                f"the release is refused, all stays halted: {shown}{more}",
                hint="release what the rules allow, or change git or the rules there first",
            )

    def _judge(
        self, store: StoreReader, applied: Applied, kinds: Kinds, halted: tuple[Row, ...], rows: tuple[Row, ...]
    ) -> tuple[Problem, ...]:
        commit, owner = applied.stamp.commit, store.owner()
        folder = owner.folder if owner else ""
        kept = store.kept_rules(applied.rules) if applied.rules else None
        if kept is not None:
            reader = RuleReader(KeptTrees({commit: kept}), folder, self.bundled, self.faults)
            return self._review(reader, rules_of(kept, folder), commit, kinds, halted, rows)
        try:
            with self.open_source() as source:
                reader = RuleReader(source, folder, self.bundled, self.faults)
                return self._review(reader, reader.read_rules(commit), commit, kinds, halted, rows)
        except ReconcilerError as error:
            raise NeedsHuman(
                f"the release cannot be judged, all stays halted: the store does not keep the rules of {commit[:8]}, "
                f"and git cannot be read: {error}",
                hint=error.hint,
            ) from error

    def _review(
        self,
        reader: RuleReader,
        rules: Rules,
        commit: str,
        kinds: Kinds,
        halted: tuple[Row, ...],
        rows: tuple[Row, ...],
    ) -> tuple[Problem, ...]:
        old, new = CommitState(commit, rules, kinds, lambda: halted), CommitState(commit, rules, kinds, lambda: rows)
        request = AdmissionRequest(old, new, (), LoadedBase(rows, kinds).count)
        return AdmissionController(reader, self.open_engine).review(request).problems


def _released(kinds: Kinds, rows: tuple[Row, ...], before: Halts, after: Halts) -> Iterator[Row]:
    """The rows, those that a release lets go with what halts have made of them."""
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        was = with_halts(kind, row, before) if kind else row
        lets_go = kind is not None and was.halted != with_halts(kind, row, after).halted
        yield was if lets_go else row
