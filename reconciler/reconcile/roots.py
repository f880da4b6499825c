"""Making the daily root of what a host did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler import canonical
from reconciler.errors import ReconcilerError
from reconciler.evidence.chain import (
    ROOT_MADE,
    ChainState,
    Record,
    SignedRoot,
    event_entry,
    interval_entries,
    is_due,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from reconciler.evidence.chain import Signature
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.ports import Store, StoreReader

BATCH: Final = 1_000
"""Rows that are read at once."""
LOOKED_AT: Final = 10
"""Newest roots among which one is looked for that can be read."""
NO_KEY: Final = "this host has no evidence.key"
NOT_SIGNED: Final = "see to the key that evidence.key names; the next root is over these entries, too"
"""The hint for a root that a key of this host did not sign."""


def parse_roots(events: Iterable[HostEvent]) -> tuple[SignedRoot, ...]:
    """The roots that events hold, without those that cannot be read: who altered one is found by its absence."""
    roots = []
    for event in events:
        try:
            roots.append(SignedRoot.of_event(event))
        except ValueError:
            continue
    return tuple(roots)


def last_root(store: StoreReader) -> SignedRoot | None:
    """The newest root; None before the first."""
    return next(iter(parse_roots(store.events(LOOKED_AT, only=(ROOT_MADE,)))), None)


def extend_chain(store: StoreReader, chain: ChainState) -> ChainState:
    """The chain with all that a store has recorded since."""
    while events := store.events_after(chain.events, BATCH):
        chain = chain.with_entries(Record.EVENTS, [event_entry(event) for event in events])
    intervals: list[LiveInterval] = []
    change = chain.intervals
    while more := store.intervals_after(change, BATCH):
        intervals += more
        change = more[-1].change
    return chain.with_entries(Record.INTERVALS, interval_entries(intervals, chain.intervals))


def make_root(store: Store, host: str, now: datetime, sign: Callable[[bytes], Signature | None]) -> SignedRoot | None:
    """Write down the root of the days that are over, as a host event; None where there is one already.

    `sign` signs the canonical JSON of the root. It gives None on a host without a key, and raises `ReconcilerError`.
    A root that cannot be signed says why: the next one is over its entries, too.
    """
    newest, owner = last_root(store), store.owner()
    last = newest.root if newest else None
    if owner is None or not is_due(last, next(iter(store.events_after(0, 1)), None), now):
        return None
    chain = extend_chain(store, ChainState.after(last))
    root = chain.to_root(host, owner.repository, store.identity(), now, last)
    try:
        signature = sign(canonical.dumps(root.to_json()).encode())
    except ReconcilerError as error:
        signed = SignedRoot(root, unsigned=str(error))
    else:
        signed = SignedRoot(root, signature.text, signature.key) if signature else SignedRoot(root, unsigned=NO_KEY)
    store.record_event(ROOT_MADE, signed.detail())
    return signed
