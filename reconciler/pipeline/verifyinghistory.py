"""The ledger against git, in batches: what it says of each commit, and what it has that git has not."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from reconciler import canonical
from reconciler.model.commit import Status
from reconciler.pipeline.differences import unlike

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Version
    from reconciler.pipeline.differences import Differences
    from reconciler.ports import LedgerReader, VersionRow

BATCH: Final = 2_000
"""Commits that are asked about at once."""
FIELDS: Final = ("height", "mainline", "status", "creates", "updates", "deletes", "digest")


class HistoryCheck:
    """Takes every version that a fresh walk makes, and looks each up."""

    def __init__(self, ledger: LedgerReader, differences: Differences) -> None:
        self._ledger, self._differences = ledger, differences
        self._versions: dict[str, Version] = {}
        self._kinds: Kinds | None = None

    def expect(self, version: Version, kinds: Kinds) -> None:
        """The ledger should have this version; `kinds` are those at this commit."""
        if self._kinds is not None and self._kinds.digest != kinds.digest:
            self._flush()
        self._kinds = kinds
        self._versions[version.commit.sha] = version
        if len(self._versions) >= BATCH:
            self._flush()

    def finish(self, reachable: Collection[str]) -> None:
        """These are all commits: whatever else counts as reachable in the ledger was dropped from git."""
        self._flush()
        for sha in sorted(self._ledger.recorded().keys() - set(reachable)):
            self._differences.add("not-orphaned", sha, "recorded as reachable, but the branch does not reach it")

    def _flush(self) -> None:
        versions, kinds = self._versions, self._kinds
        if not versions or kinds is None:
            return
        self._versions = {}
        found: defaultdict[str, list[VersionRow]] = defaultdict(list)
        for row in self._ledger.look_up(versions.keys()):
            found[row.commit.sha].append(row)
        for version in versions.values():
            self._compare(version, found[version.commit.sha])
        counting = [sha for sha, one in versions.items() if one.mainline and one.status is Status.VALID]
        for sha, count in self._ledger.row_counts(kinds, counting).items():
            should = len(versions[sha].rows)
            if count != should and found[sha]:
                self._differences.add("wrong-rows", sha, f"{count} changes of rows are recorded, git says {should}")

    def _compare(self, version: Version, rows: Sequence[VersionRow]) -> None:
        sha = version.commit.sha
        if not rows:
            self._differences.add("missing-version", sha, "not recorded")
            return
        if len(rows) > 1:
            self._differences.add("duplicate-version", sha, f"recorded {len(rows)} times")
        row = rows[0]
        if row.orphaned:
            self._differences.add("wrongly-orphaned", sha, "marked as orphaned, but the branch reaches it")
        differing = _differing(version, row)
        if differing:
            self._differences.add("wrong-version", sha, unlike(differing))


def _differing(version: Version, row: VersionRow) -> list[tuple[str, str, str]]:
    pairs = [(name, getattr(row, name), getattr(version, name)) for name in FIELDS]
    pairs.append(("parents", list(row.commit.parents), list(version.commit.parents)))
    return [(name, canonical.text(is_), canonical.text(should)) for name, is_, should in pairs if is_ != should]
