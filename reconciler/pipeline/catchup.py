"""Comparing the ledger with the whole history of a head, and recording what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.pipeline.reaching import Origin
from reconciler.pipeline.recording import Batch, Entry
from reconciler.pipeline.replay import chain, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.pipeline.stepping import Stepper
    from reconciler.ports import Ledger, Source

    Progress = Callable[[int, int], None]


class Comparison:
    """What a head reaches, held against what a ledger has.

    `missing` are the commits that the ledger lacks, or has as something else than it should: on the mainline, or
    off it. `dropped` are those that the head does not reach, or no longer.
    """

    def __init__(self, source: Source, head: str, ledger: Ledger) -> None:
        self.parents = source.parents(head)
        mainline = frozenset(chain(self.parents, head))
        known = ledger.recorded()
        self.missing = {sha: sha in mainline for sha in self.parents if known.get(sha) is not (sha in mainline)}
        self.dropped = known.keys() - self.parents.keys()


def catch_up(
    source: Source,
    stepper: Stepper,
    head: str,
    ledger: Ledger,
    *,
    waiting: Mapping[str, Entry] | None = None,
    progress: Progress = lambda done, total: None,
) -> int:
    """Make the ledger hold each commit of a head's history once, and mark orphaned what is not among them.

    Returns how many versions were recorded. `waiting` are versions at hand, parents first: when they are all that is
    missing, no history is walked. Otherwise it is, from its beginning. Raises `ReconcilerError` when git or the ledger
    fail; what was recorded by then is complete, parents first.
    """
    found = Comparison(source, head, ledger)
    batch = Batch(ledger)
    if found.missing:
        at_hand = waiting or {}
        enough = all(sha in at_hand and at_hand[sha].version.mainline is on for sha, on in found.missing.items())
        entries = iter(at_hand.values()) if enough else _walked(source, stepper, head, found.parents)
        for done, entry in enumerate(entries, 1):
            if entry.version.commit.sha in found.missing:
                batch.add(entry)
            progress(done, len(found.parents))
        batch.flush()
    ledger.orphan(found.dropped)
    return batch.written


def _walked(source: Source, stepper: Stepper, head: str, parents: Mapping[str, tuple[str, ...]]) -> Iterator[Entry]:
    beginning = Origin(None, stepper.nothing())
    return (Entry.of(step) for step in replay(source, stepper, beginning, head, parents))
