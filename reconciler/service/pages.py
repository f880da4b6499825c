"""What the dashboard shows: each method gives one page as the JSON object that its address with `.json` answers.

What does not exist raises `UsageError`, what cannot be had now other `ReconcilerError`s. A history that is off or
away, or a table that cannot be read, raises nothing where the page can do without: the answer says why in
`without_history` and others.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from reconciler import answers
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history.drifts import collect_drifts
from reconciler.kinds.build import stored_kinds
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Key, RowId
from reconciler.model.rows import DriftFilter, Search
from reconciler.report import commits
from reconciler.report.escape import format_time
from reconciler.report.halts import build_halt
from reconciler.report.pages import (
    Known,
    build_days,
    build_hits,
    build_kind_details,
    build_row_comparison,
    build_search_page,
    filter_choices,
)
from reconciler.report.status import build_status
from reconciler.report.sync import build_recorded_drift
from reconciler.service.context import Context, Service
from reconciler.service.eventpage import list_drift_events, list_events
from reconciler.service.history import History
from reconciler.service.hostpage import describe_host
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.service.limits import FILTERS
from reconciler.service.moments import NOW, build_moments, live_moment, read_moments
from reconciler.service.past import open_past
from reconciler.service.rows import Rows
from reconciler.service.tradingpage import NOTHING_TRADES, TradingPage
from reconciler.service.waitingplan import WaitingPlan
from reconciler.service.wayback import WayBack
from reconciler.sessions import PREFIX
from reconciler.tables.rows import rows_under, with_halts
from reconciler.values import replace
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.live import Session
    from reconciler.model.rows import LiveRow
    from reconciler.ports import Base
    from reconciler.sessionlayout import SessionLayout

    Page = dict[str, Any]
    Query = Mapping[str, str]


UPLOAD_WAIT = 2.0
"""Seconds that a page waits for versions on their way to the history."""
ROWS_PAGE = 100
HITS_EACH = 8
"""Rows of each kind that a search of all kinds shows."""
ABBREVIATION = re.compile("[0-9a-f]{7,40}", re.ASCII)
"""What may be a commit's sha, whole or abbreviated."""
PAGE_NUMBER = re.compile("[1-9][0-9]{0,6}", re.ASCII)
REPEATED = 40
"""Characters of a parameter that an error repeats."""
TIMELINE = 50
"""Changes of a resource on its page."""
STEPS = 200
"""Changes of a resource among which the page of a moment finds the one before and the one after."""
CHART_DAYS, RECENT_COMMITS = 30, 8
"""Days of the chart, and commits beside it."""
VERSION_STEPS = (50, 200, 1000)
"""How many versions the page of versions may show."""
MAX_CHANGES = 300
"""Changes of a commit on its page; of a larger commit it gives the numbers only."""
MAX_WAITING = 50
"""Changes, and problems, of a plan that waits."""
MAX_DRIFTS, MAX_USES = 100, 200
"""Host events about drift that the page of a resource looks at, and resources that refer to it that it lists."""
MAX_OWNERS, SESSIONS_EACH = 200, 10
"""Owners on the page of sessions, and sessions of each, the one used last first."""
DEVICE_LETTERS = 8
OWNER = "owner"
NO_HISTORY = ("this host keeps no history", "set history.url to chdb, duckdb or a ClickHouse server")


class Pages(Service):
    """All pages of this host. Methods may take their time; they are called from several threads at once."""

    def __init__(self, context: Context) -> None:
        super().__init__(replace(context, open_history=lambda _: context.open_history(UPLOAD_WAIT)))
        self._history, self._trading = History(self.context), TradingPage(self.context)
        self._way_back = WayBack(self.context)
        self._waiting_plan = WaitingPlan(self.context)

    def heading(self) -> Page:
        """What stands on every page: this host's name, and how it is."""
        return self._heading(build_status(self.context.status()))

    def overview(self) -> Page:
        """How this host stands, and what happened lately."""
        status = build_status(self.context.status())
        waiting = self._waiting(status) if status.suspended else {"waiting": None, "without_plan": None}
        shown = {"host": self._heading(status), "status": answers.to_json(status), **self._what_trades(status)}
        return {**shown, **waiting, **self._recent()}

    def kinds(self) -> Page:
        """The kinds, and how many live rows each has."""
        with self.context.open_rows() as store:
            counts = store.counts() if store else {}
            known = known_kinds(store, self.context.bundled)
            kinds = [{**build_kind_details(kind), "rows": counts.get(kind.name, 0)} for kind in known]
        return self._page({"kinds": kinds})

    def rows(self, kind: str, query: Query) -> Page:
        """A page of the live rows of a kind: those that `q` and the other parameters select."""
        with self._open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            search = _parse_search(found, query)
            number, rows = store.found(found, search)
            kinds = stored_kinds(store.kinds())
            base, only = store.base(kinds), Kinds(tuple(one for one in kinds if one.name == found.name))
            known = Known(_find_refs(base, found, rows), _find_names(base, found, (row.values for row in rows)))
            page = build_search_page(found, search, number, rows, known, store.drift(only))
            ids = [str(row.values[found.key]) for row in rows] if store.halted_rows().get(found.name) else []
            git = (row for one in ids if (row := base.row(RowId(found.name, one))) is not None)
            halted = [row.resource.id for row in rows_under(store.halts(), only, git) if row.halted]
            return self._page(page | {"halted": halted})

    def search(self, query: Query) -> Page:
        """The live rows of all kinds in which a text stands, some of each; what has that name first."""
        unknown = sorted(query.keys() - {"q"})
        if unknown:
            raise UsageError(f"there is no parameter {unknown[0][:REPEATED]}", hint="write what to look for as q")
        text = query.get("q", "").strip()
        page: Page = {"search": text, "commit": text if ABBREVIATION.fullmatch(text) else None}
        kinds, without = self._find_hits(text) if text else ([], [])
        kinds.sort(key=lambda kind: min(_rank(row["name"], text) for row in kind["rows"]))
        found = sum(kind["found"] for kind in kinds)
        return self._page(page | {"kinds": kinds, "found": found, "without_kinds": without})

    def resource(self, kind: str, name: str) -> Page:
        """A live row beside what git says, with its history and who set each field.

        What is neither live nor declared may have been once: then it has a history.
        """
        with self._open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            live = next(iter(store.live(found, name)), None)
            declared = _declared(store, found, name, None if live is None else str(live.values[found.key]))
            sides = [one for one in (live and live.values, declared and declared.resource.values) if one]
            names = _find_names(store.base(stored_kinds(store.kinds())), found, sides)
            page = build_row_comparison(found, live.name if live else name, live, declared, names)
            drifts = self._drifts_of(store, found, page["id"])
            halt = store.halts().of(declared.resource) if declared else None
        page |= {"halted": halt and answers.to_json(build_halt(halt))}
        past = self._resource_history(found, page)
        if live is None and declared is None and not past["changes"]:
            raise UsageError(f"there is no {found.name} {name}", hint=f"see the list of every {found.name}")
        return self._page(page | past | {"drifts": drifts, **self._uses(found, page)})

    def moment(self, kind: str, name: str, query: Query) -> Page:
        """A row as it was `at` a commit or time, beside how it was at another one (`to`), or is now."""
        unknown = sorted(query.keys() - {"at", "to"})
        if unknown:
            raise UsageError(f"there is no parameter {unknown[0][:REPEATED]}", hint="there are: at, to")
        with self._open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            live = next(iter(store.live(found, name)), None)
        other = query.get("to", "").strip()
        times = [at for at in (query["at"].strip(), "" if other.lower() == NOW else other) if at]
        moments = read_moments(self.context, found, name, times)
        if len(moments) == 1:
            moments.append(live_moment(live))
        changes = self._history.changes(found.name, name, STEPS).changes
        return self._page(build_moments(found, live.name if live else name, moments, changes))

    def versions(self, query: Query) -> Page:
        """The recorded commits that filters let through, and whether there are more."""
        step = query.get("limit", str(VERSION_STEPS[0]))
        if step not in map(str, VERSION_STEPS):
            raise UsageError("limit is none of the steps", hint=f"there are: {', '.join(map(str, VERSION_STEPS))}")
        limit = int(step)
        filters = {name: text.strip() for name, text in query.items() if name != "limit" and text.strip()}
        with self._open_rows() as store:
            kinds = [kind.name for kind in known_kinds(store, self.context.bundled)]
        page: Page = {"filters": filters, "kinds": kinds, "limit": limit, "more": None, "versions": [], "orphaned": 0}
        if not self.context.keeps_history:
            return self._page(page | {"without_history": _reason(_history_off())})
        unknown = sorted(filters.keys() - set(FILTERS))
        if unknown:
            raise UsageError(f"there is no filter {unknown[0]}", hint=suggest(unknown[0], FILTERS))
        found = answers.to_json(self._history.versions(limit + 1, **filters))
        is_cut = len(found["versions"]) > limit
        more = next((step for step in VERSION_STEPS if step > limit), None) if is_cut else None
        shown = list(found["versions"][:limit])
        return self._page(
            page | {"more": more, "versions": shown, "orphaned": found["orphaned"], "without_history": None}
        )

    def version(self, revision: str) -> Page:
        """A version, and what it changed unless that is too much for a page."""
        with open_past(self.context) as past:
            found = past.version(revision)
            version = found.version
            built = answers.to_json(commits.build_version(version, past.fate(found), found.branch))
        if version.creates + version.updates + version.deletes > MAX_CHANGES:
            return self._page({"version": built, "changes": [], "reasons": [], "cut": True})
        return self._page({**answers.to_json(self._history.version(version.commit.sha)), "cut": False})

    def drift(self) -> Page:
        """Where the live rows are not what git says."""
        status = answers.to_json(build_status(self.context.status()))
        drift = answers.to_json(Rows(self.context).drift())
        with self._open_rows() as store:
            lately = list_drift_events(store)
        return {"host": self.heading(), "scan": status["drift"], "lately": lately, **drift}

    def sessions(self, query: Query) -> Page:
        """The sessions of those who may have active ones, or of one owner; or why they are not known here."""
        layout, owner = self.context.session_layout(), query.get(OWNER, "").strip()
        page: Page = {"kind": layout.owner_kind, OWNER: owner, "sessions": [], "more_of": [], "more": 0}
        try:
            with self.context.open_sessions() as sessions:
                ids = self._owner_ids(owner) if owner else sessions.owners()
                pages = {id_: sessions.page(id_, SESSIONS_EACH) for id_ in sorted(ids)[:MAX_OWNERS]}
        except ReconcilerError as error:
            return self._page(page | {"without_sessions": _reason(error)})
        names = self._owner_names(pages)
        found = [one for each in pages.values() for one in each.sessions]
        found.sort(key=lambda one: (one.last_active, one.id), reverse=True)
        shown = [_build_session(layout, one, names.get(one.owner)) for one in found]
        more_of = [{"id": id_, "name": names.get(id_)} for id_, each in pages.items() if each.after is not None]
        counts = {"more_of": more_of, "more": max(0, len(ids) - MAX_OWNERS), "without_sessions": None}
        return self._page(page | {"sessions": shown, **counts})

    def events(self, query: Query) -> Page:
        """What this host did: the newest events, or those before one."""
        return self._page(list_events(self.context, query))

    def host(self) -> Page:
        """This host's health: its threads, its folder, the disk that is on, its settings."""
        status = build_status(self.context.status())
        info = describe_host(self.context, self.context.clock.now())
        return {"host": self._heading(status), "status": answers.to_json(status), **info, **self._way_back.prepare()}

    def _page(self, page: Page) -> Page:
        return {"host": self.heading(), **page}

    def _heading(self, status: answers.Status) -> Page:
        return {
            "name": self.context.name,
            "repository": status.repository,
            "branch": status.branch,
            "sync": status.sync,
            "health": status.health,
            "applied": status.applied and status.applied.commit,
            "halted": [halt.selector for halt in status.halted],
            "at": format_time(self.context.clock.now()),
        }

    def _what_trades(self, status: answers.Status) -> Page:
        try:
            trading = self._trading.read(status.applied.commit if status.applied else None)
        except ReconcilerError as error:  # the rest of the page says how the host stands, and what is wrong
            return {"trading": NOTHING_TRADES, "without_trading": _reason(error)}
        return {"trading": trading, "without_trading": None}

    def _find_hits(self, text: str) -> tuple[list[Page], list[Page]]:
        """The kinds with rows in which a text stands, and those whose rows cannot be read."""
        with self._open_rows() as store:
            known = known_kinds(store, self.context.bundled)
        hits: list[Page] = []
        without: list[Page] = []
        asked = Search(text, {}, 0, HITS_EACH)
        for kind in known:
            try:
                with self._open_rows() as store:  # again: a query that fails ends its transaction
                    hits.append(build_hits(kind, text, *store.found(kind, asked)))
            except ReconcilerError as error:
                without.append({"kind": kind.name, **_reason(error)})
        return [one for one in hits if one["found"]], without

    def _recent(self) -> Page:
        """The newest commits, and what the last days changed."""
        today = self.context.clock.now().astimezone(UTC).date()
        first = today - timedelta(days=CHART_DAYS - 1)
        page: Page = {"recent": [], "activity": None, "without_history": None}
        try:
            with open_past(self.context) as past:
                newest = past.ledger.versions(limit=RECENT_COMMITS)
                fates = past.fates(newest)
                since = datetime.combine(first, time(), UTC)
                days = past.ledger.activity(since, past.live.refused_since(since))
        except ReconcilerError as error:
            return page | {"without_history": _reason(error)}
        activity = {
            "since": first.isoformat(),
            "until": today.isoformat(),
            "days": build_days(day for day in days if day.day <= today),
        }
        recent = [answers.to_json(commits.build_version(one, fates[one.commit.sha])) for one in newest]
        return page | {"recent": recent, "activity": activity}

    def _waiting(self, status: answers.Status) -> Page:
        """The plan that waits for the end of the suspension: its numbers, its first changes, what is wrong with it."""
        try:
            plan = self._waiting_plan.read(status.head, status.applied.commit if status.applied else None)
        except ReconcilerError as error:
            return {"waiting": None, "without_plan": _reason(error)}
        changes, problems = plan.changes[:MAX_WAITING], plan.problems[:MAX_WAITING]
        cut = {"changes": changes, "problems": problems}
        left = {"changes": len(plan.changes) - len(changes), "problems": len(plan.problems) - len(problems)}
        waiting = {
            "head": plan.head,
            "refused": any(problem.severity == "error" for problem in plan.problems),
            "summary": answers.to_json(plan.summary),
            **{name: [answers.to_json(one) for one in some] for name, some in cut.items()},
            "left_out": left,
        }
        return {"waiting": waiting, "without_plan": None}

    def _resource_history(self, kind: Kind, page: Page) -> Page:
        past: Page = {"changes": [], "blame": {}, "without_history": None}
        name = page["id"] or page["name"]
        try:
            past["changes"] = answers.to_json(self._history.changes(kind.name, name, TIMELINE))["changes"]
            if page["live"]:
                fields = answers.to_json(self._history.blame(kind.name, name))["fields"]
                past["blame"] = {field["field"]: field for field in fields}
        except UsageError as error:
            past["without_history"] = None if self.context.keeps_history else _reason(error)
        except ReconcilerError as error:
            past["without_history"] = _reason(error)
        return past

    def _drifts_of(self, store: DuckDBReader, kind: Kind, id_: str | None) -> list[Any]:
        """How a row was not what git said, as far as this host still has the events, the newest first."""
        ids = [id_] if id_ else []
        events = store.drift_events(DriftFilter(self.context.clock.now(), kind.name, ids, limit=MAX_DRIFTS))
        found = [answers.to_json(build_recorded_drift(one)) for one in collect_drifts(events)]
        return [one for one in reversed(found) if one["id"] == id_]

    def _uses(self, kind: Kind, page: Page) -> Page:
        """What refers to a live row, by kind, and how many there are in all."""
        if not page["live"]:
            return {"uses": [], "used": 0}
        try:
            uses = Rows(self.context).uses(kind.name, page["name"]).uses
        except UsageError:  # it has just gone, or too much refers to it
            return {"uses": [], "used": None}
        return {"uses": [answers.to_json(use) for use in uses[:MAX_USES]], "used": len(uses)}

    def _owner_ids(self, name: str) -> tuple[str, ...]:
        """The key of the owner who goes by a name or an id; none when nobody does."""
        with self._open_rows() as store:
            kind = stored_kinds(store.kinds()).find(self.context.session_layout().owner_kind)
            return tuple(str(row.values[kind.key]) for row in store.live(kind, name)[:1]) if kind else ()

    def _owner_names(self, ids: Iterable[str]) -> dict[str, str]:
        kind = self.context.session_layout().owner_kind
        with self._open_rows() as store:
            base = store.base(stored_kinds(store.kinds()))
            rows = ((id_, base.row(RowId(kind, id_))) for id_ in ids)
            return {id_: row.resource.name for id_, row in rows if row is not None}

    @contextmanager
    def _open_rows(self) -> Iterator[DuckDBReader]:
        with self.context.open_rows() as store:
            assert store is not None  # a daemon makes it
            yield store


def _build_session(layout: SessionLayout, session: Session, name: str | None) -> Page:
    """A session with its owner, and the beginning of its device's hash: enough to tell devices of one owner apart."""
    device = session.device_fingerprint.removeprefix(PREFIX)[:DEVICE_LETTERS]
    columns = {column: value for column, value in layout.record(session).items() if column != layout.owner_column}
    return {"owner": session.owner, "name": name, **columns, "device": device}


def _rank(name: str, text: str) -> int:
    """How much a name is what was looked for, the least first: it is that, begins so, has it in it, or has not."""
    name, text = name.lower(), text.lower()
    return [name == text, name.startswith(text), text in name, True].index(True)


def _reason(error: ReconcilerError) -> Page:
    return {"message": str(error), "hint": error.hint}


def _history_off() -> UsageError:
    message, hint = NO_HISTORY
    return UsageError(message, hint=hint)


def _declared(store: DuckDBReader, kind: Kind, name: str, id_: str | None) -> Row | None:
    """What git says of a row, with what halts make of it."""
    base = store.base(stored_kinds(store.kinds()))
    named = next(iter(base.by_name(Key(kind.name, name))), None) if id_ is None else None
    found = base.row(RowId(kind.name, id_)) if id_ is not None else base.row(named.row_id) if named else None
    return None if found is None else with_halts(kind, found, store.halts())


def _find_refs(base: Base, kind: Kind, rows: Iterable[LiveRow]) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """What git says some rows refer to, by their ids."""
    if not kind.references:
        return {}
    ids = (str(row.values[kind.key]) for row in rows)
    found = ((id_, base.row(RowId(kind.name, id_))) for id_ in ids)
    return {id_: row.resource.refs for id_, row in found if row is not None}


def _find_names(base: Base, kind: Kind, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of what the ids in some rows stand for."""
    held = list(rows)
    columns = [(kind.id_columns[one.role], one.kind) for one in kind.references if one.role in kind.id_columns]
    ids = {RowId(target, str(row[column])) for column, target in columns for row in held if row.get(column)}
    found = ((row_id.id, base.row(row_id)) for row_id in sorted(ids))
    return {id_: row.resource.name for id_, row in found if row is not None}


def _parse_search(kind: Kind, query: Query) -> Search:
    known = filter_choices(kind)
    unknown = sorted(query.keys() - known.keys() - {"q", "page", "sort"})
    if unknown:
        raise UsageError(f"there is no filter {unknown[0][:REPEATED]}", hint=suggest(unknown[0], ("q", *known)))
    sort, columns = query.get("sort", ""), [column.name for column in kind.columns]
    if sort and sort.removeprefix("-") not in columns:
        raise UsageError(f"there is no column {sort[:REPEATED]}", hint=suggest(sort.removeprefix("-"), columns))
    page = query.get("page", "1")
    if not PAGE_NUMBER.fullmatch(page):
        raise UsageError(f"there is no page {page[:REPEATED]}", hint="write a number from 1 on")
    equals = {field: query[field] for field in known if query.get(field)}
    offset = (int(page) - 1) * ROWS_PAGE
    return Search(query.get("q", "").strip(), equals, offset, ROWS_PAGE, sort.removeprefix("-"), sort.startswith("-"))
