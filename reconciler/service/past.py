"""An open history with what one host did: what services ask about the past."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.canonical import timestamp
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history import points
from reconciler.history.drifts import collect_drifts
from reconciler.history.fate import NEVER_LIVE, live_height, reached_live
from reconciler.history.live import LiveHistory
from reconciler.kinds.kind import Kinds
from reconciler.model.rows import DriftFilter, HistoryPoint
from reconciler.service.context import UPLOAD_WAIT
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.times import is_time
from reconciler.values import replace
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.history.drifts import PastDrift
    from reconciler.history.fate import CommitFate
    from reconciler.history.points import FoundVersion, NamedPoint
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import HistoryChange, VersionRow
    from reconciler.ports import LedgerReader
    from reconciler.service.context import Context
    from reconciler.service.context import History as OpenHistory

MAX_DRIFT_EVENTS = 100
"""Host events about drift around a time that an answer looks at: each may have a thousand rows."""
MAX_ELSEWHERE = 100
"""Intervals of other branches that an answer looks at."""


class Past(Struct, frozen=True):
    """The history of a branch, and what a host did with its commits. `kinds` are those of this host's store.

    `declared_kinds` gives those of a commit's own schemas, None where git cannot tell.
    """

    history: OpenHistory
    ledger: LedgerReader
    branch: str
    live: LiveHistory
    kinds: Kinds
    declared_kinds: Callable[[str], Kinds | None]

    def point(self, name: str) -> NamedPoint:
        """What is declared at a revision; at a time, what was live on the host. Raises like `find_point`."""
        return points.find_point(self.ledger, name, self.live.at, self.history.resolve)

    def live_point(self, name: str) -> NamedPoint:
        """What was live at a revision or time: of a commit that never went live, what was live before it."""
        found = self.point(name)
        version = found.version
        if is_time(name) or version.orphaned or self.fate_at(found).fate not in NEVER_LIVE:
            return found
        height = live_height(version.height, self.live.live_heights(found.ledger))
        if height is None:
            return found
        shown = next(iter(found.ledger.versions(limit=1, upto=height)))
        return replace(found, point=HistoryPoint(height), shown=shown.commit.sha)

    def version(self, revision: str) -> FoundVersion:
        """The version of a revision, of whichever branch has it. Raises like `find_version`."""
        return points.find_version(self.ledger, revision, self.history.resolve)

    def fates(self, versions: Iterable[VersionRow]) -> dict[str, CommitFate]:
        """The fates of commits of the branch."""
        return self.live.fates(self.ledger, self.branch, versions)

    def fate(self, found: FoundVersion) -> CommitFate:
        """The fate of a commit of any branch."""
        fates = self.live.fates(found.ledger, found.branch or self.branch, [found.version])
        return fates[found.version.commit.sha]

    def fate_at(self, place: NamedPoint) -> CommitFate:
        """The fate of the commit at a point."""
        return self.fate(points.FoundVersion(place.version, place.ledger, place.branch))

    def elsewhere(self) -> list[tuple[datetime, FoundVersion]]:
        """What went live out of other branches and is not of this one, the oldest first, each as it last went live."""
        known: dict[str, tuple[datetime, str]] = {}
        for one in self.live.newest(MAX_ELSEWHERE, off=self.branch):
            known[one.commit] = (one.since, one.branch)
        for version in self.ledger.find_by_sha(known):
            del known[version.commit.sha]
        found = []
        for branch in sorted({branch for _, branch in known.values()}):
            ledger = self.ledger.on_branch(branch)
            rows = ledger.find_by_sha([sha for sha, (_, of) in known.items() if of == branch])
            found += [(known[row.commit.sha][0], points.FoundVersion(row, ledger, branch)) for row in rows]
        return sorted(found, key=lambda one: (one[0], one[1].branch))

    def fates_elsewhere(self, found: Iterable[FoundVersion]) -> dict[str, CommitFate]:
        """The fates of commits of any branches, each branch asked once."""
        fates: dict[str, CommitFate] = {}
        by_branch: dict[str, list[FoundVersion]] = {}
        for one in found:
            by_branch.setdefault(one.branch or self.branch, []).append(one)
        for branch, some in by_branch.items():
            fates |= self.live.fates(some[0].ledger, branch, [one.version for one in some])
        return fates

    def unrecorded(self, recorded: Collection[str]) -> str | None:
        """The commit that is live on the host, where the history does not have it yet, as after a kill.

        Of some commits it is known that it has them.
        """
        present = self.live.at(self.live.now)
        if present is None or present.commit in recorded:
            return None
        return None if points.find_recorded(self.ledger, present.commit, present.branch) else present.commit

    def live_state(self) -> tuple[LedgerReader, Callable[[HistoryChange], bool]]:
        """The ledger that has the live commit, and whether a change is of the history up to there.

        Of a host that has not told what is live: the newest state of the branch.
        """
        present = self.live.at(self.live.now)
        if present is None:
            return self.ledger, lambda change: not change.version.orphaned
        place = points.find_point(self.ledger, timestamp(self.live.now), lambda _: present, self.history.resolve)
        point = place.point
        return (
            place.ledger,
            lambda change: (
                change.version.commit.sha in point.dropped
                or (not change.version.orphaned and change.version.height <= point.height)
            ),
        )

    def live_changes(self, ledger: LedgerReader, changes: Sequence[HistoryChange]) -> list[tuple[HistoryChange, bool]]:
        """The changes of one row up to what is live, the oldest first, each with whether what it left went live."""
        commits = [change.version.commit.sha for change in changes]
        went_live = {one.commit for one in self.live.of_commits(commits)}
        reached = [True] * len(changes)
        if not went_live.issuperset(commits[:-1]):
            by_height = reached_live([change.row.height for change in changes], self.live.live_heights(ledger))
            reached = [sha in went_live or below for sha, below in zip(commits, by_height, strict=True)]
        return list(zip(changes, [*reached[:-1], True], strict=True))

    def drift_of(self, kind: Kind, ids: Collection[str]) -> list[PastDrift]:
        """What is recorded of drift of some rows of a kind, and of its table."""
        return collect_drifts(self.live.drift_events(DriftFilter(self.live.now, kind.name, ids)))

    def drift_at(self, kind: Kind, moment: datetime, ids: Collection[str] | None) -> list[PastDrift]:
        """How some or all rows of a kind differed, or may have differed, at a time from what git said."""
        interval = self.live.at(moment)
        if interval is None:
            return []
        only = DriftFilter(moment, kind.name, ids, limit=MAX_DRIFT_EVENTS)
        return [one for one in collect_drifts(self.live.drift_events(only)) if one.may_hold_at(moment, interval)]

    def find_kind(self, word: str) -> tuple[Kind, Kinds]:
        """The kind that a word names, of the store or else of the ledger, and the kinds it is among."""
        kind = self.kinds.find(word)
        if kind is not None:
            return kind, self.kinds
        kinds = self.all_kinds()
        return find_kind(kinds, word), kinds

    def all_kinds(self) -> Kinds:
        """The kinds of the store, and those that only the ledger still has."""
        others = self.ledger.other_kinds(self.kinds)
        return Kinds(tuple(sorted((*self.kinds, *others), key=lambda kind: kind.name)))


@contextmanager
def open_past(context: Context, host: str | None = None, branch: str | None = None) -> Iterator[Past]:
    """The past of a branch as a host saw it: by default of this host and the branch that it follows.

    Raises `UsageError` for a host or a branch that the history does not know.
    """
    with context.open_history(UPLOAD_WAIT) as history, history.open_rows() as store:
        ledger, own = history.ledger, host is None or host == context.name
        if branch is not None and branch != history.branch:
            _check_known("branch", branch, ledger.branches())
            ledger = ledger.on_branch(branch)
        live = LiveHistory(
            host=host or context.name,
            ledger=ledger,
            store=store if own else None,
            follows=history.branch if own else None,
            now=context.clock.now(),
        )
        if not own and not live.newest(1):
            raise UsageError(f"the history knows no host {host}", hint="its name is what its setting host.name says")
        kinds = known_kinds(store, context.bundled)
        yield Past(history, ledger, branch or history.branch, live, kinds, partial(_declared_kinds, context))


def _declared_kinds(context: Context, commit: str) -> Kinds | None:
    try:
        with context.open_planner() as (planner, _):
            rules = planner.processor.rules
            kinds, problems = rules.kinds_of(rules.read_rules(commit))
    except ReconcilerError:  # the history is there also when git is not
        return None
    return None if problems else kinds


def _check_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        hint = suggest(name, sorted(known)) or "see `reconciler log`"
        raise UsageError(f"the history knows no {what} {name}", hint=hint)
