"""What the history is asked: what was live, what changed it, and who."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from reconciler import answers, reviews
from reconciler.errors import UsageError
from reconciler.history import changes as past_rows
from reconciler.history import pages, points
from reconciler.history.changes import blame_fields
from reconciler.history.drifts import assign_drifts
from reconciler.history.fate import Fate
from reconciler.model.commit import Status
from reconciler.model.halt import Halts
from reconciler.model.rows import ORPHANED, HistoryPoint
from reconciler.model.selection import Selection
from reconciler.plan import Plan, sort_changes
from reconciler.ports import VersionFilter
from reconciler.report.commits import build_version
from reconciler.report.history import (
    Blame,
    add_drift,
    build_blame,
    build_diff,
    build_history_point,
    build_recorded_change,
    fit_described,
)
from reconciler.report.problems import build_problem
from reconciler.report.rows import build_rows
from reconciler.report.sync import build_recorded_drift
from reconciler.service.context import Service
from reconciler.service.cursors import CHANGES, CHANGES_OF, FOUND, VERSIONS, format_cursor, parse_cursor
from reconciler.service.limits import FILTERS
from reconciler.service.past import open_past
from reconciler.service.selection import select
from reconciler.times import is_time, parse_time
from reconciler.values import replace
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from reconciler.history.changes import TimelineEntry
    from reconciler.history.points import NamedPoint
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Change
    from reconciler.model.rows import HistoryChange
    from reconciler.ports import LedgerReader
    from reconciler.service.past import Past

DEFAULT_LIMIT = 20
"""Changes and versions of an answer unless somebody says how many."""
STATUSES: Final = (*Status, ORPHANED)


class History(Service):
    """The history of the branch that this host follows, or of another one, as this host or another one saw it."""

    def changes(
        self,
        kind: str,
        name: str,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        host: str | None = None,
        branch: str | None = None,
    ) -> answers.Changes:
        """Every change of a resource, newest first. Raises `UsageError` when the history knows no such resource."""
        place, before = pages.split_cursor(parse_cursor(cursor, CHANGES_OF))
        with open_past(self.context, host, branch) as past:
            ledger = past.ledger
            found, kinds = past.find_kind(kind)
            changes = ledger.changes_of(found, name)
            elsewhere = list(_changes_elsewhere(past, found, name, kinds))
            if not changes and not elsewhere:
                raise _unknown(ledger, found, name)
            aside = ledger.side_versions() if any(change.version.orphaned for change in changes) else {}
            entries, following = pages.page_of_resource(found, changes, aside, limit, place)
            own = _recorded(past, entries, kinds)
            following = pages.extend_cursor(following, pages.oldest(own, _went_live, before))
            page = pages.weave_in(own, elsewhere, _went_live, before, ends=following is None)
            return answers.Changes(
                changes=_with_drift(past, found, changes, page, before),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, CHANGES_OF),
            )

    def newest(
        self,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        host: str | None = None,
        branch: str | None = None,
    ) -> answers.Changes:
        """The newest changes of all resources."""
        place = parse_cursor(cursor, CHANGES)
        with open_past(self.context, host, branch) as past:
            ledger, kinds, after = past.ledger, past.all_kinds(), pages.parse_change_cursor(place)
            newest = [(kind, ledger.newest_changes(kind, limit=limit + 1, after=after)) for kind in kinds]
            entries, following = pages.page_of_newest(newest, limit)
            return answers.Changes(
                changes=tuple(_recorded(past, entries, kinds)),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, CHANGES),
            )

    def blame(self, kind: str, name: str, host: str | None = None, branch: str | None = None) -> Blame:
        """For each field of a live row the commit that last set it. Raises `UsageError` when no such row is live.

        The live row is the host's: what was refused has set nothing.
        """
        with open_past(self.context, host, branch) as past:
            found, _ = past.find_kind(kind)
            ledger, reached = past.live_state()
            changes = [change for change in ledger.changes_of(found, name) if reached(change)]
            newest = {change.row.values[found.key]: change.row for change in reversed(changes)}
            rows = [row for row in newest.values() if past_rows.is_live(row) and past_rows.fits(found, row)]
            live = past_rows.sort_best_first(found, rows, name)
            named = [row for row in live if name in past_rows.names_of(found, row)]
            if not named:
                if changes:
                    hint = f"see `reconciler history {found.name.lower()} {name}`"
                    raise UsageError(f"no {found.name} {name} is live any more", hint=hint)
                raise _unknown(ledger, found, name)
            id_ = named[0].values[found.key]
            own = [change for change in reversed(changes) if change.row.values[found.key] == id_]
            return build_blame(found, named[0], blame_fields(found, past.live_changes(ledger, own)))

    def versions(  # noqa: PLR0913  one parameter for each filter
        self,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        *,
        grep: str | None = None,
        author: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        since: str | None = None,
        until: str | None = None,
        status: str | None = None,
        host: str | None = None,
        branch: str | None = None,
    ) -> answers.Versions:
        """The recorded commits, newest first; those that all given filters let through.

        Without a filter, what went live on the host out of other branches is among them.
        """
        given = zip(FILTERS, (grep, author, kind, name, since, until, status), strict=True)
        filters = {filter_: text for filter_, text in given if text is not None}
        list_ = FOUND if filters else VERSIONS
        place, before = parse_cursor(cursor, list_), None
        with open_past(self.context, host, branch) as past:
            ledger, elsewhere = past.ledger, []
            if filters:
                only = replace(_version_filter(past, filters), after=pages.parse_found_cursor(place))
                page, following = pages.page_of_found(ledger.find_versions(only, limit=limit + 1), limit)
            else:
                place, before = pages.split_cursor(place)
                after = pages.parse_versions_cursor(place)
                many = limit + 1 + (after[1] if after else 0)
                listed = ledger.versions(limit=many, upto=after[0] if after else None)
                page, following = pages.page_of_versions(listed, limit, after)
                there = past.elsewhere()
                known = past.fates_elsewhere(one for _, one in there)
                elsewhere = [
                    (since_, build_version(one.version, known[one.version.commit.sha], one.branch))
                    for since_, one in there
                ]
            fates = past.fates(page)
            own = [build_version(version, fates[version.commit.sha]) for version in page]
            if not filters:
                following = pages.extend_cursor(following, pages.oldest(own, _went_live, before))
            return answers.Versions(
                versions=tuple(pages.weave_in(own, elsewhere, _went_live, before, ends=following is None)),
                orphaned=ledger.count_orphans(),
                next=format_cursor(following, list_),
                unrecorded=past.unrecorded(fates) if cursor is None else None,
            )

    def version(self, revision: str, host: str | None = None, branch: str | None = None) -> answers.VersionWithChanges:
        """One version, of whichever branch has it, and what it changed, or was to change."""
        with open_past(self.context, host, branch) as past:
            found = past.version(revision)
            version, ledger, fate = found.version, found.ledger, past.fate(found)
            changes: tuple[answers.DescribedChange, ...] = ()
            omitted = 0
            if version.mainline and version.status == Status.VALID:
                point = points.require_point(ledger, version)
                before = points.point_before(point, version)
                kinds = past.all_kinds()
                changed = sort_changes(_changes_between(ledger, kinds, before, point))
                changes, omitted = fit_described(changed, kinds)
            reasons = fate.refusal.problems if fate.refusal and fate.fate is not Fate.INVALID else ()
            return answers.VersionWithChanges(
                version=build_version(version, fate, found.branch),
                changes=changes,
                omitted=omitted or UNSET,
                reasons=tuple(map(build_problem, reasons)),
            )

    def diff(self, base: str, head: str, host: str | None = None, branch: str | None = None) -> reviews.Diff:
        """What differs between two points, in the shape of a plan: what commits declare, what was live at times."""
        with open_past(self.context, host, branch) as past:
            old, new = (past.point(at) for at in (base, head))
            kinds = past.all_kinds()
            changes = sort_changes(_changes_between_points(kinds, old, new))
            declared = sum(new.ledger.count_declared(kind, new.point) for kind in kinds)
            unchanged = declared - sum(change.new is not None for change in changes)
            plan = Plan(old.version.commit.sha, new.version.commit.sha, changes, (), unchanged)
            return build_diff(plan, kinds)


def rows_at(
    past: Past, word: str, name: str | None, at: str, choose: Callable[[Kind], Selection] | None = None
) -> answers.Rows:
    """The live rows of a kind, or the one that went by a name, as they were at a commit or point in time.

    `choose` says which of them.

    Raises `UsageError` when there was none of that name.
    """
    kind, _ = past.find_kind(word)
    place = past.live_point(at)
    found = [row for row in place.ledger.rows_at(kind, place.point, name) if past_rows.is_live(row)]
    if not all(map(past_rows.is_declared, found)):
        kinds = past.declared_kinds(place.shown or place.version.commit.sha)
        then = kinds.find(kind.table) if kinds else kind
        found = [row for row in found if past_rows.fits(then, row)]
    if name is not None:
        if not found:
            hint = f"see `reconciler history {kind.name.lower()} {name}`"
            raise UsageError(f"no {kind.name} {name} was live at {place.name}", hint=hint)
        found = past_rows.sort_best_first(kind, found, name)[:1]
    halts = past.live.halts_at(parse_time(at)) if is_time(at) else Halts()
    past_live = (past_rows.to_live_row(kind, row, halts) for row in found)
    rows = sorted(past_live, key=lambda row: (row.name, row.path is None))
    selection = choose(kind) if choose else Selection()
    live = select(kind, selection, rows)
    ids = None if name is None else [str(row.values[kind.key]) for row in found]
    drift = _build_drift_at(past, kind, parse_time(at), ids) if is_time(at) else ()
    return build_rows(kind, live, build_history_point(place, past.fate_at(place)), drift, details=selection.details)


def _build_drift_at(
    past: Past, kind: Kind, moment: datetime, ids: Collection[str] | None
) -> tuple[answers.RecordedDrift, ...]:
    return tuple(build_recorded_drift(one, one.found <= moment) for one in past.drift_at(kind, moment, ids))


def _with_drift(
    past: Past,
    kind: Kind,
    changes: Sequence[HistoryChange],
    page: Sequence[answers.RecordedChange],
    before: datetime | None,
) -> tuple[answers.RecordedChange, ...]:
    """The changes of a page, each with how the row differed later; `before` is when what went before it went live."""
    ids = {*(str(change.row.values[kind.key]) for change in changes), *(one.id for one in page)}
    drifts = past.drift_of(kind, ids)
    heights = past.ledger.mainline_heights({one.commit for one in drifts if one.commit})
    assigned, left = assign_drifts(drifts, changes, kind.key, heights)
    for drift in left if page else ():
        since = ((one, one.live[0].since) for one in page if one.live and drift.row["id"] in (None, one.id))
        owner = next((one for one, at in since if datetime.fromisoformat(at) <= drift.found), None)
        if owner is not None and (before is None or drift.found < before):
            assigned.setdefault((owner.commit, owner.id), []).append(drift)
    return tuple(add_drift(change, assigned.get((change.commit, change.id), ())) for change in page)


def _recorded(past: Past, entries: Sequence[TimelineEntry], kinds: Kinds) -> list[answers.RecordedChange]:
    fates = past.fates({entry.version.commit.sha: entry.version for entry in entries}.values())
    return [
        build_recorded_change(entry.version, entry.change, kinds, fates[entry.version.commit.sha]) for entry in entries
    ]


def _changes_elsewhere(
    past: Past, kind: Kind, name: str, kinds: Kinds
) -> Iterator[tuple[datetime, answers.RecordedChange]]:
    """The changes of a resource that went live on the host out of other branches, the oldest first."""
    there = past.elsewhere()
    fates = past.fates_elsewhere(found for _, found in there)
    recorded: dict[str | None, list[TimelineEntry]] = {}
    for since, found in there:
        if found.branch not in recorded:
            changes, aside = found.ledger.changes_of(kind, name), found.ledger.side_versions()
            recorded[found.branch] = past_rows.build_timeline(kind, changes, aside, len(changes))
        sha = found.version.commit.sha
        for entry in recorded[found.branch]:
            if entry.version.commit.sha == sha:
                yield since, build_recorded_change(entry.version, entry.change, kinds, fates[sha], found.branch)


def _went_live(answer: answers.RecordedChange | answers.Version) -> datetime | None:
    """When a commit last went live."""
    return datetime.fromisoformat(answer.live[-1].since) if answer.live else None


def _changes_between_points(kinds: Kinds, old: NamedPoint, new: NamedPoint) -> Iterator[Change]:
    if old.ledger is new.ledger:
        yield from _changes_between(new.ledger, kinds, old.point, new.point)
        return
    for kind in kinds:  # of two branches: what is declared at each is compared here
        before, after = ({row.values[kind.key]: row for row in at.ledger.rows_at(kind, at.point)} for at in (old, new))
        for key in sorted({*before, *after}, key=str):
            change = past_rows.change_between(kind, before.get(key), after.get(key))
            if change is not None:
                yield change


def _changes_between(ledger: LedgerReader, kinds: Kinds, old: HistoryPoint, new: HistoryPoint) -> Iterator[Change]:
    for kind in kinds:
        for before, after in ledger.changed_rows(kind, old, new):
            change = past_rows.change_between(kind, before, after)
            if change is not None:
                yield change


def _unknown(ledger: LedgerReader, kind: Kind, name: str) -> UsageError:
    names = [str(past_rows.names_of(kind, row)[0]) for row in ledger.rows_at(kind, HistoryPoint(points.MAX_HEIGHT))]
    hint = suggest(name, names, f"see `reconciler log --kind {kind.name.lower()}`")
    return UsageError(f"the history knows no {kind.name} {name}", hint=hint)


def _version_filter(past: Past, filters: Mapping[str, str]) -> VersionFilter:
    status = filters.get("status", "").upper() or None
    if status not in (None, *STATUSES):
        raise UsageError(
            f"there is no status {filters['status']}", hint=suggest(filters["status"], map(str.lower, STATUSES))
        )
    kinds: tuple[Kind, ...] | None = None
    if "kind" in filters:
        kinds = (past.find_kind(filters["kind"])[0],)
    elif "name" in filters:
        kinds = past.all_kinds().members
    return VersionFilter(
        author=filters.get("author"),
        text=filters.get("grep"),
        kinds=kinds,
        name=filters.get("name"),
        since=parse_time(filters["since"]) if "since" in filters else None,
        until=parse_time(filters["until"], end_of_day=True) if "until" in filters else None,
        status=status,
    )
