"""What the history is asked: what was live, what changed it, and who."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler import answers
from reconciler.errors import UsageError
from reconciler.history import changes as past_rows
from reconciler.history import pages, points
from reconciler.history.changes import blame_fields
from reconciler.kinds.kind import Kinds
from reconciler.model.commit import Status
from reconciler.model.rows import ORPHANED, HistoryPoint
from reconciler.plan import Plan, sort_changes
from reconciler.ports import VersionFilter
from reconciler.report.commits import build_version
from reconciler.report.history import (
    build_blame,
    build_described_change,
    build_diff,
    build_history_point,
    build_recorded_change,
)
from reconciler.report.rows import build_rows
from reconciler.service.context import UPLOAD_WAIT, Service
from reconciler.service.cursors import CHANGES, CHANGES_OF, FOUND, VERSIONS, format_cursor, parse_cursor
from reconciler.service.kinds import find_kind
from reconciler.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.history.points import NamedPoint
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Change
    from reconciler.ports import LedgerReader
    from reconciler.service.context import History as OpenHistory

DEFAULT_LIMIT = 20
"""Changes and versions of an answer unless somebody says how many."""
FILTERS: Final = ("author", "kind", "name", "since", "until", "status")
STATUSES: Final = (*Status, ORPHANED)


class History(Service):
    """The history of the branch that this host follows."""

    def changes(self, kind: str, name: str, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> answers.Changes:
        """Every change of a resource, newest first. Raises `UsageError` when the history knows no such resource."""
        place = parse_cursor(cursor, CHANGES_OF)
        with self.context.open_history(UPLOAD_WAIT) as history:
            ledger = history.ledger
            found, kinds = _find_kind(history, kind)
            past = ledger.changes_of(found, name)
            if not past:
                raise _unknown(ledger, found, name)
            aside = ledger.side_versions() if any(change.version.orphaned for change in past) else {}
            entries, following = pages.page_of_resource(found, past, aside, limit, place)
            return answers.Changes(
                changes=tuple(build_recorded_change(entry.version, entry.change, kinds) for entry in entries),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, CHANGES_OF),
            )

    def newest(self, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> answers.Changes:
        """The newest changes of all resources."""
        place = parse_cursor(cursor, CHANGES)
        with self.context.open_history(UPLOAD_WAIT) as history:
            ledger, kinds, after = history.ledger, _all_kinds(history), pages.parse_change_cursor(place)
            newest = [(kind, ledger.newest_changes(kind, limit=limit + 1, after=after)) for kind in kinds]
            entries, following = pages.page_of_newest(newest, limit)
            return answers.Changes(
                changes=tuple(build_recorded_change(entry.version, entry.change, kinds) for entry in entries),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, CHANGES),
            )

    def blame(self, kind: str, name: str) -> answers.Blame:
        """For each field of a live row the commit that last set it. Raises `UsageError` when no such row is live."""
        with self.context.open_history(UPLOAD_WAIT) as history:
            ledger = history.ledger
            found, _ = _find_kind(history, kind)
            past = [change for change in ledger.changes_of(found, name) if not change.version.orphaned]
            newest = {change.row.values[found.key]: change.row for change in reversed(past)}
            live = past_rows.sort_best_first(found, filter(past_rows.is_live, newest.values()), name)
            named = [row for row in live if name in past_rows.names_of(found, row)]
            if not named:
                if past:
                    hint = f"see `reconciler history {found.name.lower()} {name}`"
                    raise UsageError(f"no {found.name} {name} is live any more", hint=hint)
                raise _unknown(ledger, found, name)
            id_ = named[0].values[found.key]
            blamed = blame_fields(found, (change for change in reversed(past) if change.row.values[found.key] == id_))
            return build_blame(found, named[0], blamed)

    def versions(  # noqa: PLR0913  one parameter for each filter
        self,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        *,
        author: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        since: str | None = None,
        until: str | None = None,
        status: str | None = None,
    ) -> answers.Versions:
        """The recorded commits, newest first; those that all given filters let through."""
        given = zip(FILTERS, (author, kind, name, since, until, status), strict=True)
        filters = {filter_: text for filter_, text in given if text is not None}
        list_ = FOUND if filters else VERSIONS
        place = parse_cursor(cursor, list_)
        with self.context.open_history(UPLOAD_WAIT) as history:
            ledger = history.ledger
            if filters:
                only = replace(_version_filter(history, filters), after=pages.parse_found_cursor(place))
                page, following = pages.page_of_found(ledger.find_versions(only, limit=limit + 1), limit)
            else:
                after = pages.parse_versions_cursor(place)
                many = limit + 1 + (after[1] if after else 0)
                listed = ledger.versions(limit=many, upto=after[0] if after else None)
                page, following = pages.page_of_versions(listed, limit, after)
            return answers.Versions(
                versions=tuple(map(build_version, page)),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, list_),
            )

    def version(self, revision: str) -> answers.VersionWithChanges:
        """One version, and what it changed."""
        with self.context.open_history(UPLOAD_WAIT) as history:
            version = points.find_version(history.ledger, revision, history.resolve)
            changes: tuple[answers.DescribedChange, ...] = ()
            if version.mainline and version.status == Status.VALID:
                point = points.require_point(history.ledger, version)
                before = points.point_before(point, version)
                kinds = _all_kinds(history)
                changed = sort_changes(_changes_between(history.ledger, kinds, before, point))
                changes = tuple(build_described_change(change, kinds) for change in changed)
            return answers.VersionWithChanges(version=build_version(version), changes=changes)

    def diff(self, base: str, head: str) -> answers.Diff:
        """What is declared differently at two commits or points in time, in the shape of a plan."""
        with self.context.open_history(UPLOAD_WAIT) as history:
            old, new = (_point(history, self.context.name, at) for at in (base, head))
            kinds = _all_kinds(history)
            changes = sort_changes(_changes_between(history.ledger, kinds, old.point, new.point))
            declared = sum(history.ledger.count_declared(kind, new.point) for kind in kinds)
            unchanged = declared - sum(change.new is not None for change in changes)
            plan = Plan(old.version.commit.sha, new.version.commit.sha, changes, (), unchanged)
            return build_diff(plan, kinds)


def rows_at(history: OpenHistory, host: str, word: str, name: str | None, at: str) -> answers.Rows:
    """The live rows of a kind, or the one that went by a name, as they were at a commit or point in time.

    Raises `UsageError` when there was none of that name.
    """
    kind, _ = _find_kind(history, word)
    point = _point(history, host, at)
    past = [row for row in history.ledger.rows_at(kind, point.point, name) if past_rows.is_live(row)]
    if name is not None:
        if not past:
            hint = f"see `reconciler history {kind.name.lower()} {name}`"
            raise UsageError(f"no {kind.name} {name} was live at {point.name}", hint=hint)
        past = past_rows.sort_best_first(kind, past, name)[:1]
    live = sorted((past_rows.to_live_row(kind, row) for row in past), key=lambda row: (row.name, row.path is None))
    return build_rows(kind, tuple(live), build_history_point(point))


def _point(history: OpenHistory, host: str, at: str) -> NamedPoint:
    return points.find_point(history.ledger, at, host, history.resolve)


def _changes_between(ledger: LedgerReader, kinds: Kinds, old: HistoryPoint, new: HistoryPoint) -> Iterator[Change]:
    for kind in kinds:
        for before, after in ledger.changed_rows(kind, old, new):
            change = past_rows.change_between(kind, before, after)
            if change is not None:
                yield change


def _find_kind(history: OpenHistory, word: str) -> tuple[Kind, Kinds]:
    """The kind that a word names, of the store or else of the ledger, and the kinds it is among."""
    known = history.kinds()
    kind = known.find(word)
    if kind is not None:
        return kind, known
    kinds = _all_kinds(history)
    return find_kind(kinds, word), kinds


def _all_kinds(history: OpenHistory) -> Kinds:
    """The kinds of the store, and those that only the ledger still has."""
    known = history.kinds()
    return Kinds(tuple(sorted((*known, *history.ledger.other_kinds(known)), key=lambda kind: kind.name)))


def _unknown(ledger: LedgerReader, kind: Kind, name: str) -> UsageError:
    names = [str(past_rows.names_of(kind, row)[0]) for row in ledger.rows_at(kind, HistoryPoint(points.MAX_HEIGHT))]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"see `reconciler log --kind {kind.name.lower()}`"
    return UsageError(f"the history knows no {kind.name} {name}", hint=hint)


def _version_filter(history: OpenHistory, filters: Mapping[str, str]) -> VersionFilter:
    status = filters.get("status", "").upper() or None
    if status not in (None, *STATUSES):
        raise UsageError(f"there is no status {filters['status']}", hint=f"there are: {', '.join(STATUSES)}")
    kinds: tuple[Kind, ...] | None = None
    if "kind" in filters:
        kinds = (_find_kind(history, filters["kind"])[0],)
    elif "name" in filters:
        kinds = _all_kinds(history).members
    return VersionFilter(
        author=filters.get("author"),
        kinds=kinds,
        name=filters.get("name"),
        since=parse_time(filters["since"]) if "since" in filters else None,
        until=parse_time(filters["until"], end_of_day=True) if "until" in filters else None,
        status=status,
    )
