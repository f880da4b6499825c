"""What stood on this host before its store was made anew, or brought back from a backup: the history tells.

Neither may bring back what people switched off, or took back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.kinds.build import stored_kinds
from reconciler.model.halt import Halts
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK, Rollback
from reconciler.status import HALTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reconciler.adapters.haltfile import HaltFile
    from reconciler.model.host import HostEvent
    from reconciler.ports import Clock, LedgerReader, Store

    OpenLedger = Callable[[], AbstractContextManager[LedgerReader]]

TURNS = (ROLLED_BACK, ROLLBACK_ENDED)
EVER = datetime.max.replace(tzinfo=UTC)
"""Not now: a clock that was put back would hide what was halted last."""
HINT = "the next reconcile asks again; if anything has to be off: `reconciler halt`"


def recall_past(
    store: Store, file: HaltFile, open_ledger: OpenLedger | None, host: str, clock: Clock
) -> HostCondition | None:
    """Take the standing halts and the rollback of this host from the history, where the store lacks its past.

    Gives what is to be looked at where the history cannot be asked: it is asked again the next time.
    """
    if open_ledger is None or not store.lacks_past():
        return None
    try:
        with open_ledger() as ledger:
            halted, turned = ledger.halts_at(host, EVER), ledger.last_rollback(host)
    except ReconcilerError as error:
        return past_unknown(f"the history cannot be asked: {error}", clock)
    stood = (Halts.of_event(halted) if halted else None) or Halts()
    known = file.change(lambda halts: halts.with_past(stood), store.halts())
    if known != store.halts():
        store.obey(stored_kinds(store.kinds()), known)
    store.recall(_newer_rollback(store, turned))
    return None


def past_unknown(why: str, clock: Clock) -> HostCondition:
    """What `status` says while nobody has told what stood here."""
    message = f"whether halts or a rollback stood on this host before is not known, as {why}"
    return HostCondition(HALTS, ConditionSeverity.WARNING, "NotKnown", message, HINT, clock.now())


def _newer_rollback(store: Store, told: HostEvent | None) -> Rollback | None:
    """The rollback of the history, unless what this store did, or remembers, is newer."""
    own = next(iter(store.events(1, only=TURNS)), None)
    if told is None or (own is not None and (own.store == store.identity() or own.at >= told.at)):
        return store.rollback()
    return Rollback.of_event(told)
