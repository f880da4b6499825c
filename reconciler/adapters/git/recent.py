"""What was read of a repository lately. A sha never means another object, so what one holds need not be asked again.

Whether it is still there has to be: git collects what no branch reaches any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.git.process import missing_object
from reconciler.adapters.git.queries import parse_commit, tree_id
from reconciler.model.commit import CommitDelta

if TYPE_CHECKING:
    from reconciler.adapters.git.plumbing import Plumbing
    from reconciler.model.commit import FileChange

MAX_COMMITS, MAX_BYTES = 64, 1 << 16
"""Commits that are remembered, and bytes of each: hardly one is longer."""
MAX_CHANGES = 1_000
"""Changed files that are remembered of the newest commit."""


class RecentCommits:
    """For any thread."""

    def __init__(self, plumbing: Plumbing) -> None:
        self._plumbing = plumbing
        self._raw: dict[str, bytes] = {}
        self._compared: tuple[str, str, tuple[FileChange, ...]] | None = None

    def find(self, sha: str) -> bool:
        """Whether there is a commit of this sha now. Asks git."""
        return self._ask(sha) is not None

    def read(self, sha: str) -> bytes | None:
        """A commit object; None when there is no such, or it is none of a commit."""
        return self._raw.get(sha) or self._ask(sha)

    def tree(self, sha: str) -> str:
        """The tree of a commit. Raises `NeedsHuman` where there is none."""
        raw = self.read(sha)
        if raw is None:
            raise missing_object(self._plumbing.git_dir, sha)
        return tree_id(raw)

    def note_changes(self, old: str, new: str, changes: tuple[FileChange, ...]) -> None:
        """These paths differ between two commits whose trees are sound."""
        self._compared = (old, new, changes) if len(changes) <= MAX_CHANGES else None

    def delta(self, sha: str, parents: tuple[str, ...]) -> CommitDelta | None:
        """A commit with what it changed in its only parent; None where that was not compared last."""
        compared, raw = self._compared, self._raw.get(sha)
        if compared is None or raw is None or (compared[1], (compared[0],)) != (sha, parents):
            return None
        return CommitDelta(parse_commit(sha, parents, raw), compared[2])

    def _ask(self, sha: str) -> bytes | None:
        ((_, kind, raw),) = self._plumbing.objects([(sha, sha)])
        if raw is None or kind != b"commit":
            return None
        if len(raw) <= MAX_BYTES:
            if len(self._raw) >= MAX_COMMITS:
                self._raw.clear()
            self._raw[sha] = raw
        return raw
