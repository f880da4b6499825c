"""The live rows: as they are, where they are not what git says, and what the branch's head would change in them."""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical, reviews
from reconciler.errors import UsageError
from reconciler.history.changes import is_declared, resource_of
from reconciler.kinds.build import stored_kinds
from reconciler.model.change import Key
from reconciler.model.rows import Drifts
from reconciler.model.selection import Condition, Selection
from reconciler.report.plans import build_plan
from reconciler.report.rows import Uses, build_rows, build_uses
from reconciler.report.sync import build_drift
from reconciler.service.context import Service
from reconciler.service.cursors import bad_cursor, format_row_cursor, parse_row_cursor
from reconciler.service.history import rows_at
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.service.limits import MAX_PAGE
from reconciler.service.past import open_past
from reconciler.service.selection import parse_selection, selection_mark, sort_value
from reconciler.values import replace
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Resource
    from reconciler.model.rows import LiveRow
    from reconciler.ports import StoreReader
    from reconciler.service.past import Past


MAX_BETWEEN = 500_000
"""Resources between a resource and all that refer to it, counted for each: some 30 MB of JSON."""


class Rows(Service):
    """Live rows, as they are or as they were at a commit or point in time (`at`)."""

    def page(  # noqa: PLR0913  one parameter for each side of a selection
        self,
        kind: str,
        at: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        *,
        host: str | None = None,
        branch: str | None = None,
        label: str | None = None,
        filters: str | None = None,
        sort: str | None = None,
        metadata: bool | None = None,
    ) -> answers.RowsPage:
        """The live rows of a kind that a selection wants: all of them, or up to `limit` after a cursor.

        They come in order of name, or of `sort`. Raises `UsageError` when there is no such kind, or none of the fields.
        """
        choose = partial(parse_selection, label=label, filters=filters, sort=sort, details=bool(metadata))
        if at is not None:
            with open_past(self.context, host, branch) as past:
                rows = rows_at(past, kind, None, at, choose)
                mark = selection_mark(choose(past.find_kind(kind)[0]))
                return _past_page(rows, mark, limit, cursor)
        with self.context.open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            selection = choose(found)
            mark = selection_mark(selection)
            place = parse_row_cursor(cursor, mark)
            many = None if limit is None and place is None else min(limit or MAX_PAGE, MAX_PAGE)
            live = _read_page(store, found, selection, place, many)
            said = store.said_by_git(found, live[:many]) if store and live else {}
        rows = build_rows(found, live[:many], said=said, details=bool(metadata))
        last = live[many - 1] if many is not None and len(live) > many else None
        following = format_row_cursor(_place(found, selection, last) if last else None, mark)
        return answers.RowsPage(
            kind=rows.kind, key=rows.key, columns=rows.columns, rows=rows.rows, view=rows.view, next=following
        )

    def row(
        self,
        kind: str,
        name: str,
        at: str | None = None,
        *,
        host: str | None = None,
        branch: str | None = None,
        metadata: bool | None = None,
    ) -> answers.Rows:
        """The live row that goes by a name or id; of several the first. Raises `UsageError` when there is none."""
        if at is not None:
            with open_past(self.context, host, branch) as past:
                return rows_at(past, kind, name, at, lambda _: Selection(details=bool(metadata)))
        with self.context.open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            live = store.live(found, name)[:1] if store else ()
            if store is None or not live:
                raise _unknown_name(store, found, name)
            if metadata:
                key = Condition(found.key, (str(live[0].values[found.key]),))
                live = store.selected(found, Selection((key,), details=True), None, None) or live
            return build_rows(found, live, said=store.said_by_git(found, live), details=bool(metadata))

    def uses(
        self, kind: str, name: str, at: str | None = None, host: str | None = None, branch: str | None = None
    ) -> Uses:
        """What refers to a live resource, directly and through others. Raises `UsageError` when there is none.

        Of another host it is asked of the history: as it was at a time, or is now.
        """
        if at is not None or host is not None:
            with open_past(self.context, host, branch) as past:
                rows = rows_at(past, kind, name, at or self.context.clock.now().isoformat())
                assert rows.at
                # By the commit that was found: a branch may have moved meanwhile
                referrers = _referrers_at(past, rows.at.commit)
                return build_uses(_find_uses(Key(rows.kind, rows.rows[0].name), referrers))
        with self.context.open_rows() as store:
            kinds = known_kinds(store, self.context.bundled)
            found = find_kind(kinds, kind)
            live = store.live(found, name) if store else ()
            if store is None or not live:
                raise _unknown_name(store, found, name)
            base = store.base(kinds)
            return build_uses(_find_uses(Key(found.name, live[0].name), lambda key: map(_key, base.referrers_of(key))))

    def drift(self) -> answers.Drift:
        """Where the live rows are not what git says."""
        with self.context.open_own_rows() as store:
            return build_drift(store.drift(stored_kinds(store.kinds())) if store else Drifts())


def _key(resource: Resource) -> Key:
    return Key(resource.kind, resource.name)


def _find_uses(key: Key, referrers: Callable[[Key], Iterable[Key]]) -> Iterator[tuple[Key, tuple[Key, ...]]]:
    """What refers to a resource, breadth first, each once, with the resources between it and that one.

    Raises `UsageError` when these are too many: kinds that refer to their own make long chains.
    """
    seen, between = {key}, 0
    queue: deque[tuple[Key, tuple[Key, ...]]] = deque([(key, ())])
    while queue:
        current, via = queue.popleft()
        for referrer in sorted(set(referrers(current)) - seen):
            seen.add(referrer)
            between += len(via)
            if between > MAX_BETWEEN:
                hint = "ask for one of those that refer to it directly"
                raise UsageError(f"too much refers to {key.kind} {key.name} to list it", hint=hint)
            yield referrer, via
            queue.append((referrer, (*via, referrer)))


def _referrers_at(past: Past, at: str) -> Callable[[Key], Iterable[Key]]:
    """What refers to a resource at a point of the history. Reads the rows of every kind that may refer to another."""
    place = past.live_point(at)
    referrers: dict[Key, list[Key]] = defaultdict(list)
    for kind in past.kinds:
        for row in place.ledger.rows_at(kind, place.point) if kind.references else ():
            if is_declared(row):
                resource = resource_of(kind, row)
                for reference in kind.references:
                    for target in resource.refs.get(reference.role, ()):
                        referrers[Key(reference.kind, target)].append(_key(resource))
    return lambda key: referrers.get(key, ())


def _unknown_name(store: StoreReader | None, kind: Kind, name: str) -> UsageError:
    names = [row.name for row in store.live(kind)] if store else []
    hint = suggest(name, names, f"see `reconciler get {kind.name.lower()}`")
    return UsageError(f"no {kind.name} {name} is live", hint=hint)


def _read_page(
    store: DuckDBReader | None, kind: Kind, selection: Selection, place: tuple[Any, str, str] | None, many: int | None
) -> Sequence[LiveRow]:
    """The rows of a page, and one more where there is one."""
    if store is None:
        return ()
    if selection.chooses or selection.details:
        return store.selected(kind, selection, place, None if many is None else many + 1)
    return store.live(kind) if many is None else store.live_after(kind, place[1:] if place else None, many + 1)


def _place(kind: Kind, selection: Selection, row: LiveRow) -> tuple[Any, str, str]:
    value = sort_value(kind, selection, row) if selection.sort else None
    return value, row.name, str(canonical.to_json_value(row.values[kind.key]))


def _past_page(rows: answers.Rows, mark: str, limit: int | None, cursor: str | None) -> answers.RowsPage:
    """A page out of all rows. Those of the past stay where they are."""
    page, place = rows.rows, parse_row_cursor(cursor, mark)
    if not mark and (limit is not None or place is not None):
        page = tuple(sorted(page, key=lambda row: _known_as(row, rows.key)))
    if place is not None:
        page = _after(page, rows.key, place[1:], is_sorted=not mark)
    cut = limit is not None and len(page) > limit
    page = page[:limit]
    following = format_row_cursor((None, *_known_as(page[-1], rows.key)), mark) if cut else None
    whole = answers.RowsPage(kind=rows.kind, key=rows.key, columns=rows.columns, rows=page, at=rows.at, next=following)
    return replace(whole, drift=rows.drift, view=rows.view)


def _after(
    page: Sequence[answers.Row], key: str, place: tuple[str, str], *, is_sorted: bool
) -> tuple[answers.Row, ...]:
    if is_sorted:
        return tuple(row for row in page if _known_as(row, key) > place)
    at = next((number for number, row in enumerate(page) if _known_as(row, key) == place), None)
    if at is None:
        raise bad_cursor()
    return tuple(page[at + 1 :])


def _known_as(row: answers.Row, key: str) -> tuple[str, str]:
    return str(row.name), str(row.values[key])


class Plans(Service):
    """Plans from the live rows to the head, as git was when it was last fetched. Nothing is written."""

    def ahead(self) -> reviews.Plan:
        """What `plan --format json` prints."""
        with self.context.open_planner() as (planner, branch), self.context.open_rows() as store:
            assert store is not None
            plan, kinds = planner.plan_sync(store, branch)
            return build_plan(plan, kinds)
