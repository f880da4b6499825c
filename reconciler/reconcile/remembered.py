"""An earlier applied commit where git is gone: its rows out of the history, its rules out of the store.

Nothing of it is taken on trust. The digest of the rows has to be the one that the history has of the commit, and the
one that was written down when it went live; a file of rules has to have the hash by which git names it.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import NeedsHuman, UsageError
from reconciler.history.points import SHA, find_recorded, require_point
from reconciler.kinds.build import stored_kinds
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.model.change import Op, Prune, Removal, content_digest
from reconciler.model.commit import FileChange, Status, Version
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.goback import Past
from reconciler.reconcile.rules import RuleReader, rules_of
from reconciler.reconcile.targets import Lookup, Targets, recorded_intervals
from reconciler.reconcile.walk import ProcessedCommit, TreeState
from reconciler.snapshot.snapshot import EmptyBase, state_of_rows
from reconciler.tables.rows import declaration_columns, declared_row
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from reconciler.history.points import FoundVersion
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.model.host import HostEvent
    from reconciler.model.keptrules import KeptRules
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import HistoryRow
    from reconciler.ports import LedgerReader, StoreReader
    from reconciler.reconcile.admission import OpenEngine
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas, Rules
    from reconciler.reconcile.walk import Progress

NOT_KEPT = "the store does not keep its policies and schemas, as it does since this release"
MAX_EVENTS = 10_000
"""Host events of the ledger that are looked at to find when a commit went live."""


class Memory(Struct, frozen=True):
    """What is asked where git is gone. `open_ledger` is None on a host that keeps no history; `host` is its name there.

    `folder` is where the configuration begins in the repository.
    """

    store: StoreReader
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None
    host: str
    folder: str
    bundled: BundledSchemas
    faults: FaultFinder
    open_engine: OpenEngine

    def past(self) -> Past:
        """What of earlier commits is held. Raises `NeedsHuman` where the rules of the live commit are not."""
        trees = KeptTrees({})
        rules = RuleReader(trees, self.folder, self.bundled, self.faults)
        lookup = Lookup(self._resolve, self._is_later)

        more = partial(recorded_intervals, self.open_ledger, self.host)

        def find(applied: Applied, rollback: Rollback | None, revision: str | None) -> str:
            return Targets(lookup, self.store, applied, rollback, more).find(revision)

        def rules_at(commit: str) -> Rules:
            live = self.store.applied()
            kept = self.store.kept_rules(live.rules) if live and live.rules else None
            if kept is None:
                _refuse(commit, NOT_KEPT)
            return rules_of(trees.add(commit, kept), self.folder)

        def state_at(target: str, progress: Progress) -> ProcessedCommit:
            kept, event = self._kept_rules(target)
            return self._rebuild(target, rules_of(trees.add(target, kept), self.folder), rules, event)

        admission = AdmissionController(rules, self.open_engine)
        return Past(find, state_at, rules_at, trees, rules, admission, rebuilt=True)

    def _resolve(self, revision: str) -> str:
        with self._history() as ledger:
            found = find_recorded(ledger, revision) if SHA.fullmatch(revision) else None
        if found is None:
            raise UsageError(
                f"{revision} is no sha of the history, and git, which knows tags and branches, is away",
                hint="`reconciler log` has the shas",
            )
        return found.version.commit.sha

    def _is_later(self, sha: str, live: str) -> bool:
        with self._history() as ledger:
            heights = ledger.mainline_heights([sha, live])
        return len(heights) == 2 and heights[sha] > heights[live]  # noqa: PLR2004  both

    def _history(self) -> AbstractContextManager[LedgerReader]:
        if self.open_ledger is None:
            raise NeedsHuman("this host keeps no history, which would have the rows of earlier commits")
        return self.open_ledger()

    def _kept_rules(self, commit: str) -> tuple[KeptRules, HostEvent]:
        """The rules of a commit that went live, and the host event that says so."""
        event = self.store.went_live(commit) or self._told_live(commit)
        named = event.detail.get("rules") if event else None
        kept = self.store.kept_rules(str(named)) if named else None
        if event is None or kept is None:
            _refuse(commit, NOT_KEPT)
        return kept, event

    def _told_live(self, commit: str) -> HostEvent | None:
        if self.open_ledger is None:
            return None
        with self.open_ledger() as ledger:
            told = (one.event for one in ledger.events(limit=MAX_EVENTS, host=self.host))
            return next((one for one in told if (one.event, one.commit) == ("applied", commit)), None)

    def _rebuild(self, target: str, rules: Rules, reader: RuleReader, event: HostEvent) -> ProcessedCommit:
        """The state of a commit. Raises `NeedsHuman` where it cannot be proved to be that."""
        kinds, problems = reader.kinds_of(rules)
        if problems:
            _refuse(target, f"its schemas cannot be read: {problems[0].message}")
        with self._history() as ledger:
            found = find_recorded(ledger, target)
            if found is None or found.version.status != Status.VALID:
                _refuse(target, "the history does not have it as a valid commit")
            rows = [row for kind in kinds for row in _rows_at(found, kind)]
        rows = list(self._with_known_tombstones(rows))
        version = found.version
        declared = (row.resource.digest for row in rows if row.removed is None)
        digest = canonical.add_digests(canonical.EMPTY_SET, added=declared)
        for whose, said in (("the history has of it", version.digest), ("it had when it went live", event.digest)):
            if digest != said:
                _refuse(target, f"the rows of the history have another digest than {whose}")
        snapshot = state_of_rows(rows, kinds, digest, rules.spec.prune.mode)
        state = TreeState(snapshot, EmptyBase(), version.height, rules, None)
        made = Version(
            commit=version.commit,
            height=version.height,
            mainline=True,
            status=Status.VALID,
            problems=version.problems,
            creates=version.creates,
            updates=version.updates,
            deletes=version.deletes,
            digest=digest,
        )
        return ProcessedCommit(made, state, kinds)

    def _with_known_tombstones(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The history has tombstones as tables show them; the store has those whole that are there still."""
        base = self.store.base(stored_kinds(self.store.kinds()))
        for row in rows:
            known = base.row(row.row_id) if row.removed is not None else None
            yield known if known is not None and known.removed == row.removed else row


def _refuse(commit: str, why: str) -> NoReturn:
    raise NeedsHuman(f"git is away, and {commit[:8]} cannot be proved from what store and history hold: {why}")


def _rows_at(found: FoundVersion, kind: Kind) -> Iterator[Row]:
    point = require_point(found.ledger, found.version)
    return (_row(kind, row) for row in found.ledger.rows_at(kind, point))


def _row(kind: Kind, found: HistoryRow) -> Row:
    """The row of a history row. Its digest is that of what is there, not the one that is told."""
    recorded: Mapping[str, Any] = found.values
    values = {column.name: _value(column.type, recorded[column.name]) for column in kind.columns}
    stamps = [recorded[name] for name in TIMESTAMPS]
    deleted = found.op == Op.DELETE
    declaration = [recorded[name] for name, _ in declaration_columns(kind)]
    row = declared_row(kind, values, stamps, declaration)
    resource = row.resource
    digest = content_digest(resource.key, resource.values, resource.labels, resource.annotations, resource.refs)
    if not deleted:
        return replace(row, resource=replace(resource, digest=digest))
    removal = Removal(row.updated.commit, row.updated.time, Prune(found.prune or Prune.DEACTIVATE))
    return replace(row, resource=replace(resource, path="", line=1), updated=row.created, removed=removal)


def _value(sql_type: SqlType, value: object) -> object:
    return json.loads(value) if sql_type is SqlType.JSON and isinstance(value, str) else value


class KeptTrees:
    """The files of rules that are kept of some commits. Implements the port `Trees`; other files are not there."""

    def __init__(self, kept: dict[str, KeptRules]) -> None:
        self._kept = kept

    def add(self, commit: str, kept: KeptRules) -> KeptRules:
        """Have those of one more commit."""
        self._kept[commit] = kept
        return kept

    def _files(self, commit: str) -> dict[str, FileChange]:
        return {file.path: FileChange(file.path, file.blob) for file in self._kept[commit].files}

    def changes(self, old: str | None, new: str) -> tuple[FileChange, ...]:
        """The files of rules that differ between two commits."""
        before, after = self._files(old) if old else {}, self._files(new)
        paths = sorted({*before, *after})
        gone = {path: FileChange(path, None) for path in paths}
        return tuple((gone | after)[path] for path in paths if before.get(path) != after.get(path))

    def files(self, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
        """Those of the given files that are kept."""
        found = self._files(commit)
        return tuple(found[path] for path in sorted(paths) if path in found)

    def listing(self, commit: str, folder: str) -> tuple[FileChange, ...]:
        """The kept files that stand directly in a folder."""
        return tuple(file for path, file in sorted(self._files(commit).items()) if path.rpartition("/")[0] == folder)

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of kept files."""
        contents = {file.blob: file.content for kept in self._kept.values() for file in kept.files}
        return ((one, contents[one]) for one in ids)
