"""Pages of the history. Each ends at a cursor that stays valid whatever is committed meanwhile.

A cursor is a tuple of JSON values, which clients send back as they got them, through the text that HTTP makes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.history.changes import timeline, together
from reconciler.model.change import ORDER, Op
from reconciler.model.history import ChangeCursor
from reconciler.tables.rows import name_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.history.changes import Entry
    from reconciler.kinds.kind import Kind
    from reconciler.model.history import HistoryChange, SideVersion, VersionRow


Order = tuple[int, int, str, str, str]


def change_place(kind: Kind, change: HistoryChange) -> ChangeCursor:
    """The place of a change of a kind's row."""
    row = change.row
    rank, id_ = ORDER.index(Op(row.op)), str(row.values[kind.key])
    return ChangeCursor(row.height, rank, kind.name, str(row.values[name_column(kind)]), id_)


def order_of(place: ChangeCursor) -> Order:
    """What places are sorted by: the highest commit first."""
    return -place.height, *place[1:]


Place: TypeAlias = tuple[Any, ...]
MOST = 2**32 - 1
"""The greatest height that there could be."""


def past_page(
    kind: Kind, past: Iterable[HistoryChange], aside: Mapping[str, SideVersion], limit: int, after: Place | None
) -> tuple[list[Entry], Place | None]:
    """So many changes of one resource after a place, the highest commit first; and where the next page goes on."""
    if after is not None and not _is(after, int, bool, str, str):
        raise not_a_place()

    def place(one: HistoryChange) -> Place:
        return -one.row.height, one.version.orphaned, one.row.commit, str(one.row.values[kind.key])

    left = sorted(past, key=place)
    if after is not None:
        left = [one for one in left if place(one) > (-after[0], *after[1:])]
    following = None
    if len(left) > limit:
        height, *rest = place(left[limit - 1])
        following = (-height, *rest)
    return timeline(kind, left, aside, limit), following


def newest_page(
    newest: Iterable[tuple[Kind, Sequence[HistoryChange]]], limit: int
) -> tuple[list[Entry], ChangeCursor | None]:
    """The first so many of the newest changes of several kinds; and where the next page goes on.

    Of each kind there is one more than that, where there are so many, and what was before each.
    """
    asked = [(kind, past, [change_place(kind, one) for one in past[: limit + 1]]) for kind, past in newest]
    places = sorted((place for _, _, found in asked for place in found), key=order_of)
    last = places[limit - 1] if len(places) > limit else None
    timelines = [
        timeline(kind, past, {}, sum(last is None or order_of(one) <= order_of(last) for one in found))
        for kind, past, found in asked
    ]
    return together(timelines, limit), last


def change_after(after: Place | None) -> ChangeCursor | None:
    """A place among the changes of all kinds, as it came back."""
    if after is None:
        return None
    if not _is(after, int, int, str, str, str) or after[1] not in range(3):
        raise not_a_place()
    return ChangeCursor(*after)


def listed_page(
    listed: Sequence[VersionRow], limit: int, after: tuple[int, int, str] | None
) -> tuple[Sequence[VersionRow], Place | None]:
    """So many versions; and where the next page goes on: a height, how many of it are behind us, and the last one.

    `listed` is the newest ones from the height of the place on: as many as are behind us, so many, and one more. What a
    merge brought in stays what it is. If the branch was rewritten and the commit is gone, all of its height is.
    """
    height, passed = (after[0], after[1]) if after else (MOST, 0)
    if after is not None and (len(listed) < passed or listed[passed - 1].commit.sha != after[2]):
        passed = next((n for n, one in enumerate(listed) if one.mainline and one.height < height), len(listed))
    page = listed[passed : passed + limit]
    if len(listed) <= (after[1] if after else 0) + limit:
        return page, None
    end = passed + len(page)
    start = max(n for n, one in enumerate(listed[:end]) if one.mainline)
    return page, (listed[start].height, end - start, listed[end - 1].commit.sha)


def listed_after(after: Place | None) -> tuple[int, int, str] | None:
    """A place among all versions, as it came back."""
    if after is None:
        return None
    if not _is(after, int, int, str) or not 1 <= after[1] <= MOST:
        raise not_a_place()
    return after[0], after[1], after[2]


def found_page(found: Sequence[VersionRow], limit: int) -> tuple[Sequence[VersionRow], Place | None]:
    """The first so many of the versions that filters found, which has one more if there are more."""
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    commit = page[-1].commit
    return page, (canonical.timestamp(commit.committer.time), page[-1].height, commit.sha)


def found_after(after: Place | None) -> tuple[datetime, int, str] | None:
    """A place among the versions that filters find, as it came back."""
    if after is None:
        return None
    if not _is(after, str, int, str):
        raise not_a_place()
    try:
        return canonical.utc(datetime.fromisoformat(after[0])), after[1], after[2]
    except (ValueError, OverflowError):
        raise not_a_place() from None


def not_a_place() -> UsageError:
    """What is said to a client that goes on from nowhere."""
    return UsageError("this cursor is none of this address", hint="begin again without one; `next` has those that are")


def _is(place: Place, *types: type) -> bool:
    if len(place) != len(types) or any(type(value) is not kind for value, kind in zip(place, types, strict=True)):
        return False
    numbers = [value for value in place if type(value) is int]
    return all(0 <= number <= MOST for number in numbers)
