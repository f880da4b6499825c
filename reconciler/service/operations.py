"""What both ways of operating a host share: with a daemon and in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from reconciler import answers
from reconciler.errors import NeedsHuman, ReconcilerError, RefusedError, UsageError
from reconciler.model.drift import MAX_REPORTED
from reconciler.model.host import Suspension, parse_until
from reconciler.reconcile.rules import stored_kinds
from reconciler.report.commits import build_applied
from reconciler.report.status import build_suspension, suspension_line

if TYPE_CHECKING:
    from reconciler.adapters.duckdb.backup import Restored
    from reconciler.model.drift import Drifts
    from reconciler.ports import Clock, Store


def heal_store(store: Store) -> Drifts:
    """Make the live rows what git says, so many in each transaction; gives what differed."""
    kinds = stored_kinds(store.kinds())
    drift = store.drift(kinds)
    for _ in range(0, drift.total, MAX_REPORTED):
        store.heal(kinds)
    return drift


def new_suspension(by: str, reason: str, until: str | None, clock: Clock) -> Suspension:
    """A suspension from now on. Raises `UsageError` for an empty reason, or an end that makes no sense."""
    if not reason.strip():
        raise UsageError("a suspension needs a reason", hint='tell others why: --reason "broker maintenance"')
    now = clock.now()
    return Suspension(reason.strip(), by, now, parse_until(until, now) if until else None)


def end_suspension(store: Store, by: str) -> answers.Suspension | None:
    """End a suspension; gives the one that held, None when none did."""
    store.expire()
    ended = store.resume(by)
    return build_suspension(ended) if ended else None


def suspension_error(suspension: Suspension) -> RefusedError:
    """Why nothing was reconciled."""
    line = suspension_line(build_suspension(suspension))
    hint = "`reconciler resume` ends it, `reconciler sync --force` reconciles this once"
    return RefusedError(f"reconciling is suspended {line}; no row was changed", hint=hint)


def build_restored(restored: Restored) -> answers.Restored:
    """The commit that is live after a restore, and where the store before is kept."""
    aside = str(restored.aside) if restored.aside else None
    return answers.Restored(applied=build_applied(restored.applied), aside=aside)


def history_off() -> UsageError:
    """The error for a question to the history on a host that keeps none."""
    return UsageError("this host keeps no history", hint="set history.url to chdb or a ClickHouse server")


def raise_unresolved(error: ReconcilerError, revision: str) -> NoReturn:
    """Raise what there is to say about a revision that git, which cannot be read, would have to know."""
    hint = f"shas and moments do without; git says: {error}"
    raise NeedsHuman(f"{revision} is no sha of the history, and git, which knows tags, cannot be asked", hint=hint)
