"""One step along a history: a commit's changed files become the next snapshot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rpds import HashTrieMap

from reconciler import canonical
from reconciler.model.commit import EntryType
from reconciler.pipeline.kindset import migration_problems, read_kinds
from reconciler.pipeline.layout import Layout, Role
from reconciler.pipeline.locating import locate
from reconciler.pipeline.reading import Reader
from reconciler.snapshot import snapshot as snapshots
from reconciler.snapshot.base import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Stamp
    from reconciler.model.commit import FileChange
    from reconciler.model.problem import Problem
    from reconciler.pipeline.kindset import Shipped
    from reconciler.ports import Base, Source
    from reconciler.snapshot.snapshot import Outcome, Snapshot

    Kindset = tuple[Kinds, tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk along a history is.

    `base` is the state that the walk began with, `height` the number of commits on the first-parent chain so far,
    `schemas` the schema files of the tree: path to blob.
    """

    snapshot: Snapshot
    base: Base
    height: int
    schemas: HashTrieMap[str, str]


class Stepper:
    """Takes steps in one repository, remembering what it read lately."""

    def __init__(self, source: Source, layout: Layout, shipped: Shipped) -> None:
        self._source = source
        self.layout = layout
        self._shipped = shipped
        self._reader = Reader(shipped.kinds)
        self._kindsets: dict[frozenset[tuple[str, str]], Kindset] = {}

    def nothing(self) -> Position:
        """The position before any commit."""
        base = EmptyBase()
        return Position(snapshots.start(base, self._shipped.kinds, canonical.EMPTY_SET), base, 0, HashTrieMap())

    def at(self, commit: str, base: Base, digest: str, height: int) -> Position:
        """The position at a valid commit, whose state the base holds."""
        schemas = self._schemas(HashTrieMap(), self._source.listing(commit, self.layout.schemas_folder))
        kinds, _ = self._kindset(schemas)
        return Position(snapshots.start(base, kinds, digest), base, height, schemas)

    def step(self, at: Position, stamp: Stamp, changes: Iterable[FileChange]) -> tuple[Position, Outcome]:
        """From a commit to one whose first parent it is."""
        schemas = self._schemas(at.schemas, changes)
        kinds, problems = self._successors(at, schemas)
        if kinds.changed_from(at.snapshot.kinds):
            problems = (*problems, *migration_problems(at.snapshot.kinds, kinds))
        return self._move(at, stamp, changes, replace(at, schemas=schemas, height=at.height + 1), (kinds, problems))

    def jump(self, at: Position, stamp: Stamp, changes: Iterable[FileChange], height: int) -> tuple[Position, Outcome]:
        """From a commit to any other. Rows are attributed to that other commit: good for counting, not for keeping."""
        schemas = self._schemas(at.schemas, changes)
        target = replace(at, schemas=schemas, height=height)
        return self._move(at, stamp, changes, target, self._successors(at, schemas))

    def _successors(self, at: Position, schemas: HashTrieMap[str, str]) -> Kindset:
        kinds, problems = self._kindset(schemas)
        # While a schema cannot be read, documents are judged by the one before.
        return (at.snapshot.tree.kinds, problems) if problems else (kinds, ())

    def _move(
        self, at: Position, stamp: Stamp, changes: Iterable[FileChange], target: Position, kindset: Kindset
    ) -> tuple[Position, Outcome]:
        kinds, problems = kindset
        files = {one.path: one for one in changes if self.layout.role(one.path) is Role.RESOURCES}
        if kinds.changed_from(at.snapshot.tree.kinds):
            files = {one.path: one for one in self._to_reread(at, stamp.commit, kinds)} | files
        if kinds.digest != self._reader.kinds.digest:
            self._reader = Reader(kinds)
        entries = self._reader.entries(files.values(), self._source.blobs)
        outcome = snapshots.advance(at.snapshot, stamp, kinds, entries, problems)
        located = locate(outcome.problems, lambda paths: self._contents(stamp.commit, paths))
        return replace(target, snapshot=outcome.snapshot), replace(outcome, problems=located)

    def _kindset(self, schemas: Mapping[str, str]) -> Kindset:
        version = frozenset(schemas.items())
        if version not in self._kindsets:
            contents = (data for _, data in self._source.blobs(schemas.values()))
            self._kindsets[version] = read_kinds(dict(zip(schemas, contents, strict=True)), self._shipped)
        return self._kindsets[version]

    def _schemas(self, schemas: HashTrieMap[str, str], changes: Iterable[FileChange]) -> HashTrieMap[str, str]:
        for change in changes:
            if self.layout.role(change.path) is not Role.SCHEMA:
                continue
            if change.blob is not None and change.type is EntryType.FILE:
                schemas = schemas.insert(change.path, change.blob)
            elif change.path in schemas:
                schemas = schemas.discard(change.path)
        return schemas

    def _to_reread(self, at: Position, commit: str, kinds: Kinds) -> tuple[FileChange, ...]:
        """The files to judge again: those that declare a kind whose schema changed, and those with problems."""
        tree = at.snapshot.tree
        names = kinds.changed_from(tree.kinds)
        paths = set(at.base.paths(names))
        for path, entry in tree.files.changes():
            if entry.problems or any(one.kind in names for one in entry.resources):
                paths.add(path)
        return self._source.files(commit, paths)

    def _contents(self, commit: str, paths: Collection[str]) -> dict[str, bytes]:
        found = {one.path: one.blob for one in self._source.files(commit, paths) if one.blob is not None}
        contents = (data for _, data in self._source.blobs(found.values()))
        return dict(zip(found, contents, strict=True))
