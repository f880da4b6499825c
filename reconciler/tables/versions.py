"""Versions as every ledger hands them out: what is read back of one, and the order of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.ports import Point, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.commit import Version
    from reconciler.ports import Aside

Parents = tuple[str, ...]


SHORTEST_SHA = 4


def sha_prefix(sha: str) -> str:
    """A full or abbreviated sha in lower case. Raises `UsageError` for one that is too short."""
    if len(sha) < SHORTEST_SHA:
        raise UsageError(f"{sha} is too short for a commit", hint=f"give at least {SHORTEST_SHA} of its characters")
    return sha.lower()


def as_recorded(version: Version, at: datetime) -> VersionRow:
    """A version as it is read back once it is recorded at this moment."""
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


def merged_by(merges: Iterable[tuple[str, Parents]], side: Mapping[str, Parents]) -> dict[str, list[str]]:
    """The commits that each mainline merge brought in, children before parents.

    `merges` are the mainline's merge commits from the oldest on: a side commit belongs to the first that reaches it.
    `side` maps every commit off the mainline to its parents.
    """
    claimed: set[str] = set()
    return {sha: _brought_in(parents[1:], side, claimed) for sha, parents in merges}


def newest_first(mainline: Sequence[str], merged: Mapping[str, Sequence[str]], limit: int) -> list[str]:
    """At most `limit` commits: the given mainline, newest first, with what each of its merges brought in."""
    listed: list[str] = []
    for sha in mainline:
        listed.append(sha)
        listed.extend(merged.get(sha, ()))
        if len(listed) >= limit:
            break
    return listed[:limit]


def _brought_in(heads: Parents, side: Mapping[str, Parents], claimed: set[str]) -> list[str]:
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


def place_of(version: VersionRow, aside: Mapping[str, Aside]) -> Point:
    """The place of a version of the mainline, or of what was the mainline before it was rewritten.

    `aside` are all versions that are not on it now.
    """
    left, sha = [], version.commit.sha
    while sha in aside:
        left.append(sha)
        if not aside[sha].parents:
            break
        sha = aside[sha].parents[0]
    return Point(version.height - len(left), tuple(one for one in left if aside[one].has_rows))
