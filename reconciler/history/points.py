"""Versions as every ledger returns them, and points in the history as people name them: a commit, a tag, a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import RetryLater, UsageError
from reconciler.model.commit import Status
from reconciler.model.rows import HistoryPoint, VersionRow
from reconciler.times import is_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.commit import Version
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rows import SideVersion
    from reconciler.ports import LedgerReader

    Resolve = Callable[[str], str | None]
    LiveAt = Callable[[datetime], LiveInterval | None]

Parents = tuple[str, ...]


MIN_SHA = 4
MAX_AHEAD = 10_000
"""Versions in front of a host that are looked at to tell which merge brought what."""
RECORDED_BY = "a daemon records it in a moment, and so does `reconciler sync` where none runs"
"""What becomes of a commit that the history lacks, such as after a kill."""


def sha_prefix(sha: str) -> str:
    """A full or abbreviated sha in lower case. Raises `UsageError` for one that is too short."""
    if len(sha) < MIN_SHA:
        raise UsageError(f"{sha} is too short for a commit", hint=f"give at least {MIN_SHA} of its characters")
    return sha.lower()


def to_version_row(version: Version, at: datetime) -> VersionRow:
    """A version as it is read back when it was recorded at this time."""
    return VersionRow(
        commit=version.commit,
        height=version.height,
        mainline=version.mainline,
        status=str(version.status),
        problems=version.problems,
        creates=version.creates,
        updates=version.updates,
        deletes=version.deletes,
        digest=version.digest,
        orphaned=False,
        recorded_at=at,
    )


def group_by_merge(merges: Iterable[tuple[str, Parents]], side: Mapping[str, Parents]) -> dict[str, list[str]]:
    """The commits that each mainline merge brought in, children before parents.

    `merges` are the mainline's merge commits from the oldest on: a side commit belongs to the first that reaches it.
    `side` maps every commit off the mainline to its parents.
    """
    claimed: set[str] = set()
    return {sha: _collect_side(parents[1:], side, claimed) for sha, parents in merges}


def order_newest_first(mainline: Sequence[str], merged: Mapping[str, Sequence[str]], limit: int) -> list[str]:
    """At most `limit` commits: the given mainline, newest first, with what each of its merges brought in."""
    ordered: list[str] = []
    for sha in mainline:
        ordered.append(sha)
        ordered.extend(merged.get(sha, ()))
        if len(ordered) >= limit:
            break
    return ordered[:limit]


def merges_above(ledger: LedgerReader, height: int) -> dict[str, VersionRow]:
    """The merges of the mainline above a height, by the commits that each brought in: those that no earlier one did."""
    newest = next(iter(ledger.versions(limit=1)), None)
    if newest is None or newest.height <= height:
        return {}
    brought: dict[str, VersionRow] = {}
    merge = newest
    for version in ledger.versions(limit=MAX_AHEAD):
        if not version.mainline:
            brought[version.commit.sha] = merge
        elif version.height <= height:
            break
        else:
            merge = version
    return brought


def _collect_side(heads: Parents, side: Mapping[str, Parents], claimed: set[str]) -> list[str]:
    finished: list[str] = []
    stack = [(head, False) for head in heads]
    while stack:
        sha, parents_done = stack.pop()
        if parents_done:
            finished.append(sha)
        elif sha in side and sha not in claimed:
            claimed.add(sha)
            stack.append((sha, True))
            stack.extend((parent, False) for parent in side[sha])
    return finished[::-1]


def point_of(version: VersionRow, side_versions: Mapping[str, SideVersion]) -> HistoryPoint:
    """The point of a version that is on the mainline, or was on it before it was rewritten.

    `side_versions` are all versions that are not on the mainline now.
    """
    shas, sha = [], version.commit.sha
    while sha in side_versions:
        shas.append(sha)
        if not side_versions[sha].parents:
            break
        sha = side_versions[sha].parents[0]
    return HistoryPoint(version.height - len(shas), tuple(sha_ for sha_ in shas if side_versions[sha_].has_rows))


SHA: Final = re.compile("[0-9a-f]{4,64}", re.IGNORECASE)
MAX_HEIGHT: Final = 2**32 - 1
"""More commits than the ledger counts to: the point after all of them."""


class NamedPoint(Struct, frozen=True):
    """A point in the history, the version there, the ledger that has it, and the name that it was found by.

    `by_host` says that this version was live on the host at the named time; otherwise its committer time decided, or
    the name is a revision. `branch` is that of the ledger where it is not the one asked. `shown` is the commit whose
    rows are those of the point, where that is another one.
    """

    name: str
    version: VersionRow
    point: HistoryPoint
    ledger: LedgerReader
    by_host: bool = False
    branch: str | None = None
    shown: str | None = None


class FoundVersion(Struct, frozen=True):
    """A version, and the ledger that has it; `branch` is that one's where it is not the one asked."""

    version: VersionRow
    ledger: LedgerReader
    branch: str | None = None

    def point(self, name: str, *, by_host: bool = False) -> NamedPoint:
        """The point of the version. Raises `UsageError` for one that was never on a mainline."""
        point = require_point(self.ledger, self.version)
        return NamedPoint(name, self.version, point, self.ledger, by_host, self.branch)


def find_point(ledger: LedgerReader, name: str, live_at: LiveAt, resolve: Resolve) -> NamedPoint:
    """The point that a revision or a time names.

    For a time: the commit that was live on the host then, of whatever branch, as far as the host knows, else the
    highest commit of the mainline that is not younger. Raises `UsageError` when there is none, and `RetryLater` when
    the history lacks the commit.
    """
    if not is_time(name):
        return find_version(ledger, name, resolve).point(name)
    at = parse_time(name)
    live = live_at(at)
    if live is not None:
        there = find_recorded(ledger, live.commit, live.branch)
        if there is None:
            raise RetryLater(f"{live.commit[:8]} was live then, and is not in the history yet", hint=RECORDED_BY)
        return there.point(name, by_host=True)
    version = ledger.version_at(at)
    if version is None:
        raise UsageError(f"nothing was committed by {name}", hint="see `reconciler log`")
    return FoundVersion(version, ledger).point(name)


def find_version(ledger: LedgerReader, revision: str, resolve: Resolve) -> FoundVersion:
    """The version of a revision: the ledger knows shas, of any branch; git (`resolve`) knows tags and branches.

    Raises `UsageError` when it is not recorded, and what `resolve` raises.
    """
    found = find_recorded(ledger, revision) if SHA.fullmatch(revision) else None
    if found is not None:
        return found
    sha = resolve(revision)
    found = find_recorded(ledger, sha) if sha else None
    if found is None:
        where = f"{revision} ({sha[:8]})" if sha and sha != revision else revision
        raise UsageError(f"{where} is not in the history", hint=f"see `reconciler log`; {RECORDED_BY}")
    return found


def find_recorded(ledger: LedgerReader, sha: str, branch: str | None = None) -> FoundVersion | None:
    """A recorded commit: of the ledger's branch, of the given one, or of whichever has it."""
    version = ledger.version(sha)
    if version is not None:
        return FoundVersion(version, ledger)
    for other in dict.fromkeys([*([branch] if branch else []), *ledger.branches(sha)]):
        elsewhere = ledger.on_branch(other)
        version = elsewhere.version(sha)
        if version is not None:
            return FoundVersion(version, elsewhere, other)
    return None


def require_point(ledger: LedgerReader, version: VersionRow) -> HistoryPoint:
    """The point of a version. Raises `UsageError` for one that was never on the mainline."""
    if version.mainline and not version.orphaned:
        return HistoryPoint(version.height)
    if not version.mainline:
        raise UsageError(
            f"{version.commit.sha[:8]} is of a side branch, which never was live by itself",
            hint="name the merge that brought it: `reconciler log`",
        )
    return point_of(version, ledger.side_versions())


def point_before(point: HistoryPoint, version: VersionRow) -> HistoryPoint:
    """The point before that of a valid version."""
    assert version.status == Status.VALID
    if version.commit.sha in point.dropped:
        return HistoryPoint(point.height, tuple(sha for sha in point.dropped if sha != version.commit.sha))
    return HistoryPoint(point.height - 1)
