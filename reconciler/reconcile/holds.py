"""What keeps a commit of a walk from going live while this host is rolled back, or something on it halted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.rollback import SkippedFile
from reconciler.reconcile.read import locate_problems
from reconciler.reconcile.rollback import Candidate, hold_problems
from reconciler.reconcile.rules import Role
from reconciler.reconcile.stayoff import find_switched_on

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.gitports import Source, Trees
    from reconciler.model.change import Key, Resource
    from reconciler.model.problem import Problem
    from reconciler.model.rollback import Skipped
    from reconciler.ports import StoreReader
    from reconciler.reconcile.admission import Proposal
    from reconciler.reconcile.rules import Layout
    from reconciler.reconcile.walk import CommitProcessor, ProcessedCommit


def find_held(
    store: StoreReader, source: Source, processor: CommitProcessor, proposal: Proposal
) -> tuple[Problem, ...]:
    """Why this host holds a valid commit: it says what a rollback skipped, or would switch on what is halted."""
    problems = find_switched_on(store.halts(), proposal.request, proposal.rows)
    rollback, commit = store.rollback(), proposal.commit
    sha = commit.version.commit.sha
    if rollback is not None:
        candidate = as_candidate(rollback.changes, source, commit)
        folder = processor.rules.folder or "."
        problems += hold_problems(rollback, sha, candidate, commit.state.snapshot.kinds, folder)
    return locate_problems(tuple(sorted(problems)), lambda paths: processor.rules.read_files(sha, paths))


def as_candidate(skipped: Skipped, source: Source, commit: ProcessedCommit) -> Candidate:
    """A valid commit, as far as the skipped values are concerned."""
    tree, paths = commit.state.snapshot.tree, [file.path for file in skipped.files]

    def by_name(key: Key) -> Sequence[Resource]:
        files = {location.path for location in tree.names[key]}
        return [one for path in sorted(files) for one in tree.files[path].resources if one.key == key]

    files = source.files(commit.version.commit.sha, paths) if paths else ()
    return Candidate(tree.ids.__getitem__, by_name, {file.path: file.blob for file in files if file.blob})


def find_skipped_files(trees: Trees, target: str, bad: str, layouts: Collection[Layout]) -> tuple[SkippedFile, ...]:
    """The files of rules that a rollback's target and the skipped head differ in; none where git lacks the head."""
    try:
        changed = trees.changes(target, bad)
    except UsageError:
        return ()
    roles = {one.path: {layout.role(one.path) for layout in layouts} - {None, Role.RESOURCES} for one in changed}
    paths = [path for path, found in roles.items() if found]
    at_target = {file.path: file.blob for file in trees.files(target, paths)}
    return tuple(SkippedFile(one.path, at_target.get(one.path), one.blob) for one in changed if one.path in paths)
