"""The commits of a repository as streams: `git rev-list` for the order, objects and differences for the rest."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from reconciler.adapters.git import failures
from reconciler.adapters.git.commits import parent_ids, parse_commit, tree_id
from reconciler.adapters.git.trees import parse_changes
from reconciler.model.commit import CommitDelta

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from reconciler.adapters.git.plumbing import Plumbing
    from reconciler.model.commit import Commit, FileChange


FEW = 4
"""Commits that are looked at one by one before git is asked for all."""


def history(plumbing: Plumbing, head: str, known: str | None) -> Iterator[CommitDelta]:
    """Every commit that `head` reaches and `known` does not, parents before children.

    The three processes work at the same time, each a few requests ahead of the next.
    """
    with contextlib.closing(_graph(plumbing, head, known)) as graph:
        yield from along(plumbing, graph)


def along(plumbing: Plumbing, graph: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[CommitDelta]:
    """These commits, with the parents that they have here."""
    requests = (_request(commit, tree) for commit, tree in read_commits(plumbing, graph))
    for commit, raw in plumbing.differences(requests):
        yield CommitDelta(commit, parse_changes(raw))


def straight(plumbing: Plumbing, head: str, known: str) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """The commits from `known` to a head with their parents, when they are few and in one line; None for any others.

    Where nothing is cut off or grafted that is what `git rev-list` says, without starting it: a commit of today costs
    no new process.
    """
    line: list[tuple[str, tuple[str, ...]]] = []
    at = head
    while at != known and len(line) < FEW:
        ((_, kind, raw),) = plumbing.objects([(at, at)])
        above = parent_ids(raw) if raw is not None and kind == b"commit" else ()
        if len(above) != 1:
            return None
        line.append((at, above))
        at = above[0]
    return tuple(reversed(line)) if at == known else None


def parents(plumbing: Plumbing, head: str, known: str | None) -> dict[str, tuple[str, ...]]:
    """The parents of every commit that `head` reaches and `known` does not, in the order of `history`."""
    with contextlib.closing(_graph(plumbing, head, known)) as graph:
        return dict(graph)


def commit(plumbing: Plumbing, sha: str) -> Commit:
    """One commit, with the parents that it has here."""
    with contextlib.closing(_graph(plumbing, sha, None, "--max-count=1")) as graph:
        ((found, _),) = read_commits(plumbing, graph)
    return found


def height(plumbing: Plumbing, commit: str) -> int:
    """The number of commits on the first-parent chain, the commit itself included."""
    return int(plumbing.output("rev-list", "--first-parent", "--count", commit, "--") or 0)


def changes(plumbing: Plumbing, old: str | None, new: str) -> tuple[FileChange, ...]:
    """The paths that differ between two commits' trees; `old` None stands for the empty tree."""
    ((commit, tree),) = read_commits(plumbing, [(new, ())])
    ((_, raw),) = plumbing.differences([(old, commit.sha if old else tree, None)])
    return parse_changes(raw)


def read_commits(plumbing: Plumbing, wanted: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[tuple[Commit, str]]:
    """Commits by sha, with the parents that they shall have here, each with the id of its tree."""
    named = ((sha, (sha, parents)) for sha, parents in wanted)
    for (sha, parents), _, raw in plumbing.objects(named):
        if raw is None:
            raise failures.lacks(plumbing.git_dir, sha)
        yield parse_commit(sha, parents, raw), tree_id(raw)


def _graph(
    plumbing: Plumbing, head: str, known: str | None, *options: str
) -> Generator[tuple[str, tuple[str, ...]], None, None]:
    excluded = (f"^{known}",) if known else ()
    lines = plumbing.lines("rev-list", "--topo-order", "--reverse", "--parents", *options, head, *excluded, "--")
    with contextlib.closing(lines):
        for line in lines:
            sha, *above = line.split()
            yield sha, tuple(above)


def _request(commit: Commit, tree: str) -> tuple[str | None, str, Commit]:
    first = commit.parents[0] if commit.parents else None
    return first, commit.sha if first else tree, commit
