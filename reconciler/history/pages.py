"""Pages of the history. Each ends at a cursor that stays valid whatever is committed meanwhile.

A cursor is a tuple of JSON values, which clients send back as they got them, through the text that HTTP makes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.history.changes import build_timeline, merge_timelines
from reconciler.model.change import ORDER, Op
from reconciler.model.rows import ChangeCursor
from reconciler.tables.rows import name_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.history.changes import TimelineEntry
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import HistoryChange, SideVersion, VersionRow


Order = tuple[int, int, str, str, str]


def change_cursor(kind: Kind, change: HistoryChange) -> ChangeCursor:
    """The cursor of a change of a kind's row."""
    row = change.row
    rank, row_id = ORDER.index(Op(row.op)), str(row.values[kind.key])
    return ChangeCursor(row.height, rank, kind.name, str(row.values[name_column(kind)]), row_id)


def cursor_order(cursor: ChangeCursor) -> Order:
    """The sort key of cursors: the highest commit first."""
    return -cursor.height, *cursor[1:]


Cursor: TypeAlias = tuple[Any, ...]
MAX_HEIGHT = 2**32 - 1
"""The greatest height that the ledger counts to."""


def page_of_resource(
    kind: Kind,
    changes: Iterable[HistoryChange],
    side_versions: Mapping[str, SideVersion],
    limit: int,
    after: Cursor | None,
) -> tuple[list[TimelineEntry], Cursor | None]:
    """Up to `limit` changes of one resource after a cursor, the highest commit first, and the next page's cursor."""
    if after is not None and not _has_types(after, int, bool, str, str):
        raise bad_cursor()

    def cursor_of(change: HistoryChange) -> Cursor:
        return -change.row.height, change.version.orphaned, change.row.commit, str(change.row.values[kind.key])

    ordered = sorted(changes, key=cursor_of)
    if after is not None:
        ordered = [change for change in ordered if cursor_of(change) > (-after[0], *after[1:])]
    next_cursor = None
    if len(ordered) > limit:
        height, *rest = cursor_of(ordered[limit - 1])
        next_cursor = (-height, *rest)
    return build_timeline(kind, ordered, side_versions, limit), next_cursor


def page_of_newest(
    newest: Iterable[tuple[Kind, Sequence[HistoryChange]]], limit: int
) -> tuple[list[TimelineEntry], ChangeCursor | None]:
    """The newest changes of several kinds, up to `limit`, and the cursor of the next page.

    `newest` holds up to `limit` + 1 changes of each kind, and the change before each of them.
    """
    per_kind = [
        (kind, changes, [change_cursor(kind, change) for change in changes[: limit + 1]]) for kind, changes in newest
    ]
    cursors = sorted((cursor for _, _, kind_cursors in per_kind for cursor in kind_cursors), key=cursor_order)
    last = cursors[limit - 1] if len(cursors) > limit else None
    timelines = [
        build_timeline(
            kind,
            changes,
            {},
            sum(last is None or cursor_order(change) <= cursor_order(last) for change in kind_cursors),
        )
        for kind, changes, kind_cursors in per_kind
    ]
    return merge_timelines(timelines, limit), last


def parse_change_cursor(after: Cursor | None) -> ChangeCursor | None:
    """The cursor among the changes of all kinds, as a client sent it back. Raises `UsageError`."""
    if after is None:
        return None
    if not _has_types(after, int, int, str, str, str) or after[1] not in range(3):
        raise bad_cursor()
    return ChangeCursor(*after)


def page_of_versions(
    versions: Sequence[VersionRow], limit: int, after: tuple[int, int, str] | None
) -> tuple[Sequence[VersionRow], Cursor | None]:
    """Up to `limit` versions, and the cursor of the next page: a height, how many of it were shown, and the last sha.

    `versions` starts at the height of `after` and holds those shown already, `limit` more, and one more. What a merge
    brought in never changes. If the branch was rewritten and the commit is gone, the whole height is skipped.
    """
    height, passed = (after[0], after[1]) if after else (MAX_HEIGHT, 0)
    if after is not None and (len(versions) < passed or versions[passed - 1].commit.sha != after[2]):
        passed = next(
            (index for index, version in enumerate(versions) if version.mainline and version.height < height),
            len(versions),
        )
    page = versions[passed : passed + limit]
    if len(versions) <= (after[1] if after else 0) + limit:
        return page, None
    end = passed + len(page)
    start = max(index for index, version in enumerate(versions[:end]) if version.mainline)
    return page, (versions[start].height, end - start, versions[end - 1].commit.sha)


def parse_versions_cursor(after: Cursor | None) -> tuple[int, int, str] | None:
    """The cursor among all versions, as a client sent it back. Raises `UsageError`."""
    if after is None:
        return None
    if not _has_types(after, int, int, str) or not 1 <= after[1] <= MAX_HEIGHT:
        raise bad_cursor()
    return after[0], after[1], after[2]


def page_of_found(versions: Sequence[VersionRow], limit: int) -> tuple[Sequence[VersionRow], Cursor | None]:
    """Up to `limit` of the versions that a filter let through, of which there is one more if there is a next page."""
    page = versions[:limit]
    if len(versions) <= limit:
        return page, None
    commit = page[-1].commit
    return page, (canonical.timestamp(commit.committer.time), page[-1].height, commit.sha)


def parse_found_cursor(after: Cursor | None) -> tuple[datetime, int, str] | None:
    """The cursor among the versions that a filter lets through, as a client sent it back. Raises `UsageError`."""
    if after is None:
        return None
    if not _has_types(after, str, int, str):
        raise bad_cursor()
    try:
        return canonical.utc(datetime.fromisoformat(after[0])), after[1], after[2]
    except (ValueError, OverflowError):
        raise bad_cursor() from None


def bad_cursor() -> UsageError:
    """The error for a cursor that no page returned."""
    return UsageError("this cursor is none of this address", hint="begin again without one; `next` has those that are")


def _has_types(cursor: Cursor, *types: type) -> bool:
    if len(cursor) != len(types) or any(type(value) is not kind for value, kind in zip(cursor, types, strict=True)):
        return False
    numbers = [value for value in cursor if type(value) is int]
    return all(0 <= number <= MAX_HEIGHT for number in numbers)


T = TypeVar("T")


def weave_in(
    own: Sequence[T],
    others: Iterable[tuple[datetime, T]],
    since: Callable[[T], datetime | None],
    before: datetime | None,
    *,
    ends: bool,
) -> list[T]:
    """A page, newest first, with what went live on the host out of other branches: each before what went live before.

    `others` have the times at which they went live, the oldest first. What went live after `before`, which `oldest`
    gives of the pages before this one, is on those; `ends` says that there is none after it.
    """
    woven = list(own)
    for moment, other in others:
        if before is not None and moment > before:
            continue
        older = (number for number, one in enumerate(woven) if (at := since(one)) is not None and at < moment)
        number = next(older, len(woven) if ends else None)
        if number is not None:
            woven.insert(number, other)
    return woven


def oldest(own: Iterable[T], since: Callable[[T], datetime | None], before: datetime | None) -> datetime | None:
    """When the oldest went live of what the branch has on a page, and on the pages before it."""
    times = [before, *map(since, own)]
    return min((at for at in times if at is not None), default=None)


def extend_cursor(following: Cursor | None, before: datetime | None) -> Cursor | None:
    """A cursor that also knows when the oldest went live of all pages before it."""
    return None if following is None else (*following, canonical.timestamp(before) if before else "")


def split_cursor(after: Cursor | None) -> tuple[Cursor | None, datetime | None]:
    """A cursor of `extend_cursor`, as a client sent it back. Raises `UsageError`."""
    if after is None:
        return None, None
    try:
        return after[:-1], canonical.utc(datetime.fromisoformat(after[-1])) if after[-1] != "" else None
    except (ValueError, TypeError, OverflowError, IndexError):
        raise bad_cursor() from None
