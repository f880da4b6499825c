"""Places in the history by what people call them: a commit, a tag, a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.errors import UsageError
from reconciler.hindsight.moments import is_moment, moment
from reconciler.model.commit import Status
from reconciler.ports import Point
from reconciler.tables.versions import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.ports import LedgerReader, VersionRow

    Resolve = Callable[[str], str | None]

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
    point: Point
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
    version_then = told or ledger.committed_by(at)
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


def place(ledger: LedgerReader, version: VersionRow) -> Point:
    """The place of a version. Raises `UsageError` for one that was never on the mainline."""
    if version.mainline and not version.orphaned:
        return Point(version.height)
    if not version.mainline:
        raise UsageError(
            f"{version.commit.sha[:8]} is of a side branch, which never was live by itself",
            hint="name the merge that brought it: `reconciler log`",
        )
    return place_of(version, ledger.aside())


def before(point: Point, version: VersionRow) -> Point:
    """The place before that of a valid version."""
    assert version.status == Status.VALID
    if version.commit.sha in point.dropped:
        return Point(point.height, tuple(sha for sha in point.dropped if sha != version.commit.sha))
    return Point(point.height - 1)
