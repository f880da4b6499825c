"""One reconcile: the branch's head becomes the live rows, and every commit a version."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.change import Op
from reconciler.model.commit import Status
from reconciler.pipeline.kindset import stored_kinds
from reconciler.pipeline.recording import Recorded, Recorder
from reconciler.pipeline.replay import Origin, Step, joins, replay
from reconciler.plan.plan import Plan, ordered
from reconciler.ports import Application, Applied, Attempt
from reconciler.snapshot.base import LoadedBase
from reconciler.snapshot.difference import between

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Change, Row
    from reconciler.model.resource import RowId
    from reconciler.pipeline.recording import OpenLedger
    from reconciler.pipeline.stepping import Stepper
    from reconciler.ports import Base, Clock, Source, Store

    Parents = Mapping[str, tuple[str, ...]]

    Progress = Callable[[int, int], None]


LOOK_UP_PER_ROW = 500
"""Rows that are loaded in the time in which one changed file is looked up: its resources, names, ids and references."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a reconcile did. `head` is None for a branch without commits; `plan` is what changed in the live rows."""

    head: str | None
    applied: Applied | None
    attempt: Attempt | None
    plan: Plan
    history: Recorded | None


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk came to on the mainline: the last commit, and the last valid one."""

    last: Step | None = None
    valid: Step | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The reconcile of one branch of one repository into one store and one ledger (None keeps no history).

    `repository` is what store and ledger know the configuration by.
    """

    source: Source
    repository: str
    branch: str
    store: Store
    open_ledger: OpenLedger | None
    stepper: Stepper
    shipped: Kinds
    clock: Clock

    def sync(self, progress: Progress = lambda done, total: None) -> SyncResult:
        """Bring store and ledger to the branch's head.

        An invalid head changes no row but what valid commits before it brought; a ledger that fails is told in the
        result and does not keep rows from going live. Raises `ReconcilerError` when git or the store fail.
        """
        self.store.claim(self.repository, self.branch)
        head = self.source.resolve(self.branch)
        if head is None:
            return SyncResult(None, self.store.applied(), self.store.attempted(), Plan(None, "", ()), None)
        self._check_folder(head)
        origin, parents = self._origin(head)
        with self._recorder(origin, parents) as recorder:
            walk = self._walk(origin, head, parents, recorder, progress)
            plan = self._go_live(origin, head, walk)
        history = recorder.result if recorder else None
        if history is not None and history.behind:
            history = self._record_all(head, progress)
        return SyncResult(head, self.store.applied(), self.store.attempted(), plan, history)

    def _check_folder(self, head: str) -> None:
        folder = self.stepper.layout.folder
        if folder and not self.source.has_folder(head, folder):
            raise UsageError(
                f"{self.branch} has no folder {folder}: nothing was changed",
                hint="name the folder where the configuration begins with --path, or bring it back",
            )

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return stored_kinds(self.store.kinds())

    def _recorder(self, origin: Origin, parents: Parents) -> Recorder | nullcontext[None]:
        return Recorder(self.open_ledger, origin.commit, parents.keys()) if self.open_ledger else nullcontext()

    def _record_all(self, head: str, progress: Progress) -> Recorded | None:
        """Compare the ledger with the whole history and record what it lacks."""
        origin, parents = self._beginning(head)
        with self._recorder(origin, parents) as recorder:
            self._walk(origin, head, parents, recorder, progress)
        return recorder.result if recorder else None

    def _beginning(self, head: str) -> tuple[Origin, Parents]:
        return Origin(None, self.stepper.nothing()), self.source.parents(head)

    def _origin(self, head: str) -> tuple[Origin, Parents]:
        """The applied commit, if the rows it left are those that the head's history starts with."""
        applied = self.store.applied()
        if applied is None or not self._understands_store():
            return self._beginning(head)
        known = applied.stamp.commit
        try:
            parents = self.source.parents(head, known=known)
        except UsageError:  # the commit is gone: the history was rewritten, and git collected the old one
            return self._beginning(head)
        if not joins(parents, head, known):
            return self._beginning(head)
        position = self.stepper.at(known, self._base(known, head), applied.digest, applied.height)
        return Origin(known, position), parents

    def _base(self, known: str, head: str) -> Base:
        """The state at the applied commit: looked up, or loaded at once when much of it is going to be asked for."""
        base = self.store.base(self.kinds())
        asked = len(self.source.changes(known, head)) * LOOK_UP_PER_ROW
        return base if asked < sum(self.store.counts().values()) else LoadedBase(base.rows(), self.kinds())

    def _understands_store(self) -> bool:
        """Whether the rows were made under the kinds this program ships; another release's are made anew."""
        made_under = self.store.kinds()
        return all(made_under.get(kind.name) == kind.schema for kind in self.shipped)

    def _walk(self, origin: Origin, head: str, parents: Parents, recorder: Recorder | None, progress: Progress) -> Walk:
        walk = Walk()
        for done, step in enumerate(replay(self.source, self.stepper, origin, head, parents), 1):
            if recorder:
                recorder.offer(step)
            if step.version.mainline:
                walk = Walk(step, step if step.version.status is Status.VALID else walk.valid)
            progress(done, len(parents))
        return walk

    def _go_live(self, origin: Origin, head: str, walk: Walk) -> Plan:
        applied = self.store.applied()
        base = applied.stamp.commit if applied else None
        changes: tuple[Change, ...] = ()
        if walk.valid is not None:
            changes = self._apply(origin, walk.valid) if origin.commit else self._replace(walk.valid)
        if walk.last is not None and walk.last is not walk.valid:
            version = walk.last.version
            self.store.refuse(Attempt(version.commit.stamp, self.clock.now(), refused=True, problems=version.problems))
        problems = walk.last.version.problems if walk.last else ()
        return Plan(base, head, changes, problems)

    def _apply(self, origin: Origin, step: Step) -> tuple[Change, ...]:
        rows = _rows(step)
        changes = ordered(
            change for row in rows if (change := between(origin.position.base.row(row.row_id), row)) is not None
        )
        self.store.apply(step.position.snapshot.kinds, _application(step, rows, changes))
        return changes

    def _replace(self, step: Step) -> tuple[Change, ...]:
        rows = _rows(step)
        old = self._rows_before()
        changes = [change for row in rows if (change := between(old.pop(row.row_id, None), row)) is not None]
        stamp = step.version.commit.stamp
        changes += [change for row in old.values() if (change := between(row, replace(row, removed=stamp))) is not None]
        self.store.replace(step.position.snapshot.kinds, _application(step, rows, changes))
        return ordered(changes)

    def _rows_before(self) -> dict[RowId, Row]:
        if self.store.applied() is None:
            return {}
        base = self.store.base(self.kinds())
        return {row.row_id: row for row in base.rows()}


def _rows(step: Step) -> tuple[Row, ...]:
    return tuple(row for _, row in step.position.snapshot.lineage.rows.changes() if row is not None)


def _application(step: Step, rows: tuple[Row, ...], changes: Collection[Change]) -> Application:
    ops = Counter(change.op for change in changes)
    return Application(
        commit=step.version.commit,
        height=step.version.height,
        digest=step.version.digest,
        rows=rows,
        warnings=step.version.problems,
        creates=ops[Op.CREATE],
        updates=ops[Op.UPDATE],
        deletes=ops[Op.DELETE],
    )
