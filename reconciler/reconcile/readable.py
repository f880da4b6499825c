"""The readable part of a commit in which files cannot be read: what a plan can tell and judge of it all the same.

What an unread file declares is unknown, so its resources stay as they were: neither changed nor deleted. A resource
that is gone from a readable file may have moved into an unread one. A file names whatever it declares, so it has not
if no unread file holds its name or its id.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.kinds.kind import Kinds
from reconciler.model.change import Op
from reconciler.reconcile.rules import Role
from reconciler.snapshot.snapshot import advance_lineage
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.gitports import Source
    from reconciler.model.change import Resource, Row, RowId, Stamp
    from reconciler.model.commit import RowChange
    from reconciler.model.problem import Problem
    from reconciler.reconcile.admission import AdmissionRequest
    from reconciler.reconcile.rules import RuleReader
    from reconciler.reconcile.walk import TreeState
    from reconciler.snapshot.snapshot import Snapshot

HIDING = re.compile(rb'"[^"]*\\|\0')
"""An escape in double quotes, or another encoding than UTF-8: it could spell any word."""
MAX_SEARCHED = 2_000_000_000
"""Bytes to search for what may have moved; beyond that everything may have."""


class UnreadFiles:
    """Files whose contents are unknown, by path, and what can be told of them by their text."""

    def __init__(self, texts: Iterable[bytes], paths: Collection[str]) -> None:
        self.paths = tuple(sorted(paths))
        self._text = b"\n".join(texts)
        self._searched = 0

    def may_declare(self, resource: Resource) -> bool:
        """Whether a resource may stand in one of the files: it did before, or its name or id occurs."""
        if not self.paths:
            return False
        if resource.path in self.paths or self._hides:
            return True
        self._searched += len(self._text)
        words = (resource.name.encode("utf-8", "surrogateescape"), resource.id.encode())
        return self._searched > MAX_SEARCHED or words[0] in self._text or words[1].lower() in self._lower_text

    @cached_property
    def _hides(self) -> bool:
        return HIDING.search(self._text) is not None

    @cached_property
    def _lower_text(self) -> bytes:
        return self._text.lower()


class ReadablePart(Struct, frozen=True):
    """An invalid commit as far as it can be read: the state with what its readable files declare, and its changes.

    `unread` are the files that were left out, of `files` in all. `withheld` are the resources that were declared before
    and of which nothing is known now, whatever the commits between declared.
    """

    state: TreeState
    rows: tuple[RowChange, ...]
    unread: UnreadFiles
    files: int
    withheld: frozenset[RowId]


def read_part(
    source: Source, rules: RuleReader, state: TreeState, stamp: Stamp, problems: Iterable[Problem]
) -> ReadablePart | None:
    """The readable part of an invalid commit after which the state is given; None when nothing of it was read."""
    if state.tree != stamp.commit:
        return None
    snapshot, layout = state.snapshot, state.rules.layout
    errors = [problem for problem in problems if problem.is_error]
    replaced = _find_replaced(snapshot, errors)
    unread_rules = {problem.path for problem in errors if layout.role(problem.path) in (Role.SCHEMA, Role.SETTINGS)}
    unread_paths = {*_find_unread(snapshot), *unread_rules}
    unread = UnreadFiles(rules.read_files(stamp.commit, unread_paths).values(), unread_paths)
    withheld = frozenset(_find_withheld(snapshot, unread, replaced))
    kinds = _kinds_in_force(snapshot, replaced)
    prune = snapshot.prune.milder(state.rules.spec.prune.mode)
    lineage, rows = advance_lineage(snapshot.lineage, snapshot.tree, snapshot.pending - withheld, stamp, prune)
    files = sum(layout.role(path) is Role.RESOURCES for path in source.paths(stamp.commit)) + len(unread_rules)
    unknown = {*withheld, *_find_unknown(state, unread, replaced)}
    declared = frozenset(row_id for row_id in unknown if _was_declared(snapshot, row_id) is not None)
    readable = replace(state, snapshot=replace(snapshot, lineage=lineage, kinds=kinds))
    return ReadablePart(readable, rows, unread, files, declared)


def keep_unread(request: AdmissionRequest, part: ReadablePart) -> AdmissionRequest:
    """A step that starts over, without deleting what may stand in unread files: no valid commit tells of it."""
    kept = {
        change.resource.row_id
        for change in request.changes
        if change.op is Op.DELETE and part.unread.may_declare(change.resource)
    }
    if not kept or request.old is None or request.delta is not None:
        return request
    changes = tuple(change for change in request.changes if change.resource.row_id not in kept)
    before, after = request.old.rows, request.new.rows

    def rows() -> Iterator[Row]:
        yield from (row for row in after() if row.row_id not in kept)
        yield from (row for row in before() if row.row_id in kept)

    return replace(request, changes=changes, new=replace(request.new, rows=rows))


def _find_unread(snapshot: Snapshot) -> Iterator[str]:
    """The files of resources with errors, and those that declare what others declare as well."""
    tree = snapshot.tree
    for path in tree.candidates.files:
        if any(problem.is_error for problem in tree.files[path].problems):
            yield path
    for key in tree.candidates.names:
        yield from (location.path for location in tree.names[key])
    for row_id in tree.candidates.ids:
        yield from (resource.path for resource in tree.ids[row_id])


def _find_replaced(snapshot: Snapshot, errors: Iterable[Problem]) -> frozenset[str]:
    """The kinds whose table or key a commit must not change: nothing is told of their resources."""
    schemas = {problem.path for problem in errors if problem.code == "schema-replaced"}
    return frozenset(kind.name for kind in snapshot.tree.kinds if kind.origin in schemas)


def _find_withheld(snapshot: Snapshot, unread: UnreadFiles, replaced: frozenset[str]) -> Iterator[RowId]:
    paths = frozenset(unread.paths)
    for row_id in snapshot.pending:
        now = snapshot.tree.ids[row_id]
        if row_id.kind in replaced or any(resource.path in paths for resource in now):
            yield row_id
        elif not now:
            before = _was_declared(snapshot, row_id)
            if before is not None and (snapshot.tree.names[before.key] or unread.may_declare(before)):
                yield row_id


def _find_unknown(state: TreeState, unread: UnreadFiles, replaced: frozenset[str]) -> Iterator[RowId]:
    """What stands in unread files without a change, as where another file declares it as well; all of some kinds."""
    for path in unread.paths:
        yield from (resource.row_id for resource in state.snapshot.tree.files[path].resources)
    if replaced:
        yield from (row.row_id for row in state.rows() if row.row_id.kind in replaced)


def _was_declared(snapshot: Snapshot, row_id: RowId) -> Resource | None:
    row = snapshot.lineage.rows[row_id]
    return row.resource if row is not None and row.removed is None else None


def _kinds_in_force(snapshot: Snapshot, replaced: frozenset[str]) -> Kinds:
    """The commit's kinds, and the earlier ones where a resource may stay of which nothing is known."""
    kinds = {kind.name: kind for kind in snapshot.tree.kinds if kind.name not in replaced}
    tables = {kind.table for kind in kinds.values()}
    earlier = {kind.name: kind for kind in snapshot.kinds if kind.name not in kinds and kind.table not in tables}
    return Kinds(tuple(sorted({**kinds, **earlier}.values(), key=lambda kind: kind.name)))
