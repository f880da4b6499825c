"""Versions as every ledger returns them, and points in the history as people name them: a commit, a tag, a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.errors import UsageError
from reconciler.model.commit import Status
from reconciler.model.history import HistoryPoint, VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.model.commit import Version
    from reconciler.model.history import SideVersion
    from reconciler.ports import LedgerReader

    Resolve = Callable[[str], str | None]

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


def place_of(version: VersionRow, aside: Mapping[str, SideVersion]) -> HistoryPoint:
    """The place of a version of the mainline, or of what was the mainline before it was rewritten.

    `aside` are all versions that are not on it now.
    """
    left, sha = [], version.commit.sha
    while sha in aside:
        left.append(sha)
        if not aside[sha].parents:
            break
        sha = aside[sha].parents[0]
    return HistoryPoint(version.height - len(left), tuple(one for one in left if aside[one].has_rows))


DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
HINT = "write a date (UTC) or a moment with its zone: 2026-11-23, 2026-11-23T08:00Z, 2026-11-23 08:00+01:00"


def is_moment(text: str) -> bool:
    """Whether it is meant as a moment: it begins with a date, which no sha does."""
    return DATE.match(text) is not None


def moment(text: str, *, end_of_day: bool = False) -> datetime:
    """The moment (aware, UTC) that is meant; of a date alone its first, or with `end_of_day` the first after it.

    RFC 3339, and what else of ISO 8601 has date, time and zone. Raises `UsageError` for anything else.
    """
    try:
        found = datetime.fromisoformat(text)
        if DATE.fullmatch(text):
            return found.replace(tzinfo=UTC) + timedelta(days=end_of_day)
        if found.tzinfo is None:
            raise UsageError(f"{text} could be meant in any time zone", hint=HINT)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment", hint=HINT) from error


SHA: Final = re.compile("[0-9a-f]{4,64}", re.IGNORECASE)
HIGHEST: Final = 2**32 - 1
"""More commits than the ledger counts: the place after all of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place, and the version that was found for it.

    `by_host` says that it is the one that was live on this host at a moment; otherwise its committer time decided, or
    it was named itself.
    """

    name: str
    version: VersionRow
    point: HistoryPoint
    by_host: bool = False


def find(ledger: LedgerReader, name: str, host: str, resolve: Resolve) -> Place:
    """The place that is meant by a revision or a moment.

    At a moment it is what was live on this host then, as far as the host has told the ledger, else the highest commit
    of the mainline that is not younger. Raises `UsageError` when there is no such place.
    """
    if not is_moment(name):
        version = known(ledger, name, resolve)
        return Place(name, version, place(ledger, version))
    at = moment(name)
    live = ledger.live_at(host, at)
    told = ledger.version(live) if live else None
    version_then = told or ledger.version_at(at)
    if version_then is None:
        raise UsageError(f"nothing was committed by {name}", hint="see `reconciler log`")
    return Place(name, version_then, place(ledger, version_then), by_host=told is not None)


def known(ledger: LedgerReader, revision: str, resolve: Resolve) -> VersionRow:
    """The version of a revision: the ledger knows shas itself, tags and branches are git's.

    Raises `UsageError` when it is not recorded, or what `resolve` does.
    """
    found = ledger.version(revision) if SHA.fullmatch(revision) else None
    if found is not None:
        return found
    sha = resolve(revision)
    version = ledger.version(sha) if sha else None
    if version is None:
        where = f"{revision} ({sha[:8]})" if sha and sha != revision else revision
        raise UsageError(f"{where} is not in the history", hint="see `reconciler log`")
    return version


def place(ledger: LedgerReader, version: VersionRow) -> HistoryPoint:
    """The place of a version. Raises `UsageError` for one that was never on the mainline."""
    if version.mainline and not version.orphaned:
        return HistoryPoint(version.height)
    if not version.mainline:
        raise UsageError(
            f"{version.commit.sha[:8]} is of a side branch, which never was live by itself",
            hint="name the merge that brought it: `reconciler log`",
        )
    return place_of(version, ledger.side_versions())


def before(point: HistoryPoint, version: VersionRow) -> HistoryPoint:
    """The place before that of a valid version."""
    assert version.status == Status.VALID
    if version.commit.sha in point.dropped:
        return HistoryPoint(point.height, tuple(sha for sha in point.dropped if sha != version.commit.sha))
    return HistoryPoint(point.height - 1)
