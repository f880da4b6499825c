"""What the ledger is asked about the past, answered as JSON objects: the same with and without a daemon."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.answers import to_json
from reconciler.errors import UsageError
from reconciler.history import changes as rows
from reconciler.history import pages as paging
from reconciler.history import points
from reconciler.history.changes import blame
from reconciler.history.points import moment
from reconciler.kinds.kind import Kinds
from reconciler.model.commit import Status
from reconciler.model.history import ORPHANED, HistoryPoint
from reconciler.plan import Plan, ordered
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
from reconciler.wiring.answers import found_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from reconciler.history.changes import Entry
    from reconciler.history.points import Place
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Change
    from reconciler.ports import LedgerReader

    Answer = dict[str, Any]
    After = paging.Place | None
    OpenLedger = Callable[[], AbstractContextManager[LedgerReader]]

FILTERS: Final = ("author", "kind", "name", "since", "until", "status")
STATUSES: Final = (*Status, ORPHANED)


@dataclass(frozen=True, slots=True)
class Past:
    """The past of the branch that this host follows, for any thread.

    `ledger` gives what opens the ledger, None on a host that keeps no history. `kinds` are those of the store.
    `resolve` asks git what a tag or branch names, and raises what git has to say. `host` is this one's name.
    """

    ledger: Callable[[], OpenLedger | None]
    kinds: Callable[[], Kinds]
    resolve: Callable[[str], str | None]
    host: str

    def history(self, kind: str | None, name: str | None, limit: int, after: After = None) -> Answer:
        """The changes of a resource, or the newest of all, newest first; after a place, and where to go on (`next`).

        Raises `UsageError` when the history knows no such resource.
        """
        told: list[Entry]
        following: paging.Place | None
        with self._opened() as ledger:
            if kind is None:
                kinds, place = self._all(ledger), paging.change_after(after)
                newest = [(one, ledger.newest_changes(one, limit=limit + 1, after=place)) for one in kinds]
                told, following = paging.newest_page(newest, limit)
            else:
                found, kinds = self._kind(ledger, kind)
                past = ledger.changes_of(found, name or "")
                if not past:
                    raise self._unknown(ledger, found, name or "")
                aside = ledger.side_versions() if any(one.version.orphaned for one in past) else {}
                told, following = paging.past_page(found, past, aside, limit, after)
            changes = [to_json(build_recorded_change(entry.version, entry.change, kinds)) for entry in told]
            return {"changes": changes, "orphaned": ledger.count_orphans(), "next": following}

    def show(self, kind: str, name: str | None, at: str) -> Answer:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        with self._opened() as ledger:
            found, _ = self._kind(ledger, kind)
            place = self._place(ledger, at)
            past = [row for row in ledger.rows_at(found, place.point, name) if rows.is_live(row)]
            if name is not None:
                if not past:
                    hint = f"see `reconciler history {found.name.lower()} {name}`"
                    raise UsageError(f"no {found.name} {name} was live at {place.name}", hint=hint)
                past = rows.best_first(found, past, name)[:1]
            live = sorted((rows.live_row(found, row) for row in past), key=lambda row: (row.name, row.path is None))
            return to_json(build_rows(found, live, build_history_point(place)))

    def diff(self, base: str, head: str) -> Answer:
        """What is declared otherwise at one commit or moment than at another, in the shape of a plan."""
        with self._opened() as ledger:
            old, new = self._place(ledger, base), self._place(ledger, head)
            kinds = self._all(ledger)
            changes = ordered(change for kind in kinds for change in self._between(ledger, kind, old.point, new.point))
            declared = sum(ledger.count_declared(kind, new.point) for kind in kinds)
            unchanged = declared - sum(change.new is not None for change in changes)
            plan = Plan(old.version.commit.sha, new.version.commit.sha, changes, (), unchanged)
            return to_json(build_diff(plan, kinds))

    def blame(self, kind: str, name: str) -> Answer:
        """For each field of a live row the commit that last set it."""
        with self._opened() as ledger:
            found, _ = self._kind(ledger, kind)
            past = [one for one in ledger.changes_of(found, name) if not one.version.orphaned]
            newest = {one.row.values[found.key]: one.row for one in reversed(past)}
            live = rows.best_first(found, filter(rows.is_live, newest.values()), name)
            ours = [row for row in live if name in rows.names(found, row)]
            if not ours:
                if past:
                    hint = f"see `reconciler history {found.name.lower()} {name}`"
                    raise UsageError(f"no {found.name} {name} is live any more", hint=hint)
                raise self._unknown(ledger, found, name)
            id_ = ours[0].values[found.key]
            blamed = blame(found, (one for one in reversed(past) if one.row.values[found.key] == id_))
            return to_json(build_blame(found, ours[0], blamed))

    def versions(self, limit: int, filters: Mapping[str, str], after: After = None) -> Answer:
        """The newest versions of the history, all or those that some filters let through; see `FILTERS`."""
        with self._opened() as ledger:
            if filters:
                only = replace(self._filter(ledger, filters), after=paging.found_after(after))
                page, following = paging.found_page(ledger.find_versions(only, limit=limit + 1), limit)
            else:
                place = paging.listed_after(after)
                many = limit + 1 + (place[1] if place else 0)
                listed = ledger.versions(limit=many, upto=place[0] if place else None)
                page, following = paging.listed_page(listed, limit, place)
            told = [to_json(build_version(one)) for one in page]
            return {"versions": told, "orphaned": ledger.count_orphans(), "next": following}

    def version(self, revision: str) -> Answer:
        """One version, and what it changed."""
        with self._opened() as ledger:
            version = points.known(ledger, revision, self.resolve)
            changes: list[Answer] = []
            if version.mainline and version.status == Status.VALID:
                point = points.place(ledger, version)
                before = points.before(point, version)
                kinds = self._all(ledger)
                changed = (change for kind in kinds for change in self._between(ledger, kind, before, point))
                changes = [to_json(build_described_change(change, kinds)) for change in ordered(changed)]
            return {"version": to_json(build_version(version)), "changes": changes}

    @contextmanager
    def _opened(self) -> Iterator[LedgerReader]:
        opened = self.ledger()
        if opened is None:
            raise UsageError("this host keeps no history", hint="set history.url to chdb or a ClickHouse server")
        with opened() as ledger:
            yield ledger

    def _place(self, ledger: LedgerReader, at: str) -> Place:
        return points.find(ledger, at, self.host, self.resolve)

    def _between(self, ledger: LedgerReader, kind: Kind, old: HistoryPoint, new: HistoryPoint) -> Iterator[Change]:
        for before, after in ledger.changed_rows(kind, old, new):
            change = rows.change(kind, before, after)
            if change is not None:
                yield change

    def _kind(self, ledger: LedgerReader, word: str) -> tuple[Kind, Kinds]:
        known = self.kinds()
        found = known.find(word)
        if found is not None:
            return found, known
        kinds = self._all(ledger)
        return found_kind(kinds, word), kinds

    def _all(self, ledger: LedgerReader) -> Kinds:
        known = self.kinds()
        return Kinds(tuple(sorted((*known, *ledger.other_kinds(known)), key=lambda kind: kind.name)))

    def _unknown(self, ledger: LedgerReader, kind: Kind, name: str) -> UsageError:
        now = HistoryPoint(points.HIGHEST)
        names = [str(rows.names(kind, row)[0]) for row in ledger.rows_at(kind, now)]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"see `reconciler log --kind {kind.name.lower()}`"
        return UsageError(f"the history knows no {kind.name} {name}", hint=hint)

    def _filter(self, ledger: LedgerReader, told: Mapping[str, str]) -> VersionFilter:
        unknown = sorted(told.keys() - set(FILTERS))
        if unknown:
            raise UsageError(f"there is no filter {unknown[0]}", hint=f"there are: {', '.join(FILTERS)}")
        status = told.get("status", "").upper() or None
        if status not in (None, *STATUSES):
            raise UsageError(f"there is no status {told['status']}", hint=f"there are: {', '.join(STATUSES)}")
        kinds: tuple[Kind, ...] | None = None
        if "kind" in told:
            kinds = (self._kind(ledger, told["kind"])[0],)
        elif "name" in told:
            kinds = self._all(ledger).members
        return VersionFilter(
            author=told.get("author"),
            kinds=kinds,
            name=told.get("name"),
            since=moment(told["since"]) if "since" in told else None,
            until=moment(told["until"], end_of_day=True) if "until" in told else None,
            status=status,
        )
