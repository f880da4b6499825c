"""What keeps a commit of a walk from going live while this host is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.reconcile.read import locate_problems
from reconciler.reconcile.rollback import Candidate, hold_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.change import Key, Resource
    from reconciler.model.problem import Problem
    from reconciler.model.rollback import Rollback, Skipped
    from reconciler.ports import Source
    from reconciler.reconcile.walk import CommitProcessor, ProcessedCommit


def find_held(
    rollback: Rollback | None, source: Source, processor: CommitProcessor, commit: ProcessedCommit
) -> tuple[Problem, ...]:
    """The problems of a valid commit that still says what a rollback skipped; none without a rollback."""
    if rollback is None:
        return ()
    candidate, sha = as_candidate(rollback.changes, source, commit), commit.version.commit.sha
    kinds, folder = commit.state.snapshot.kinds, processor.rules.folder or "."
    problems = hold_problems(rollback, sha, candidate, kinds, folder)
    return locate_problems(problems, lambda paths: processor.rules.read_files(sha, paths))


def as_candidate(skipped: Skipped, source: Source, commit: ProcessedCommit) -> Candidate:
    """A valid commit, as far as the skipped values are concerned."""
    tree, paths = commit.state.snapshot.tree, [file.path for file in skipped.files]

    def by_name(key: Key) -> Sequence[Resource]:
        files = {location.path for location in tree.names[key]}
        return [one for path in sorted(files) for one in tree.files[path].resources if one.key == key]

    files = source.files(commit.version.commit.sha, paths) if paths else ()
    return Candidate(tree.ids.__getitem__, by_name, {file.path: file.blob for file in files if file.blob})
