"""What the core asks of a git repository, read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.errors import UsageError
    from reconciler.model.commit import Commit, CommitDelta, FileChange


class Trees(Protocol):
    """The trees of commits, read only. A commit that does not exist raises `UsageError`."""

    def changes(self, old: str | None, new: str) -> tuple[FileChange, ...]:
        """The paths that differ between the trees of two commits; `old` None stands for the empty tree."""

    def files(self, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
        """Those of the given files that the commit's tree has."""

    def listing(self, commit: str, folder: str) -> tuple[FileChange, ...]:
        """The entries of a folder of the commit's tree, not recursive; empty when there is no such folder."""

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of blobs, in the given order, as one stream."""


class Source(Trees, Protocol):
    """A git repository, read only. A revision that does not exist raises `UsageError`."""

    @property
    def repository(self) -> str:
        """Where the repository is: its origin's URL without credentials, else its path."""

    def roots(self) -> frozenset[str]:
        """The first commits of all branches; the oldest there are where history was cut off."""

    def has_commit(self, sha: str) -> bool:
        """Whether there is a commit of this sha, on a branch or not."""

    @property
    def has_checkout(self) -> bool:
        """Whether HEAD says what is checked out; otherwise it names the default branch."""

    def resolve(self, revision: str) -> str | None:
        """The sha of the commit a revision names; None for a branch without commits."""

    def branch_head(self, name: str) -> str | None:
        """The sha that the branch of this name is at, and never a tag or anything else; None when there is none."""

    def branches(self) -> tuple[str, ...]:
        """The names of all branches."""

    def head_branch(self) -> str | None:
        """The branch that HEAD stands for; None when it is detached."""

    def no_such_branch(self, name: str) -> UsageError:
        """What to say of a name that no branch has."""

    def parents(self, head: str, *, known: str | None = None) -> Mapping[str, tuple[str, ...]]:
        """The parents of every commit reachable from `head` and not from `known`."""

    def commit(self, sha: str) -> Commit:
        """One commit."""

    def is_shallow(self) -> bool:
        """Whether the clone's history was cut off."""

    def grep(self, commit: str, folder: str, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Path and text of each line of YAML files below a folder that matches a POSIX extended regular expression."""

    def height(self, commit: str) -> int:
        """The number of commits on the first-parent chain, the commit itself included: 1 for a root."""

    def history(self, head: str, *, known: str | None = None) -> Iterator[CommitDelta]:
        """Every commit reachable from `head` and not from `known`, parents before children, as one stream."""

    def paths(self, commit: str) -> tuple[str, ...]:
        """All paths of the commit's tree, without its folders."""

    def folder_tree(self, commit: str, folder: str) -> str | None:
        """The id of the tree of a folder in a commit; None when it has no such folder."""
