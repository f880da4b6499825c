"""The commands' questions answered in this process, while no daemon runs. Implements `StoreUpdate`."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from reconciler.answers import to_json
from reconciler.errors import UsageError
from reconciler.model.drift import Drifts
from reconciler.model.host import Suspension, parse_until
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.sync import CommitApproval, current_suspension
from reconciler.report.drift import build_drift, build_verification
from reconciler.report.status import build_status, build_suspension
from reconciler.report.sync import build_sync
from reconciler.status import Place, Stored, describe, stored
from reconciler.wiring import answers
from reconciler.wiring.origins import target
from reconciler.wiring.pasthere import past_here
from reconciler.wiring.questionshere import questions_here
from reconciler.wiring.stores import reconciler
from reconciler.wiring.verifying import verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.settings import Settings

    Answer = dict[str, Any]


class InProcess:
    """One host. `progress` hears how far a long operation has come."""

    def __init__(self, settings: Settings, progress: Callable[[int, int], None]) -> None:
        self._settings, self._progress = settings, progress

    def status(self) -> Answer:
        """What is live. Nothing is created by it."""
        from reconciler.adapters.duckdb.store import open_reader
        from reconciler.adapters.machine import SystemClock

        with target(self._settings) as at, open_reader(at.state) or nullcontext() as store:
            place = Place(at.repository, at.branch, at.source.resolve(at.branch), at.source.is_shallow())
            found = describe(place, stored(store) if store else Stored(), None, SystemClock().now())
            return to_json(build_status(found))

    def rows(self, kind: str, name: str | None = None) -> Answer:
        """The live rows of a kind. Nothing is created by it: before the first sync there are none."""
        from reconciler.adapters.duckdb.store import open_reader

        with target(self._settings) as at, open_reader(at.state) or nullcontext() as store:
            return answers.rows(store, kind, name)

    def versions(self, limit: int, filters: Mapping[str, str]) -> Answer:
        """The newest versions of the history."""
        with past_here(self._settings) as past:
            return past.versions(limit, filters)

    def history(self, kind: str | None, name: str | None, limit: int) -> Answer:
        """The changes of a resource, or the newest of all."""
        with past_here(self._settings) as past:
            return past.history(kind, name, limit)

    def show(self, kind: str, name: str | None, at: str) -> Answer:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        with past_here(self._settings) as past:
            return past.show(kind, name, at)

    def diff(self, base: str, head: str) -> Answer:
        """What is otherwise at one commit or moment than at another."""
        with past_here(self._settings) as past:
            return past.diff(base, head)

    def blame(self, kind: str, name: str) -> Answer:
        """For each field of a live row the commit that last set it."""
        with past_here(self._settings) as past:
            return past.blame(kind, name)

    def query(self, sql: str, rows: int, *, history: bool) -> Answer:
        """What a query on the live rows, or on the history, finds."""
        with questions_here(self._settings, history=history) as questions:
            return questions.query(sql, rows, history=history)

    def tables(self, *, history: bool) -> Answer:
        """The tables that can be exported."""
        with questions_here(self._settings, history=history) as questions:
            return questions.tables(history=history)

    def export(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file."""
        with questions_here(self._settings, history=history) as questions:
            return questions.write(table, form, file, history=history)

    def drift(self) -> Answer:
        """What in the live rows is not what git says. Raises `NeedsHuman` when the store is another repository's."""
        from reconciler.adapters.duckdb.store import open_reader

        with target(self._settings) as at:
            store = open_reader(at.state)
            if store is None:
                return to_json(build_drift(Drifts()))
            with store:
                store.check_owner(at.repository)
                return to_json(build_drift(store.drift(stored_kinds(store.kinds()))))

    def heal(self, by: str) -> Answer:
        """Put right all that drifted."""
        found = self.drift()
        if not found["drift"]:
            return found
        with self._store() as store:
            return to_json(build_drift(answers.healed(store)))

    def sync(self, by: str, *, approve: str | None = None, force: bool = False) -> Answer:
        """Reconcile once."""
        approval = CommitApproval(approve, f"{by} with --approve") if approve else None
        with reconciler(self._settings) as found:
            pause = None if force else current_suspension(found.store)
            if pause is not None:
                raise answers.suspension_refusal(pause)
            return to_json(build_sync(found.sync(self._progress, approval), found.kinds()))

    def verify(self, by: str) -> Answer:
        """Compare ledger and live rows with git. Nothing is written."""
        with verifier(self._settings) as found:
            return to_json(build_verification(found.verify(self._progress)))

    def suspend(self, by: str, reason: str, until: str | None = None) -> Answer:
        """Suspend reconciling, in place of a suspension that is there. Raises `UsageError` for an empty reason."""
        from reconciler.adapters.machine import SystemClock

        if not reason.strip():
            raise UsageError("a suspension needs a reason", hint='tell others why: --reason "broker maintenance"')
        now = SystemClock().now()
        suspension = Suspension(reason.strip(), by, now, parse_until(until, now) if until else None)
        with self._store() as store:
            store.suspend(suspension)
        return suspension.detail()

    def resume(self, by: str) -> Answer:
        """End a suspension."""
        with self._store() as store:
            ended = answers.resumed(store, by)
            return {"ended": to_json(build_suspension(ended)) if ended else None}

    def back_up(self, by: str) -> Answer:
        """Copy the store into the state folder's `backups`."""
        from reconciler.adapters.duckdb import backup
        from reconciler.adapters.machine import SystemClock

        with target(self._settings) as at:
            return {"file": str(backup.back_up(at.state, SystemClock().now()))}

    def restore(self, file: Path, by: str) -> Answer:
        """Make a copy the store."""
        from reconciler.adapters.duckdb import restoring
        from reconciler.adapters.machine import SystemClock

        with target(self._settings) as at:
            done = restoring.restore(file, at.state, at.repository, SystemClock().now())
        return answers.restored(done.applied, done.aside)

    @contextmanager
    def _store(self) -> Iterator[DuckDBStore]:
        from reconciler.adapters.duckdb.store import open_store
        from reconciler.adapters.machine import SystemClock

        with target(self._settings) as at, open_store(at.state, SystemClock()) as store:
            store.claim(at.repository, at.branch)
            yield store
