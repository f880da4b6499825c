"""The changes of resources, newest first, out of the rows that they left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.hindsight.rows import change, is_declared, removal
from reconciler.model.change import ORDER
from reconciler.tables.versions import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Change
    from reconciler.ports import Aside, PastChange, PastRow, VersionRow


class Entry(NamedTuple):
    """A change and the version that made it."""

    version: VersionRow
    change: Change


def timeline(kind: Kind, past: Sequence[PastChange], aside: Mapping[str, Aside], limit: int) -> list[Entry]:
    """What happened, the highest commit first, so many at most.

    `past` is in that order and has of each row among the first so many the change before, too. `aside` are the versions
    beside the mainline: a commit that was dropped changed what it stood upon, not what took its place.
    """
    told = []
    for position, one in enumerate(past[:limit]):
        before = _before(kind, one, past[position + 1 :], aside)
        happened = change(kind, before, one.row)
        if happened is None and not is_declared(one.row):
            happened = removal(kind, one.row)
        if happened is not None:
            told.append(Entry(one.version, happened))
    return told


def together(timelines: Iterable[Iterable[Entry]], limit: int) -> list[Entry]:
    """The newest of several kinds; within a commit as a plan has them, deletions first."""
    return sorted((entry for entries in timelines for entry in entries), key=_rank)[:limit]


def _before(kind: Kind, one: PastChange, past: Sequence[PastChange], aside: Mapping[str, Aside]) -> PastRow | None:
    """The row as the commit found it."""
    place = place_of(one.version, aside)
    id_, own = one.row.values[kind.key], one.row.commit
    return next(
        (
            earlier.row
            for earlier in past
            if earlier.row.values[kind.key] == id_
            and earlier.row.commit != own
            and earlier.row.height < one.row.height
            and (
                earlier.row.commit in place.dropped
                or (earlier.row.commit not in aside and earlier.row.height <= place.height)
            )
        ),
        None,
    )


def _rank(entry: Entry) -> tuple[int, str, int, str, str]:
    resource = entry.change.resource
    version = entry.version
    return -version.height, version.commit.sha, ORDER.index(entry.change.op), resource.kind, resource.name
